/** How far the archive's files reach where a service delivers them: told from the logs of both consumers, on the safe side. */
import type { Clock, EpochMs } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import { listShards, newestCommits } from "../commit.ts";

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
  let until = now;
  for (const { id, closed } of await listShards(store)) {
    const [[counted], [handed]] = await Promise.all([
      newestCommits(store, id, 1),
      newestCommits(archive, id, 1),
    ]);
    if (!counted) continue;
    // A shard that was closed before the archive began has nothing for it.
    if (!handed && closed) continue;
    if (!handed) return 0;
    // Behind counting, nothing later than its own newest record is known to be handed over.
    const reached = handed.arrivedAt >= counted.arrivedAt ? now : handed.arrivedAt;
    until = Math.min(until, reached, now - Math.max(0, handed.committedAt - handed.arrivedAt));
  }
  return until - withinMs;
}
