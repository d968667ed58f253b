/** Has what was counted recounted every few seconds, and then lets the stream forget it. */
import { setImmediate as turn } from "node:timers/promises";
import { type Clock, MINUTE_MS } from "../../processors/model/time.ts";
import { Reconciler } from "../../processors/pipeline/reconcile.ts";
import type { Store } from "../../processors/stores/store.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import type { Consumer } from "./consumer.ts";
import { type Repeated, repeat, untilStopped } from "./repeat.ts";

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

/** Starts when earlier findings are read. */
export async function startReconciliation({
  store,
  stream,
  clock,
  consumer,
  log,
  everyMs = EVERY_MS,
}: ReconciliationOptions): Promise<Repeated & { readonly reconciler: Reconciler }> {
  const stopping = new AbortController();
  const reconciler = new Reconciler({
    store: untilStopped(store, stopping.signal),
    stream,
    clock,
    pause: turn,
  });
  await reconciler.open();
  const trim = async (through: ReadonlyMap<string, string>): Promise<void> => {
    for (const { id } of await stream.shards()) await stream.trim(id, through.get(id) ?? "");
  };
  let doneAt = clock.now();
  let windows = reconciler.totals().windows;
  const { stop } = repeat({ name: "recount", everyMs, log, stopping }, async (signal) => {
    try {
      await reconciler.run();
      doneAt = clock.now();
      await trim(reconciler.recounted());
    } catch (error) {
      // If that fails as well, the next run tries again; what is told is why there was no recount.
      if (!signal.aborted && clock.now() - doneAt > MAX_KEEP_MS)
        await consumer
          .counted()
          .then(trim)
          .catch(() => {});
      throw error;
    }
    const found = reconciler.totals();
    if (found.windows > windows)
      log(`recount: ${found.windows} windows differ, by ${found.difference} events: see docs/exactness.md`);
    windows = found.windows;
  });
  return { reconciler, stop };
}
