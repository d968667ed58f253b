/** Folds the commit log into rollups every few seconds, as the scheduled function does on AWS. */
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../processors/model/time.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import type { Store } from "../../processors/stores/store.ts";
import type { Consumer } from "./consumer.ts";
import { type Repeated, repeat, untilStopped } from "./repeat.ts";

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

export function startCompaction({
  store,
  clock,
  consumer,
  log,
  leavesChanged = false,
  everyMs = EVERY_MS,
}: CompactionOptions): Repeated {
  let compacted = -1;
  return repeat({ name: "compaction", everyMs, log }, async (signal) => {
    const commits = await consumer.commits();
    const isDue = commits !== compacted || clock.now() % QUIET_EVERY_MS < everyMs;
    const deps = { store: untilStopped(store, signal), clock, pause: turn, leavesChanged };
    for (let more = isDue; more; ) ({ more } = await compact(deps));
    compacted = commits;
  });
}
