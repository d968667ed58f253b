/** Watches the rules for alerts each minute, as the scheduled function does on AWS. Stops in the middle when told to. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../processors/model/time.ts";
import type { Notifier } from "../../processors/notifiers/notifier.ts";
import { watch } from "../../processors/pipeline/alerts/watch.ts";
import type { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { Store } from "../../processors/stores/store.ts";
import { untilStopped } from "./compaction.ts";
import { describe } from "./consumer.ts";

const EVERY_MS = 60_000;

export interface AlertingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly engine: QueryEngine;
  readonly notifier: Notifier;
  /** Origin of the dashboard. */
  readonly url: string;
  readonly log: (line: string) => void;
}

/** Begins a minute from now and returns; `stop` resolves when nothing of it touches the store any more. */
export function startAlerting(options: AlertingOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { log } = options;
  const store = untilStopped(options.store, signal);
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await watch({ ...options, store, signal }).catch((error: unknown) => {
        if (!signal.aborted) log(`alerts: ${describe(error)}; again in ${EVERY_MS / 1_000} s`);
      });
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
