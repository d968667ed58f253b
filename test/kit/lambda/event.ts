/** Records in the form in which Lambda hands a Kinesis batch to a function. */
import type { KinesisStreamEvent, KinesisStreamRecord } from "aws-lambda";
import type { StreamRecord } from "../../../processors/streams/stream.ts";

/** Lambda never sends more than this: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024;

const ENVELOPE_BYTES = JSON.stringify({ Records: [] }).length;

export interface EventSource {
  readonly streamArn: string;
  readonly roleArn: string;
}

/** Region of an ARN: its fourth part. */
const regionOf = (arn: string): string => arn.split(":")[3] ?? "";

function lambdaRecord(
  shard: string,
  record: StreamRecord,
  { streamArn, roleArn }: EventSource,
): KinesisStreamRecord {
  return {
    kinesis: {
      kinesisSchemaVersion: "1.0",
      partitionKey: record.partitionKey,
      sequenceNumber: record.sequence,
      data: Buffer.from(record.data).toString("base64"),
      approximateArrivalTimestamp: record.arrivalAt / 1_000,
    },
    eventSource: "aws:kinesis",
    eventVersion: "1.0",
    eventID: `${shard}:${record.sequence}`,
    eventName: "aws:kinesis:record",
    invokeIdentityArn: roleArn,
    awsRegion: regionOf(streamArn),
    eventSourceARN: streamArn,
  };
}

export const lambdaEvent = (
  shard: string,
  records: readonly StreamRecord[],
  source: EventSource,
): KinesisStreamEvent => ({ Records: records.map((record) => lambdaRecord(shard, record, source)) });

/** How many of the first records fit one invocation; at least one, since Lambda cannot skip. */
export function fitting(shard: string, records: readonly StreamRecord[], source: EventSource): number {
  let bytes = ENVELOPE_BYTES;
  for (const [count, record] of records.entries()) {
    bytes += Buffer.byteLength(JSON.stringify(lambdaRecord(shard, record, source))) + 1;
    if (bytes > MAX_PAYLOAD_BYTES) return Math.max(1, count);
  }
  return records.length;
}
