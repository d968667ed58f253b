/**
 * How far the archive's files reach where a service delivers them: told from the logs of both consumers and the note of
 * what waits in the stream, on the safe side.
 */
import type { Clock, EpochMs } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import { compareSequences } from "../../streams/stream.ts";
import { listShards, newestCommits } from "../commit.ts";
import { readFreshness } from "../freshness.ts";

export interface Delivery {
  /** Where counting logs its commits. */
  readonly store: Store;
  /** Where the archive's consumer logs its own. */
  readonly archive: Store;
  readonly clock: Clock;
  /** How long what was handed over may take until a question finds it in a file. */
  readonly withinMs: number;
}

/** Everything received before this is in files; 0 while the archive's consumer has not begun. */
export async function deliveredUntil({ store, archive, clock, withinMs }: Delivery): Promise<EpochMs> {
  const now = clock.now();
  // Before the logs: what the note calls counted is in them.
  const noted = await readFreshness(store);
  const { waiting = {} } = noted ?? {};
  const quiet = noted ? Math.min(noted.at, ...Object.values(waiting)) : 0;
  const shards = await listShards(store);
  const begun = new Set(shards.map(({ id }) => id));
  // Of shards that nobody has begun to count, all that is known is what waits.
  let until = Math.min(now, ...Object.keys(waiting).flatMap((id) => (begun.has(id) ? [] : waiting[id]!)));
  for (const { id, closed } of shards) {
    const [[counted], [handed]] = await Promise.all([
      newestCommits(store, id, 1),
      newestCommits(archive, id, 1),
    ]);
    if (!counted) continue;
    // A shard that was closed before the archive began has nothing for it.
    if (!handed && closed) continue;
    if (!handed) return 0;
    // Nothing later than its own newest record is known to be handed over, unless it is as far as counting and nothing waits for that.
    const isAsFar = compareSequences(handed.to, counted.to) >= 0;
    const reached = isAsFar ? Math.max(quiet, handed.arrivedAt) : handed.arrivedAt;
    until = Math.min(until, reached, now - Math.max(0, handed.committedAt - handed.arrivedAt));
  }
  return until - withinMs;
}
