/**
 * Lambda entry of imports: messages of the queue become records on the stream. What fails comes back, and in the end goes
 * to the dead-letter queue; what the time did not suffice for is told of again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { ENV, requireEnv } from "../env.ts";
import { noticesOf, type ObjectNotice } from "../pipeline/import/notices.ts";
import { clicks } from "./clicks.ts";
import type { ObjectImportDeps, TimeLimit } from "./importing.ts";
import { clock, sitesRegistered, store } from "./services.ts";

const topic = requireEnv(process.env, ENV.importTopic);

/** What an import takes, read when there is one. */
async function importer(): Promise<(...args: [ObjectNotice, TimeLimit]) => Promise<void>> {
  const { s3Client, s3Objects } = await import("../imports/s3.ts");
  const { importObject } = await import("./importing.ts");
  const client = s3Client();
  const deps: ObjectImportDeps = {
    store,
    clock,
    stream: clicks,
    objects: (bucket) => s3Objects({ bucket, client }),
    tellAgain: async (text) => {
      const { snsTopic } = await import("../imports/topic.ts");
      await snsTopic(topic)(text);
    },
    sleep,
    log: (line) => console.log(line),
  };
  return (notice, limit) => importObject(deps, notice, limit);
}
let importing: ReturnType<typeof importer> | undefined;

/** A chunk of half a MiB is on the stream within seconds, also when a shard is full for a while. */
const SPARE_MS = 60_000;

export async function handler(
  event: SQSEvent,
  context: Pick<Context, "getRemainingTimeInMillis">,
): Promise<SQSBatchResponse> {
  await sitesRegistered();
  importing ??= importer();
  const importObject = await importing;
  const goneAt = clock.now() + context.getRemainingTimeInMillis();
  const failures: SQSBatchResponse["batchItemFailures"] = [];
  for (const { messageId, body, attributes } of event.Records) {
    let what = "a message";
    try {
      for (const notice of noticesOf(body)) {
        what = `s3://${notice.bucket}/${notice.key}`;
        await importObject(notice, { goneAt, stopAt: goneAt - SPARE_MS });
      }
    } catch (error) {
      const count = attributes.ApproximateReceiveCount;
      console.error(`${what} stays in the queue (message ${messageId}, received ${count} times): ${error}`);
      failures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures: failures };
}
