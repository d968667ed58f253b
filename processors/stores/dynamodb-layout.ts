/** How an item lies in the DynamoDB table: its attributes, and the chunks of a large value. Sends nothing. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { EpochMs } from "../model/time.ts";
import type { Attributes } from "./dynamodb-table.ts";
import { unpack } from "./packing.ts";
import type { Item, ItemKey } from "./store.ts";

// Attributes of an item, short because DynamoDB bills their bytes:
//   pk, sk   the key
//   ver      version
//   val      the packed value, unless it is in chunks
//   tok      random, new with every write: tells our own write from another's
//   xms      expiry in epoch milliseconds, exact; reads filter by it
//   exp      expiry in epoch seconds, rounded up: the table's TTL attribute, which deletes some days later
//   gen, n   generation and number of the chunks that hold the value
export const NAMES = {
  "#ver": "ver",
  "#val": "val",
  "#tok": "tok",
  "#xms": "xms",
  "#exp": "exp",
  "#gen": "gen",
  "#n": "n",
};

export interface Chunks {
  readonly gen: string;
  readonly n: number;
}

/** An item as the table holds it. */
export interface Head extends ItemKey {
  readonly version: number;
  readonly token: string;
  readonly expiresAt: EpochMs | undefined;
  readonly packed: Uint8Array | undefined;
  readonly chunks: Chunks | undefined;
}

/** An item as it shall be; the version is the table's to count. */
export type HeadWrite = Omit<Head, "version">;

/** The parts of an update that makes the item what is given: absent attributes are removed. */
export function assignments({ token, expiresAt, packed, chunks }: HeadWrite) {
  const set: string[] = [];
  const remove: string[] = [];
  const values: Attributes = {};
  const assign = (attribute: string, value: AttributeValue | undefined): void => {
    if (value === undefined) return void remove.push(`#${attribute}`);
    set.push(`#${attribute} = :${attribute}`);
    values[`:${attribute}`] = value;
  };
  assign("tok", { S: token });
  assign("val", packed && { B: packed });
  assign("xms", expiresAt === undefined ? undefined : { N: String(expiresAt) });
  assign("exp", expiresAt === undefined ? undefined : { N: seconds(expiresAt) });
  assign("gen", chunks && { S: chunks.gen });
  assign("n", chunks && { N: String(chunks.n) });
  return { set, remove, values };
}

/** Chunks lie in a partition of their own, so that listing items does not meet them. */
export const chunkPartition = (pk: string): string => `${pk}\u0000chunks`;
/** Fixed width, so that generations of one item sort by their time. */
export const generationTime = (at: EpochMs): string => Math.max(0, at).toString(36).padStart(9, "0");
/** Length of what a chunk's sort key has behind the item's own: generation (time and 12 random characters) and number. */
export const CHUNK_SUFFIX = "\u0000".length + 9 + 12 + "\u0000".length + 4;
/** Where the chunks of one generation of an item's value are. */
export const chunkKeys = ({ pk, sk }: ItemKey, { gen, n }: Chunks): ItemKey[] =>
  Array.from({ length: n }, (_, i) => ({
    pk: chunkPartition(pk),
    sk: `${sk}\u0000${gen}\u0000${String(i).padStart(4, "0")}`,
  }));

/** As the table's TTL attribute wants it. */
export const seconds = (at: EpochMs): string => String(Math.ceil(at / 1000));

export function toHead({ pk, sk, ver, val, tok, xms, gen, n }: Attributes): Head {
  return {
    pk: pk!.S!,
    sk: sk!.S!,
    version: Number(ver!.N),
    token: tok!.S!,
    expiresAt: xms && Number(xms.N),
    packed: val?.B,
    chunks: gen && { gen: gen.S!, n: Number(n!.N) },
  };
}

/** @throws ClickstreamError `invariant` when the value is not what `pack` makes. */
export function toItem({ pk, sk, version, expiresAt, packed }: Head): Item {
  const item = { pk, sk, version, value: unpack(packed!) };
  return expiresAt === undefined ? item : { ...item, expiresAt };
}
