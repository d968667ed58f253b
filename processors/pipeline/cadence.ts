/**
 * When to compact, where every write is paid: seldom, because each run writes every window that it touches anew, among
 * them all minutes in which a visit began that goes on. Answers do not wait for it: readers take what is not compacted
 * from the log. So only the length of the log that a cold reader has to read bounds the pause.
 */
import { type Clock, MINUTE_MS } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { listShards, logEnd } from "./commit.ts";
import { MAX_COMMITS } from "./compact.ts";
import { readCursors } from "./cursors.ts";

/**
 * At the latest; finished days, expiry and old logs wait as long. A visit goes on for half an hour: the minute in which
 * it began is written once by the run after it and once by the next, where shorter pauses wrote it five times.
 */
const PAUSE_MS = 30 * MINUTE_MS;
/** Of all shards' logs together, not compressed: what a cold reader decodes in a good second. */
const MAX_TAIL_BYTES = 8 << 20;

/** For whoever asks each minute. Keeps no note of the last run: one that failed is made up for by the next that is due. */
export async function isCompactionDue({
  store,
  clock,
}: {
  readonly store: Store;
  readonly clock: Clock;
}): Promise<boolean> {
  if (clock.now() % PAUSE_MS < MINUTE_MS) return true;
  const cursors = await readCursors(store);
  let bytes = 0;
  for (const { id } of await listShards(store)) {
    const end = await logEnd(store, id);
    const waiting = (end?.n ?? 0) - (cursors.get(id) ?? 0);
    // Commits that follow each other are alike: the newest stands for all of them.
    bytes += waiting * (end?.bytes ?? 0);
    if (waiting >= MAX_COMMITS || bytes >= MAX_TAIL_BYTES) return true;
  }
  return false;
}
