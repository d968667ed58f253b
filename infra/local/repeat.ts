/** Work beside the counting: done again and again, left in its middle when told to stop. */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { ClickstreamError, describe } from "../../processors/errors.ts";
import { around } from "../../processors/stores/around.ts";
import type { Store } from "../../processors/stores/store.ts";

export interface Repeated {
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

export interface RepeatOptions {
  /** How its lines in the log begin. */
  readonly name: string;
  /** From the start to the first run, and from the end of each to the next. */
  readonly everyMs: number;
  readonly log: (line: string) => void;
  /** What `stop` aborts. */
  readonly stopping?: AbortController;
}

/** Runs `work` one time after the other. What it throws is told, unless it was told to stop, and the next run tries again. */
export function repeat(
  { name, everyMs, log, stopping = new AbortController() }: RepeatOptions,
  work: (signal: AbortSignal) => Promise<unknown>,
): Repeated {
  const { signal } = stopping;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await work(signal);
      } catch (error) {
        if (!signal.aborted) log(`${name}: ${describe(error)}; again in ${everyMs / 1000} s`);
      }
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Fails every operation after `signal`: such work may be abandoned anywhere, and Ctrl-C should not wait for a week of it. */
export function untilStopped(store: Store, signal: AbortSignal): Store {
  return around(store, async (work) => {
    // Reads of a file come at once: without a turn of the loop, nobody would be answered between them.
    await turn();
    if (signal.aborted) throw new ClickstreamError("unavailable", "stopping");
    return work();
  });
}
