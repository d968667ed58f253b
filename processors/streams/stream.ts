/** The stream port: ordered shards of records with Kinesis' semantics. One conformance suite defines "correct". */
import type { EpochMs } from "../model/time.ts";

export interface StreamRecord {
  /** Decimal, up to 56 digits: compare as BigInt, never as number or text. Rises within a shard. */
  readonly sequence: string;
  readonly partitionKey: string;
  /** When the stream took it. */
  readonly arrivalAt: EpochMs;
  readonly data: Uint8Array;
}

export interface Shard {
  readonly id: string;
  /** Shards that this one came from by a split (one) or merge (two); read them to their end first. */
  readonly parents: readonly string[];
  /** No more records will be added. */
  readonly closed: boolean;
}

export interface ReadResult {
  readonly records: readonly StreamRecord[];
  /** True when the shard is closed and nothing comes after `records`. */
  readonly atEnd: boolean;
  /** True when no record that was durable before the read comes after `records`; false also when that is not known. */
  readonly caughtUp: boolean;
}

export interface PutRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

/** Where a record is. */
export interface Placed {
  readonly shard: string;
  readonly sequence: string;
}

export interface Stream {
  /**
   * Resolves when the record is durable. Records with one partition key go to one shard, in order.
   * Throws `throttled` when over the stream's rate and `unavailable` on an outage; after an error the record may be in.
   */
  put(record: PutRecord): Promise<Placed>;
  /**
   * `put` of many, with fewer requests; in the order of `records`, and those of one key may change places where some had
   * to be put again. Only where the driver can; throws as `put` does, and then any of them may be in.
   */
  putMany?(records: readonly PutRecord[]): Promise<Placed[]>;
  /** All shards that still hold records, parents before children. */
  shards(): Promise<readonly Shard[]>;
  /** Up to `limit` records after sequence `after` ("" = from the oldest). Resolves at once, possibly with none. */
  read(shard: string, after: string, limit: number): Promise<ReadResult>;
  /** Forgets records at or below `through`, where the driver keeps them itself; otherwise does nothing. */
  trim(shard: string, through: string): Promise<void>;
  close(): Promise<void>;
}

/** Orders two sequence numbers; "" is before all. */
export const compareSequences = (a: string, b: string): number => {
  // Equal-length decimal texts order like the numbers, so BigInt is only needed in principle; leading zeros never occur.
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
};
