/** Has what was counted recounted every few seconds, and then lets the stream forget it. */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { type Clock, MINUTE_MS } from "../../processors/model/time.ts";
import { Reconciler } from "../../processors/pipeline/reconcile.ts";
import type { Store } from "../../processors/stores/store.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import { untilStopped } from "./compaction.ts";
import { type Consumer, describe } from "./consumer.ts";

const EVERY_MS = 10_000;
/** Records hold addresses: if they cannot be recounted for so long, they go without. */
const MAX_KEEP_MS = 10 * MINUTE_MS;

export interface ReconciliationOptions {
  readonly store: Store;
  readonly stream: Stream;
  readonly clock: Clock;
  readonly consumer: Pick<Consumer, "counted">;
  readonly log: (line: string) => void;
  /** Between two runs. Default: ten seconds. */
  readonly everyMs?: number | undefined;
}

/** Starts when earlier findings are read; `stop` resolves when nothing of it touches store or stream any more. */
export async function startReconciliation({
  store,
  stream,
  clock,
  consumer,
  log,
  everyMs = EVERY_MS,
}: ReconciliationOptions): Promise<{ readonly reconciler: Reconciler; stop(): Promise<void> }> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const reconciler = new Reconciler({ store: untilStopped(store, signal), stream, clock, pause: turn });
  await reconciler.open();
  const trim = async (through: ReadonlyMap<string, string>): Promise<void> => {
    for (const { id } of await stream.shards()) await stream.trim(id, through.get(id) ?? "");
  };
  const run = async (): Promise<void> => {
    let doneAt = clock.now();
    let windows = reconciler.totals().windows;
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await reconciler.run();
        doneAt = clock.now();
        await trim(reconciler.recounted());
        const found = reconciler.totals();
        if (found.windows > windows)
          log(
            `recount: ${found.windows} windows differ, by ${found.difference} events: see docs/exactness.md`,
          );
        windows = found.windows;
      } catch (error) {
        if (signal.aborted) return;
        log(`recount: ${describe(error)}; again in ${everyMs / 1000} s`);
        if (clock.now() - doneAt > MAX_KEEP_MS)
          await consumer
            .counted()
            .then(trim)
            .catch(() => {});
      }
    }
  };
  const running = run();
  return {
    reconciler,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
