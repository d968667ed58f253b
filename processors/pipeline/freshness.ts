/**
 * How far the counts trail the stream, noted now and then by whoever may read both. Readers of the store alone cannot
 * tell silence from delay: without the note they would wait for traffic, or call final what is only late in coming.
 */
import type { Clock, EpochMs } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import type { Stream } from "../streams/stream.ts";
import { type CommitHeader, newestCommits } from "./commit.ts";
import { decodeJson, encodeJson } from "./json.ts";

export interface Freshness {
  /** When the stream was asked; what came later is not in this note. */
  readonly at: EpochMs;
  /** Arrival of the oldest record that was not counted then, by shard; shards where nothing waited are absent. */
  readonly waiting: Readonly<Record<string, EpochMs>>;
}

const KEY = { pk: "freshness", sk: "stream" };
/**
 * Kinesis may answer with an empty page although records follow. A note is worth this many pages of a shard; a warm
 * driver goes on where it stopped, so the next one gets further.
 */
const MAX_PAGES = 10;
/**
 * A batch is stamped before it is put, and API Gateway gives the put 29 s: what arrives after a note may have been
 * received up to this long before it.
 */
export const EDGE_DELAY_MS = 30_000;

/**
 * Asks every shard for its first record beyond the newest commit, one record each, and keeps the answer unless a later
 * one is there. Undefined, and nothing kept, when a shard did not tell. Throws `throttled` or `unavailable` on an outage.
 */
export async function noteFreshness(deps: {
  readonly store: Store;
  readonly stream: Stream;
  readonly clock: Clock;
}): Promise<Freshness | undefined> {
  const { store, stream, clock } = deps;
  const at = clock.now();
  const waiting: Record<string, EpochMs> = {};
  for (const { id } of await stream.shards()) {
    const [newest] = await newestCommits(store, id, 1);
    const oldest = await oldestAfter(stream, id, newest?.to ?? "");
    if (oldest === "unknown") return undefined;
    if (oldest !== "none") waiting[id] = oldest;
  }
  const freshness = { at, waiting };
  const item = await store.get(KEY);
  if (item && decodeJson<Freshness>(item.value).at > at) return freshness;
  // Whoever loses this put was overtaken by another note.
  await store.put({ ...KEY, value: encodeJson(freshness) }, item?.version ?? 0);
  return freshness;
}

async function oldestAfter(
  stream: Stream,
  shard: string,
  after: string,
): Promise<EpochMs | "none" | "unknown"> {
  for (let page = 0; page < MAX_PAGES; page++) {
    const { records, caughtUp } = await stream.read(shard, after, 1);
    if (records[0]) return records[0].arrivalAt;
    if (caughtUp) return "none";
  }
  return "unknown";
}

/** The newest note; undefined before the first. Read it before the data that it is to speak about. */
export async function readFreshness(store: Store): Promise<Freshness | undefined> {
  const item = await store.get(KEY);
  return item && decodeJson<Freshness>(item.value);
}

/** Windows that end at or before this held nothing more to come when the note was made, but for late events. */
export const quietUntil = ({ at, waiting }: Freshness, allowedLatenessMs: number): EpochMs =>
  Math.min(at, ...Object.values(waiting)) - EDGE_DELAY_MS - allowedLatenessMs;

/**
 * How long the oldest record of the note has been waiting by now that `newest`, the newest commit of each shard, does
 * not reach yet; 0 when they reach them all. A shard without a commit has counted nothing.
 */
export function waitingMs({ waiting }: Freshness, newest: readonly CommitHeader[], now: EpochMs): number {
  const reached = new Map(newest.map(({ shard, arrivedAt }) => [shard, arrivedAt]));
  const left = Object.entries(waiting).filter(([shard, since]) => (reached.get(shard) ?? 0) < since);
  return Math.max(0, ...left.map(([, since]) => now - since));
}
