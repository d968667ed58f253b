/**
 * The archive behind Amazon Data Firehose: rows as lines of JSON, many to a record, because Firehose bills each record in
 * steps of 5 KB. The delivery stream takes the lines apart again, makes Parquet of them and sorts them by site and hour.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FirehoseClient, PutRecordBatchCommand } from "@aws-sdk/client-firehose";
import { awsError, httpHandler } from "../aws.ts";
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
const MAX_RECORDS = 500;
const MAX_BATCH_BYTES = 4 << 20;
const MAX_RECORD_BYTES = 512 << 10;
/**
 * Of one record the delivery stream takes no more rows out, and says nothing of the others.
 * https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
 */
const MAX_RECORD_ROWS = 500;
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
      for (const batch of batches(packed(rows))) await send(batch);
    },
    async close() {
      if (options.client === undefined) client.destroy();
    },
  };
}

/** Rows as lines, as many in a record as come out of it again. */
function* packed(rows: Iterable<ArchiveRow>): Generator<Uint8Array> {
  let lines: string[] = [];
  let bytes = 0;
  for (const row of rows) {
    const line = `${JSON.stringify(jsonOf(row))}\n`;
    const length = Buffer.byteLength(line);
    if (lines.length > 0 && (bytes + length > MAX_RECORD_BYTES || lines.length === MAX_RECORD_ROWS)) {
      yield Buffer.from(lines.join(""));
      lines = [];
      bytes = 0;
    }
    lines.push(line);
    bytes += length;
  }
  if (lines.length > 0) yield Buffer.from(lines.join(""));
}

function* batches(records: Iterable<Uint8Array>): Generator<Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records) {
    if (batch.length === MAX_RECORDS || bytes + record.length > MAX_BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += record.length;
  }
  if (batch.length > 0) yield batch;
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
