/**
 * Lambda entry of imports: messages of the queue become records on the stream. What fails comes back, and in the end goes
 * to the dead-letter queue; what the time did not suffice for is told of again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { ENV, requireEnv } from "../env.ts";
import { s3Client, s3Objects } from "../imports/s3.ts";
import { snsTopic } from "../imports/topic.ts";
import { noticesOf } from "../pipeline/import/notices.ts";
import { kinesisStream } from "../streams/kinesis.ts";
import { importObject, type ObjectImportDeps } from "./importing.ts";
import { clock, sitesRegistered, store } from "./services.ts";

const client = s3Client();

const deps: ObjectImportDeps = {
  store,
  clock,
  stream: kinesisStream({ stream: requireEnv(process.env, ENV.stream) }),
  objects: (bucket) => s3Objects({ bucket, client }),
  tellAgain: snsTopic(requireEnv(process.env, ENV.importTopic)),
  sleep,
  log: (line) => console.log(line),
};

/** A chunk of half a MiB is on the stream within seconds, also when a shard is full for a while. */
const SPARE_MS = 60_000;

export async function handler(
  event: SQSEvent,
  context: Pick<Context, "getRemainingTimeInMillis">,
): Promise<SQSBatchResponse> {
  await sitesRegistered();
  const goneAt = clock.now() + context.getRemainingTimeInMillis();
  const failures: SQSBatchResponse["batchItemFailures"] = [];
  for (const { messageId, body, attributes } of event.Records) {
    let what = "a message";
    try {
      for (const notice of noticesOf(body)) {
        what = `s3://${notice.bucket}/${notice.key}`;
        await importObject(deps, notice, { goneAt, stopAt: goneAt - SPARE_MS });
      }
    } catch (error) {
      const count = attributes.ApproximateReceiveCount;
      console.error(`${what} stays in the queue (message ${messageId}, received ${count} times): ${error}`);
      failures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures: failures };
}
