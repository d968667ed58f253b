/** Folds the commit log into rollups every few seconds, as the scheduled function does on AWS. Stops in the middle when told to. */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { ClickstreamError } from "../../processors/errors.ts";
import type { Clock } from "../../processors/model/time.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import { around } from "../../processors/stores/around.ts";
import type { Store } from "../../processors/stores/store.ts";
import { type Consumer, describe } from "./consumer.ts";

/** The log's tail is read by every cold query, so it is kept short. */
const EVERY_MS = 10_000;
/** A quiet hour still closes days and forgets old commits. */
const QUIET_EVERY_MS = 600_000;

export interface CompactionOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Says when there is something new. */
  readonly consumer: Pick<Consumer, "commits">;
  readonly log: (line: string) => void;
  /** Days that still change are not derived. Default: they are. */
  readonly leavesChanged?: boolean | undefined;
  /** Between two runs. Default: ten seconds. */
  readonly everyMs?: number | undefined;
}

/** Starts at once and returns; `stop` resolves when nothing of it touches the store any more. */
export function startCompaction({
  store,
  clock,
  consumer,
  log,
  leavesChanged,
  everyMs = EVERY_MS,
}: CompactionOptions): {
  stop(): Promise<void>;
} {
  const stopping = new AbortController();
  const { signal } = stopping;
  const stoppable = untilStopped(store, signal);
  const run = async (): Promise<void> => {
    let compacted = -1;
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        const commits = await consumer.commits();
        const isDue = commits !== compacted || clock.now() % QUIET_EVERY_MS < everyMs;
        const deps = { store: stoppable, clock, pause: turn, leavesChanged: leavesChanged === true };
        for (let more = isDue; more; ) ({ more } = await compact(deps));
        compacted = commits;
      } catch (error) {
        if (!signal.aborted) log(`compaction: ${describe(error)}; again in ${everyMs / 1000} s`);
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

/** Fails every operation after `signal`: compaction may be abandoned anywhere, and Ctrl-C should not wait for a week of it. */
export function untilStopped(store: Store, signal: AbortSignal): Store {
  return around(store, async (work) => {
    // Reads of a file come at once: without a turn of the loop, nobody would be answered between them.
    await turn();
    if (signal.aborted) throw new ClickstreamError("unavailable", "stopping");
    return work();
  });
}
