/**
 * The archive behind Amazon Data Firehose: rows as lines of JSON, many to a record, because Firehose bills each record in
 * steps of 5 KB. The delivery stream takes the lines apart again, makes Parquet of them and sorts them by site and hour.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FirehoseClient, PutRecordBatchCommand } from "@aws-sdk/client-firehose";
import { awsError, batchesOf, httpHandler } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { ARCHIVE_COLUMNS, type ArchiveRow } from "../model/archive.ts";
import type { Archive } from "./archive.ts";

export interface FirehoseArchiveOptions {
  readonly deliveryStream: string;
  /** Default: one made from the usual AWS_* variables. A client that is given is not closed. */
  readonly client?: FirehoseClient;
  /** Between tries; tests count the waits instead. */
  readonly wait?: (ms: number) => Promise<unknown>;
  /** 0 to 1, for the jitter. */
  readonly random?: () => number;
}

/** PutRecordBatch takes 500 records and 4 MiB, a record 1,000 KiB; a row is at most some tens of KB. */
const BATCH = { maxItems: 500, maxBytes: 4 << 20 };
/**
 * Rows as lines. Of one record the delivery stream takes no more than 500 out, and says nothing of the others.
 * https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
 */
const RECORD = { maxItems: 500, maxBytes: 512 << 10 };
const MAX_TRIES = 6;
const FIRST_WAIT_MS = 100;

export function firehoseArchive(options: FirehoseArchiveOptions): Archive {
  const { deliveryStream, wait = sleep, random = Math.random } = options;
  const client = options.client ?? new FirehoseClient({ requestHandler: httpHandler() });

  /** Sends records; those that failed alone go again, after a wait that grows. */
  const send = async (records: readonly Uint8Array[]): Promise<void> => {
    let left = records;
    for (let tries = 1; ; tries++) {
      const { FailedPutCount = 0, RequestResponses = [] } = await client
        .send(
          new PutRecordBatchCommand({
            DeliveryStreamName: deliveryStream,
            Records: left.map((Data) => ({ Data })),
          }),
        )
        .catch((error: unknown) => {
          throw awsError(`Firehose PutRecordBatch to "${deliveryStream}"`, error);
        });
      if (FailedPutCount === 0) return;
      const failed = RequestResponses.map(({ ErrorCode }) => ErrorCode);
      left = left.filter((_, i) => failed[i] !== undefined);
      if (tries === MAX_TRIES) {
        const code = failed.some((name) => name === "ServiceUnavailableException")
          ? "throttled"
          : "unavailable";
        throw new ClickstreamError(
          code,
          `Firehose PutRecordBatch to "${deliveryStream}": ${left.length} of ${records.length} records refused ${tries} times (${[...new Set(failed)].filter(Boolean)})`,
        );
      }
      await wait(random() * FIRST_WAIT_MS * 2 ** tries);
    }
  };

  return {
    async write(rows) {
      for (const batch of batchesOf(packed(rows), ({ length }) => length, BATCH)) await send(batch);
    },
    async close() {
      if (options.client === undefined) client.destroy();
    },
  };
}

/** Rows as lines, as many in a record as come out of it again. */
function* packed(rows: Iterable<ArchiveRow>): Generator<Uint8Array> {
  for (const lines of batchesOf(linesOf(rows), Buffer.byteLength, RECORD)) yield Buffer.from(lines.join(""));
}

function* linesOf(rows: Iterable<ArchiveRow>): Generator<string> {
  for (const row of rows) yield `${JSON.stringify(jsonOf(row))}\n`;
}

/** What is null is left out; Glue reads a missing column as null. */
function jsonOf(row: ArchiveRow): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { name, type } of ARCHIVE_COLUMNS) {
    const value = row[name];
    if (value !== null) json[name] = type === "map" ? Object.fromEntries(row.props) : value;
  }
  return json;
}
