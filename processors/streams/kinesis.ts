/** The stream on Amazon Kinesis Data Streams, within its read limits. Knows nothing of the data. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  KinesisClient,
  type Shard as KinesisShard,
  ListShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { awsError, batchesOf, httpHandler } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { checkRecord } from "./partition.ts";
import type { Placed, PutRecord, Shard, Stream } from "./stream.ts";

export interface KinesisStreamOptions {
  /** Name of an existing stream. */
  readonly stream: string;
  /** Default: one made from the usual AWS_* variables. A client that is given is not closed. */
  readonly client?: KinesisClient;
  /** Least time between two reads of one shard, default 200 ms. */
  readonly minReadGapMs?: number;
  /** Between two tries of `putMany`; tests count the waits instead. */
  readonly wait?: (ms: number) => Promise<unknown>;
  /** 0 to 1, for the jitter. */
  readonly random?: () => number;
}

/** GetRecords: at most 5 a second for each shard, shared by all its readers. */
const MIN_READ_GAP_MS = 200;
/** GetRecords: the largest Limit. */
const MAX_READ_RECORDS = 10_000;

/** PutRecords: 500 records and 5 MiB with their keys, as every region has it. */
const MAX_PUT_RECORDS = 500;
const MAX_PUT_BYTES = 5 * 1024 * 1024;
/** A shard that is full has room again the next second; within half a minute a minute's peak is over, or it is no peak. */
const MAX_PUT_TRIES = 12;
const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;

/** Where a shard's reader stands: the iterator that follows record `after`. */
interface Position {
  readonly after: string;
  readonly iterator: string;
}

/**
 * Opens the stream; nothing is sent before the first call. Reads wait for their turn, so that polling in a loop keeps to
 * the service's limit. `trim` does nothing: Kinesis forgets by age.
 * Throws `throttled`, `unavailable`, `not_found` (stream or shard) or `config` (credentials, permissions).
 */
export function kinesisStream(options: KinesisStreamOptions): Stream & Required<Pick<Stream, "putMany">> {
  const { stream, minReadGapMs = MIN_READ_GAP_MS, wait = sleep, random = Math.random } = options;
  const client = options.client ?? new KinesisClient({ requestHandler: httpHandler() });
  const positions = new Map<string, Position>();
  const nextReadAt = new Map<string, number>();

  const fail = (operation: string, cause: unknown): never => {
    throw awsError(`Kinesis ${operation} on stream "${stream}"`, cause);
  };

  const takeTurn = async (shard: string): Promise<void> => {
    const now = performance.now();
    const at = Math.max(now, nextReadAt.get(shard) ?? 0);
    nextReadAt.set(shard, at + minReadGapMs);
    if (at > now) await sleep(at - now);
  };

  const iteratorAfter = async (shard: string, after: string): Promise<string> => {
    const start =
      after === ""
        ? ({ ShardIteratorType: "TRIM_HORIZON" } as const)
        : ({ ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: after } as const);
    const { ShardIterator } = await client
      .send(new GetShardIteratorCommand({ StreamName: stream, ShardId: shard, ...start }))
      .catch((error) => fail(`GetShardIterator of ${shard}`, error));
    return ShardIterator!;
  };

  const getRecords = async (
    shard: string,
    iterator: string,
    limit: number,
  ): Promise<GetRecordsCommandOutput> => {
    await takeTurn(shard);
    return client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limit }));
  };

  /** One PutRecords, and others for what it refused: an answer of 200 says of each record whether it is in. */
  const putBatch = async (records: readonly PutRecord[]): Promise<Placed[]> => {
    const placed: Placed[] = [];
    let left = records.map((record, index) => ({ record, index }));
    for (let tries = 1; ; tries++) {
      const answer = await client
        .send(
          new PutRecordsCommand({
            StreamName: stream,
            Records: left.map(({ record }) => ({ PartitionKey: record.partitionKey, Data: record.data })),
          }),
        )
        .catch((error: unknown) => {
          const cause = awsError(`Kinesis PutRecords on stream "${stream}"`, error);
          if (cause.code !== "throttled" || tries === MAX_PUT_TRIES) throw cause;
          return undefined;
        });
      const answers = answer?.Records;
      const refused = left.filter(({ index }, i) => {
        const { ShardId, SequenceNumber } = answers?.[i] ?? {};
        if (ShardId === undefined || SequenceNumber === undefined) return true;
        placed[index] = { shard: ShardId, sequence: SequenceNumber };
        return false;
      });
      if (refused.length === 0) return placed;
      if (tries === MAX_PUT_TRIES) {
        const codes = [...new Set(answers?.map(({ ErrorCode }) => ErrorCode).filter(Boolean))];
        const isFull = codes.includes("ProvisionedThroughputExceededException");
        throw new ClickstreamError(
          isFull ? "throttled" : "unavailable",
          `Kinesis PutRecords on stream "${stream}": ${refused.length} of ${records.length} records refused ${tries} times (${codes})`,
        );
      }
      left = refused;
      await wait(random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** tries));
    }
  };

  return {
    async putMany(records) {
      for (const record of records) checkRecord(record);
      const placed: Placed[] = [];
      for (const batch of batchesOf(records, sizeOf, PUT_LIMITS)) placed.push(...(await putBatch(batch)));
      return placed;
    },

    async put(record) {
      checkRecord(record);
      const { ShardId, SequenceNumber } = await client
        .send(
          new PutRecordCommand({ StreamName: stream, PartitionKey: record.partitionKey, Data: record.data }),
        )
        .catch((error) => fail("PutRecord", error));
      return { shard: ShardId!, sequence: SequenceNumber! };
    },

    async shards() {
      const listed: KinesisShard[] = [];
      let NextToken: string | undefined;
      do {
        // A page token already stands for the stream; naming both is an error.
        const page = await client
          .send(new ListShardsCommand(NextToken === undefined ? { StreamName: stream } : { NextToken }))
          .catch((error) => fail("ListShards", error));
        listed.push(...(page.Shards ?? []));
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      return parentsFirst(listed);
    },

    async read(shard, after, limit) {
      const Limit = Math.min(limit, MAX_READ_RECORDS);
      const known = positions.get(shard);
      // Whatever happens to this read, its iterator is spent.
      positions.delete(shard);
      const isCached = known?.after === after;
      const iterator = isCached ? known.iterator : await iteratorAfter(shard, after);
      const page = await getRecords(shard, iterator, Limit)
        .catch(async (error) => {
          // Iterators live for 5 minutes; a reader that was busy for longer asks again from the same record.
          if ((error as Error).name !== "ExpiredIteratorException") throw error;
          return getRecords(shard, await iteratorAfter(shard, after), Limit);
        })
        .catch((error) => fail(`GetRecords of ${shard}`, error));
      const records = (page.Records ?? []).map((record) => ({
        sequence: record.SequenceNumber!,
        partitionKey: record.PartitionKey!,
        arrivalAt: record.ApproximateArrivalTimestamp!.getTime(),
        data: record.Data!,
      }));
      // An empty page with an iterator is no end: Kinesis walks over gaps, and only the new iterator gets past them.
      const next = page.NextShardIterator ?? undefined;
      if (next !== undefined)
        positions.set(shard, { after: records.at(-1)?.sequence ?? after, iterator: next });
      // A page that is full by number or size says how far behind it is; some doubles say so of the size alone.
      const caughtUp = next === undefined || (page.MillisBehindLatest === 0 && records.length < Limit);
      return { records, atEnd: next === undefined, caughtUp };
    },

    async trim() {},

    async close() {
      if (options.client === undefined) client.destroy();
    },
  };
}

const PUT_LIMITS = { maxItems: MAX_PUT_RECORDS, maxBytes: MAX_PUT_BYTES };

const sizeOf = ({ data, partitionKey }: PutRecord): number => data.length + Buffer.byteLength(partitionKey);

/** Shards with those of their parents that are still listed, each behind its parents. */
export function parentsFirst(listed: readonly KinesisShard[]): Shard[] {
  const byId = new Map(listed.map((shard) => [shard.ShardId!, shard]));
  const ordered = new Map<string, Shard>();
  const visit = (shard: KinesisShard): void => {
    const id = shard.ShardId!;
    if (ordered.has(id)) return;
    const parents = [shard.ParentShardId, shard.AdjacentParentShardId].filter(
      (parent): parent is string => parent !== undefined && byId.has(parent),
    );
    for (const parent of parents) visit(byId.get(parent)!);
    const closed = shard.SequenceNumberRange?.EndingSequenceNumber !== undefined;
    ordered.set(id, { id, parents, closed });
  };
  for (const shard of listed) visit(shard);
  return [...ordered.values()];
}
