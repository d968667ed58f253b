/** How Kinesis maps a partition key to a shard, and what it takes as a record: shared by the drivers that stand in for it. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { ClickstreamError } from "../errors.ts";

/** Half-open range of 128-bit hash keys: [from, to). */
export interface HashRange {
  readonly from: bigint;
  readonly to: bigint;
}

export const HASH_SPACE: HashRange = { from: 0n, to: 1n << 128n };

/** Kinesis' default; docs: PutRecord. */
const MAX_RECORD_BYTES = 1024 * 1024;
const MAX_KEY_LENGTH = 256;

/** MD5 of the key as an unsigned 128-bit number, as Kinesis computes it. */
export const hashKey = (partitionKey: string): bigint =>
  BigInt(`0x${createHash("md5").update(partitionKey, "utf8").digest("hex")}`);

export const isWithin = (hash: bigint, range: HashRange): boolean => hash >= range.from && hash < range.to;

/** `count` ranges of equal length that cover the space, lowest first. */
export const evenRanges = (count: number): HashRange[] =>
  Array.from({ length: count }, (_, i) => ({
    from: (HASH_SPACE.to * BigInt(i)) / BigInt(count),
    to: (HASH_SPACE.to * BigInt(i + 1)) / BigInt(count),
  }));

/** Named as Kinesis names shards, so that code which sorts or parses ids meets the real form everywhere. */
export const shardId = (index: number): string => `shardId-${String(index).padStart(12, "0")}`;

/** @throws ClickstreamError `bad_request` for a record that Kinesis would refuse: what works here must work there. */
export function checkRecord({ partitionKey, data }: { partitionKey: string; data: Uint8Array }): void {
  if (partitionKey.length === 0 || partitionKey.length > MAX_KEY_LENGTH)
    throw new ClickstreamError(
      "bad_request",
      `partitionKey: 1 to ${MAX_KEY_LENGTH} characters, got ${partitionKey.length}`,
    );
  const size = data.length + Buffer.byteLength(partitionKey);
  if (size > MAX_RECORD_BYTES)
    throw new ClickstreamError(
      "bad_request",
      `data: at most ${MAX_RECORD_BYTES} bytes with its key, got ${size}`,
    );
}
