/** Turns the event that Lambda makes of a Kinesis batch into the stream port's records. Knows no store and no stream. */
import type { KinesisStreamEvent } from "aws-lambda";
import { invariant } from "../errors.ts";
import { SECOND_MS } from "../model/time.ts";
import type { StreamRecord } from "../streams/stream.ts";

/** The shard a batch came from and its records in order. Throws `invariant` on an empty batch or one of two shards. */
export function shardBatch(event: KinesisStreamEvent): { shard: string; records: StreamRecord[] } {
  const shards = new Set(event.Records.map(({ eventID }) => eventID.slice(0, eventID.indexOf(":"))));
  // Lambda never mixes shards; if it did, one checkpoint could not cover the batch.
  invariant(shards.size === 1, () => `a batch has one shard, this one has ${shards.size}: ${[...shards]}`);
  const records = event.Records.map(({ kinesis }) => ({
    sequence: kinesis.sequenceNumber,
    partitionKey: kinesis.partitionKey,
    // A float of seconds: 1545084650.987 * 1000 is not whole in binary.
    arrivalAt: Math.round(kinesis.approximateArrivalTimestamp * SECOND_MS),
    data: Buffer.from(kinesis.data, "base64"),
  }));
  return { shard: [...shards].join(), records };
}
