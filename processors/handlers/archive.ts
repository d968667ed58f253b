/** Lambda entry of the stream's second consumer: one batch of one shard becomes rows of the archive. Only outages throw, and the batch comes again. */
import type { KinesisStreamEvent } from "aws-lambda";
import { firehoseArchive } from "../archives/firehose.ts";
import { keyedHash, randomBytes } from "../crypto.ts";
import { ENV, latenessOf, requireEnv } from "../env.ts";
import { archiveStore } from "../pipeline/archive.ts";
import { kinesisStream } from "../streams/kinesis.ts";
import { xrayTracer } from "../tracing.ts";
import { shardBatch } from "./batch.ts";
import { clock, sitesRegistered, store } from "./services.ts";
import { shardWorkers } from "./workers.ts";

const stream = kinesisStream({ stream: requireEnv(process.env, ENV.stream) });

const tracer = xrayTracer({ name: "rivulet-archive" });
await tracer.ready(); // during the cold start, where the SDK's loading does not delay a batch

const workerOf = shardWorkers(
  {
    store: archiveStore(store),
    clock,
    hash: keyedHash,
    randomBytes,
    country: () => "", // it is in the envelope, as for the first consumer
    tracer,
    archive: firehoseArchive({ deliveryStream: requireEnv(process.env, ENV.archive) }),
    countsNothing: true,
    ...latenessOf(process.env),
  },
  stream,
);

export async function handler(event: KinesisStreamEvent): Promise<void> {
  const { shard, records } = shardBatch(event);
  await sitesRegistered();
  await (await workerOf(shard)).process(records);
}
