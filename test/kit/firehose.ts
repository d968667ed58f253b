/** Amazon Data Firehose as far as the archive uses it: an HTTP server that speaks PutRecordBatch, and refuses what it is told to. */
import { createServer } from "node:http";
import { listening } from "./listening.ts";

export interface FirehoseDouble {
  readonly endpoint: string;
  /** Data of each record taken, in order, by call: of each, the lines that the delivery stream takes it apart into. */
  readonly calls: readonly (readonly string[])[];
  /** The indexes of the next calls' records that are refused, a list a call. "outage" answers 503, "gone" 400. */
  refuse(...next: readonly (readonly number[] | "outage" | "gone")[]): void;
  close(): Promise<void>;
}

/** Limits of the service, https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html */
const MAX_RECORDS = 500;
const MAX_RECORD_BYTES = 1_000 * 1_024;
const MAX_BATCH_BYTES = 4 << 20;
/** Of a record, and no word of the others: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html */
const MAX_LINES = 500;

const takenApart = (record: Buffer): string => {
  const lines = record.toString().split("\n").slice(0, MAX_LINES);
  return lines.map((line) => line && `${line}\n`).join("");
};

/** Listens on 127.0.0.1 at a free port. */
export async function firehoseDouble(): Promise<FirehoseDouble> {
  const calls: string[][] = [];
  const refusals: (readonly number[] | "outage" | "gone")[] = [];
  const answer = (target: string | undefined, body: string): { status: number; json: unknown } => {
    const refusal = refusals.shift() ?? [];
    if (refusal === "outage") return { status: 503, json: { __type: "ServiceUnavailableException" } };
    if (refusal === "gone") return { status: 400, json: { __type: "ResourceNotFoundException" } };
    const request = JSON.parse(body) as { Records: { Data: string }[] };
    const data = request.Records.map(({ Data }) => Buffer.from(Data, "base64"));
    const total = data.reduce((sum, { length }) => sum + length, 0);
    const isValid =
      target === "Firehose_20150804.PutRecordBatch" &&
      data.length > 0 &&
      data.length <= MAX_RECORDS &&
      total <= MAX_BATCH_BYTES &&
      data.every(({ length }) => length <= MAX_RECORD_BYTES);
    if (!isValid) return { status: 400, json: { __type: "InvalidArgumentException" } };
    calls.push(data.filter((_, i) => !refusal.includes(i)).map(takenApart));
    return {
      status: 200,
      json: {
        FailedPutCount: refusal.length,
        RequestResponses: data.map((_, i) =>
          refusal.includes(i)
            ? { ErrorCode: "ServiceUnavailableException", ErrorMessage: "Slow down." }
            : { RecordId: `${calls.length}-${i}` },
        ),
      },
    };
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { status, json } = answer(
        String(request.headers["x-amz-target"]),
        Buffer.concat(chunks).toString(),
      );
      response.writeHead(status, { "Content-Type": "application/x-amz-json-1.1" }).end(JSON.stringify(json));
    });
  });
  const { origin: endpoint, close } = await listening(server);
  return { endpoint, calls, refuse: (...next) => void refusals.push(...next), close };
}
