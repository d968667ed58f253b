/**
 * The commit log, one per shard: commit n holds what the records after `from` up to `to` add to the rollups and change
 * in the shard's state, in one put-if-absent. The newest commit is the checkpoint; whoever loses the put was late.
 */
import { invariant } from "../errors.ts";
import { Rollup } from "../model/rollup.ts";
import { type EpochMs, MINUTE_MS } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Store } from "../stores/store.ts";
import { decodeJson, encodeJson } from "./json.ts";
import type { Partial, PartialFold } from "./partial.ts";
import { encodePartials } from "./partialbytes.ts";
import { decodeJsonFeed, decodePartials } from "./partialreader.ts";
import type { StateChange } from "./state.ts";
import { readChange, STATE_VERSION, textsOf, writeChange } from "./statebytes.ts";
import { TextWriter } from "./texts.ts";

export interface CommitHeader {
  readonly shard: string;
  /** 1 for the first commit of a shard. */
  readonly n: number;
  readonly from: string;
  readonly to: string;
  /** By the committing worker's clock. */
  readonly committedAt: EpochMs;
  /** Arrival of the newest record in it. */
  readonly arrivedAt: EpochMs;
  readonly watermark: EpochMs;
}

export interface Commit extends CommitHeader {
  /** By site id. */
  readonly partials: ReadonlyMap<string, Partial>;
}

/** What is known of a commit without decoding what it adds. */
export const headerOf = ({
  shard,
  n,
  from,
  to,
  committedAt,
  arrivedAt,
  watermark,
}: CommitHeader): CommitHeader => ({ shard, n, from, to, committedAt, arrivedAt, watermark });

/** Old commits and their slots stay for this long whatever has been compacted. */
export const LOG_GRACE_MS = 60 * MINUTE_MS;

/** The last version whose commits held whole rollups. */
const ROLLUPS_VERSION = 2;

const logKey = (shard: string): string => `log/${shard}`;
/** Sort key of what belongs to commit n. */
export const slot = (n: number): string => String(n).padStart(12, "0");

/** `likelyBytes`: how much room to begin with. */
export function encodeCommit(
  header: Omit<CommitHeader, "shard" | "n" | "to" | "watermark">,
  partials: ReadonlyMap<string, PartialFold>,
  change: StateChange,
  likelyBytes = 4096,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(likelyBytes);
  const texts = new TextWriter();
  writer.byte(STATE_VERSION);
  writer.varint(change.n);
  writer.text(header.from);
  writer.text(change.to);
  writer.varint(header.committedAt);
  writer.varint(header.arrivedAt);
  writer.varint(change.watermark);
  writer.measured(() => encodePartials(partials, writer, texts));
  writeChange(change, writer, texts);
  texts.encodeTo(writer);
  return writer.finish();
}

/** Up to version 2 a partial's windows were whole rollups. */
function decodeOldPartials(reader: ByteReader): Map<string, Partial> {
  const partials = new Map<string, Partial>();
  for (let sites = reader.varint(); sites > 0; sites--) {
    const site = reader.text();
    const windows = new Map<EpochMs, Rollup>();
    for (let left = reader.varint(); left > 0; left--)
      windows.set(reader.varint(), Rollup.decode(reader.block()));
    partials.set(site, { windows, feed: decodeJsonFeed(reader) });
  }
  return partials;
}

function readCommit(
  shard: string,
  sk: string,
  value: Uint8Array,
): { commit: Commit; change: () => StateChange } {
  const reader = new ByteReader(value);
  const version = reader.byte();
  if (version < 1 || version > STATE_VERSION)
    throw new RangeError(`commit version ${version}, this code reads 1 to ${STATE_VERSION}`);
  const n = reader.varint();
  invariant(slot(n) === sk, () => `commit ${n} of ${shard} stands in slot ${sk}`);
  const header = {
    shard,
    n,
    from: reader.text(),
    to: reader.text(),
    committedAt: reader.varint(),
    arrivedAt: reader.varint(),
    watermark: reader.varint(),
  };
  const encoded = reader.block();
  const changeAt = reader.position;
  const behindChange = (): ByteReader => {
    const behind = new ByteReader(value.subarray(changeAt));
    behind.block();
    return behind;
  };
  let partials: ReadonlyMap<string, Partial> | undefined;
  return {
    commit: {
      ...header,
      // A worker that starts reads the log for its state alone, and a checkpoint is one number: both decode none.
      get partials() {
        partials ??=
          version <= ROLLUPS_VERSION
            ? decodeOldPartials(new ByteReader(encoded))
            : decodePartials(encoded, textsOf(behindChange(), version), version);
        return partials;
      },
    },
    change: () => readChange(new ByteReader(value.subarray(changeAt)), version),
  };
}

/** Takes slot n of the shard's log; false when somebody else has it. */
export const appendCommit = (store: Store, shard: string, n: number, value: Uint8Array): Promise<boolean> =>
  store.put({ pk: logKey(shard), sk: slot(n), value }, 0);

/** Whether slot n of the shard's log is taken. Of old ones the log forgets that. */
export const hasCommit = async (store: Store, shard: string, n: number): Promise<boolean> =>
  (await store.get({ pk: logKey(shard), sk: slot(n) })) !== undefined;

/** Commits n > after, in order, at most `limit`. */
export async function readCommits(
  store: Store,
  shard: string,
  after: number,
  limit?: number,
): Promise<Commit[]> {
  const items = await store.list(logKey(shard), { from: slot(after + 1), ...(limit ? { limit } : {}) });
  return items.map(({ sk, value }) => readCommit(shard, sk, value).commit);
}

/** The same with their size and what each changes in the shard's state, decoded on demand. */
export async function readLog(
  store: Store,
  shard: string,
  after: number,
  limit: number,
): Promise<{ readonly commit: Commit; readonly bytes: number; readonly change: () => StateChange }[]> {
  const items = await store.list(logKey(shard), { from: slot(after + 1), limit });
  return items.map(({ sk, value }) => ({ ...readCommit(shard, sk, value), bytes: value.length }));
}

/** The newest `count` commits, newest first. */
export async function newestCommits(store: Store, shard: string, count: number): Promise<Commit[]> {
  const items = await store.list(logKey(shard), { reverse: true, limit: count });
  return items.map(({ sk, value }) => readCommit(shard, sk, value).commit);
}

/**
 * Forgets commits up to `through`, a portion at a time; true when none is left. The caller must know that they are
 * compacted, in a snapshot and read by nobody.
 */
export async function deleteCommits(store: Store, shard: string, through: number): Promise<boolean> {
  const items = await store.list(logKey(shard), { to: slot(through + 1), limit: MAX_DELETED });
  await store.delete(items);
  return items.length < MAX_DELETED;
}

const MAX_DELETED = 500;

// ---- shards that have a log

export interface LoggedShard {
  readonly id: string;
  readonly parents: readonly string[];
  /** It has a child that began, so it will never grow again. */
  readonly closed: boolean;
}

/** Shards with a log, by id. */
export async function listShards(store: Store): Promise<LoggedShard[]> {
  const shards = (await store.list("shard")).map(({ sk, value }) => ({
    id: sk,
    parents: decodeJson<string[]>(value),
  }));
  const parents = new Set(shards.flatMap((shard) => shard.parents));
  return shards.map((shard) => ({ ...shard, closed: parents.has(shard.id) }));
}

export const registerShard = async (
  store: Store,
  shard: string,
  parents: readonly string[],
): Promise<void> => {
  await store.put({ pk: "shard", sk: shard, value: encodeJson(parents) }, 0);
};

/** Number and encoded bytes of the newest commit; undefined for a shard without commits. */
export async function logEnd(
  store: Store,
  shard: string,
): Promise<{ readonly n: number; readonly bytes: number } | undefined> {
  const [item] = await store.list(logKey(shard), { reverse: true, limit: 1 });
  return item && { n: Number(item.sk), bytes: item.value.length };
}

/** The last sequence number that is in the log of a shard, "" before the first; reads no more of the commit than that. */
export async function committedTo(store: Store, shard: string): Promise<string> {
  const [item] = await store.list(logKey(shard), { reverse: true, limit: 1 });
  if (!item) return "";
  const reader = new ByteReader(item.value);
  reader.byte();
  reader.varint();
  reader.text();
  return reader.text();
}
