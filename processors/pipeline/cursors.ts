/** The cursors: how far compaction has come in each shard's commit log. */
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Item, Store } from "../stores/store.ts";
import { listShards } from "./commit.ts";
import { areSame, type Editions, readEditions } from "./editions.ts";

const CURSOR = "cursor";

/** Newest compacted commit of each shard. Read it before the rollups, and the rollups before the log. */
export async function readCursors(store: Store): Promise<Map<string, number>> {
  return new Map((await store.list(CURSOR)).map((item) => [item.sk, decodeCursor(item)]));
}

/**
 * Moves a shard's cursor on to commit `n`, when all up to there are folded into the rollups of `folded`. False when
 * editions began or were switched since: then they must be folded into those too. Looked up under the version of the
 * cursor that the put expects, and whoever begins an edition gives each cursor a new version afterwards: so no cursor
 * passes a commit that an edition lacks.
 */
export async function advanceCursor(
  store: Store,
  shard: string,
  n: number,
  folded: Editions,
): Promise<boolean> {
  for (;;) {
    const item = await store.get({ pk: CURSOR, sk: shard });
    if (decodeCursor(item) >= n) return true;
    if (!areSame(folded, await readEditions(store))) return false;
    if (await putCursor(store, shard, n, item)) return true;
  }
}

/**
 * Gives the cursor of each shard a new version, and answers where it stands: call after an edition began. Commits beyond
 * are folded into the edition by everybody who compacts; those up to there are the caller's.
 */
export async function touchCursors(store: Store): Promise<Map<string, number>> {
  const cursors = new Map<string, number>();
  for (const { id } of await listShards(store)) {
    for (;;) {
      const item = await store.get({ pk: CURSOR, sk: id });
      const n = decodeCursor(item);
      if (!(await putCursor(store, id, n, item))) continue;
      cursors.set(id, n);
      break;
    }
  }
  return cursors;
}

const decodeCursor = (item: Item | undefined): number => (item ? new ByteReader(item.value).varint() : 0);

/** Under the version of the item that was read; false where somebody else wrote meanwhile. */
function putCursor(store: Store, shard: string, n: number, before: Item | undefined): Promise<boolean> {
  const writer = new ByteWriter(8);
  writer.varint(n);
  return store.put({ pk: CURSOR, sk: shard, value: writer.finish() }, before?.version ?? 0);
}
