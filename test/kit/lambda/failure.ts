/**
 * What Lambda leaves in the S3 destination of a batch that it gave up: name and content of the object, as documented in
 * https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 */
import type { KinesisStreamEvent } from "aws-lambda";
import type { EpochMs } from "../../../processors/model/time.ts";
import type { StreamRecord } from "../../../processors/streams/stream.ts";

export type GivenUpBecause = "RetryAttemptsExhausted" | "RecordAgeExceeded";

export interface GivenUp {
  readonly at: EpochMs;
  readonly condition: GivenUpBecause;
  readonly shard: string;
  readonly records: readonly StreamRecord[];
  /** What the function was given. */
  readonly event: KinesisStreamEvent;
  /** Zero for records that were too old before the first try. */
  readonly invocations: number;
  /** Whether the last try threw; otherwise it named the records that failed. */
  readonly threw: boolean;
}

export interface MappingIdentity {
  readonly uuid: string;
  readonly functionArn: string;
  readonly streamArn: string;
}

/** The two operations that Lambda uses on the bucket of an on-failure destination. */
export interface Bucket {
  put(key: string, body: string): Promise<void>;
}

/** Key of the object: it sorts by mapping, shard and time. `id` makes it unique. */
export function failureKey({ uuid }: MappingIdentity, { at, shard }: GivenUp, id: string): string {
  const [date = "", time = ""] = new Date(at).toISOString().split("T");
  const [year, month, day] = date.split("-");
  return `aws/lambda/${uuid}/${shard}/${year}/${month}/${day}/${date}T${time.slice(0, 8).replaceAll(":", ".")}-${id}`;
}

/**
 * Content of the object. AWS documents the payload as text; recordings of the service show it as an object. `payload`
 * chooses, so that a reader can be held to both.
 */
export function failureBody(
  { functionArn, streamArn }: MappingIdentity,
  failure: GivenUp,
  requestId: string,
  payload: "object" | "text",
): string {
  const { condition, records, invocations, event } = failure;
  const first = records[0]!;
  const last = records.at(-1)!;
  const iso = (at: EpochMs): string => new Date(at).toISOString();
  return JSON.stringify({
    requestContext: {
      requestId,
      functionArn: `${functionArn}:$LATEST`,
      condition,
      approximateInvokeCount: invocations,
    },
    // Of records that expired there is no answer to tell of.
    ...(condition === "RecordAgeExceeded"
      ? {}
      : {
          responseContext: {
            statusCode: 200,
            executedVersion: "$LATEST",
            functionError: failure.threw ? "Unhandled" : null,
          },
        }),
    version: "1.0",
    timestamp: iso(failure.at),
    KinesisBatchInfo: {
      shardId: failure.shard,
      startSequenceNumber: first.sequence,
      endSequenceNumber: last.sequence,
      approximateArrivalOfFirstRecord: iso(first.arrivalAt),
      approximateArrivalOfLastRecord: iso(last.arrivalAt),
      batchSize: records.length,
      streamArn,
    },
    payload: payload === "text" ? JSON.stringify(event) : event,
  });
}
