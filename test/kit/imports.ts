/**
 * What stands between a bucket and the function that imports its files: S3, SNS and SQS in this process, S3's notification
 * (which the double does not send) and Lambda's polling of a queue.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { buildApp } from "fauxqs";
import { localClient } from "../conformance/doubles.ts";

export type QueueHandler = (
  event: SQSEvent,
  context: Pick<Context, "getRemainingTimeInMillis">,
) => Promise<SQSBatchResponse>;

export interface ImportsOptions {
  /** S3 tells of objects whose keys begin so. */
  readonly prefix: string;
  readonly maxReceiveCount: number;
  /** Visibility, waiting time and the like. */
  readonly queueAttributes: Readonly<Record<string, string>>;
}

export interface Imports {
  readonly endpoint: string;
  readonly bucket: string;
  readonly topic: string;
  readonly s3: S3Client;
  drop(key: string, body: string | Uint8Array): Promise<void>;
  /** What S3 sends: notifications as it encodes them, tests, and what others write. */
  publish(message: string): Promise<void>;
  /** S3's notification of an object that is there. */
  notify(key: string): Promise<void>;
  keys(prefix: string): Promise<string[]>;
  text(key: string): Promise<string>;
  /**
   * Hands over what is in the queue, message by message, as the event source does, until `invocations` are made or the
   * queue is empty; what failed is visible again at once, as if its time had passed. Answers how many were made.
   */
  deliver(handler: QueueHandler, options?: { invocations?: number; remainingMs?: number }): Promise<number>;
  /** Bodies in the dead-letter queue. */
  dead(): Promise<string[]>;
  /** What `aws sqs start-message-move-task` does, which the double lacks. */
  redrive(): Promise<void>;
  close(): Promise<void>;
}

const BUCKET = "rivulet-files";

export async function startImports({
  prefix,
  maxReceiveCount,
  queueAttributes,
}: ImportsOptions): Promise<Imports> {
  const app = buildApp({ logger: false });
  const waiting = new Set<Promise<unknown>>();
  app.addHook("onResponse", async ({ method, url }, { statusCode }) => {
    const [path = "", query] = url.split("?");
    const key = decodeURIComponent(path.slice(`/${BUCKET}/`.length));
    const isObject = path.startsWith(`/${BUCKET}/`) && (query === undefined || query.startsWith("x-id="));
    if (method !== "PUT" || statusCode !== 200 || !isObject || !key.startsWith(prefix)) return;
    const told = notify(key);
    waiting.add(told);
    await told;
    waiting.delete(told);
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const address = app.server.address();
  if (typeof address !== "object" || address === null) throw new Error("the double listens to nothing");
  const endpoint = `http://127.0.0.1:${address.port}`;
  const s3 = new S3Client({ ...localClient(endpoint), forcePathStyle: true });
  const sns = new SNSClient(localClient(endpoint));
  const sqs = new SQSClient(localClient(endpoint));

  const queueNamed = async (QueueName: string, Attributes: Record<string, string>) => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
    return { url: QueueUrl!, arn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}` };
  };
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const dead = await queueNamed("dead", {});
  const queue = await queueNamed("queue", {
    ...queueAttributes,
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount }),
  });
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "imports" }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: queue.arn }));

  const publish = async (Message: string): Promise<void> => {
    await sns.send(new PublishCommand({ TopicArn, Message }));
  };
  /** As S3 writes it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
  const notify = (key: string): Promise<void> => {
    const encoded = key
      .split("/")
      .map((part) => encodeURIComponent(part).replaceAll("%20", "+"))
      .join("/");
    const record = {
      eventVersion: "2.1",
      eventSource: "aws:s3",
      awsRegion: "us-east-1",
      eventTime: "2026-03-12T00:00:00.000Z",
      eventName: "ObjectCreated:Put",
      s3: {
        s3SchemaVersion: "1.0",
        bucket: { name: BUCKET, arn: `arn:aws:s3:::${BUCKET}` },
        object: { key: encoded, size: 1, eTag: "e", sequencer: "0A1B2C3D4E5F678901" },
      },
    };
    return publish(JSON.stringify({ Records: [record] }));
  };
  const receive = async (QueueUrl: string, VisibilityTimeout?: number): Promise<Message | undefined> => {
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 1,
        WaitTimeSeconds: 0,
        MessageSystemAttributeNames: ["ApproximateReceiveCount"],
        ...(VisibilityTimeout === undefined ? {} : { VisibilityTimeout }),
      }),
    );
    return Messages?.[0];
  };
  const forget = ({ ReceiptHandle }: Message, QueueUrl: string) =>
    sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));

  return {
    endpoint,
    bucket: BUCKET,
    topic: TopicArn!,
    s3,
    publish,
    notify,
    async drop(Key, body) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Buffer.from(body) }));
      // The hook begins a moment after the client has its answer.
      await sleep(5);
      await Promise.all(waiting);
    },
    async keys(Prefix) {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix }));
      return Contents.map(({ Key }) => Key!).toSorted();
    },
    async text(Key) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      return Body!.transformToString();
    },
    async deliver(handler, { invocations = 50, remainingMs = 300_000 } = {}) {
      for (let made = 0; made < invocations; made++) {
        const message = await receive(queue.url);
        if (!message) return made;
        const { batchItemFailures } = await handler(
          {
            Records: [
              {
                messageId: message.MessageId!,
                receiptHandle: message.ReceiptHandle!,
                body: message.Body!,
                attributes: {
                  ApproximateReceiveCount: message.Attributes?.ApproximateReceiveCount ?? "1",
                  SentTimestamp: "0",
                  SenderId: "s",
                  ApproximateFirstReceiveTimestamp: "0",
                },
                messageAttributes: {},
                md5OfBody: message.MD5OfBody ?? "",
                eventSource: "aws:sqs",
                eventSourceARN: queue.arn,
                awsRegion: "us-east-1",
              },
            ],
          },
          { getRemainingTimeInMillis: () => remainingMs },
        );
        if (batchItemFailures.some(({ itemIdentifier }) => itemIdentifier === message.MessageId))
          await sqs.send(
            new ChangeMessageVisibilityCommand({
              QueueUrl: queue.url,
              ReceiptHandle: message.ReceiptHandle,
              VisibilityTimeout: 0,
            }),
          );
        else await forget(message, queue.url);
      }
      return invocations;
    },
    async dead() {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: dead.url, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
      );
      return Messages.map(({ Body }) => Body!);
    },
    async redrive() {
      for (let message = await receive(dead.url); message; message = await receive(dead.url)) {
        await sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: message.Body }));
        await forget(message, dead.url);
      }
    },
    async close() {
      for (const client of [s3, sns, sqs]) client.destroy();
      await app.close();
    },
  };
}
