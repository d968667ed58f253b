/** Lambda entry of the stream's second consumer: one batch of one shard becomes rows of the archive. Only outages throw, and the batch comes again. */
import type { KinesisStreamEvent } from "aws-lambda";
import { importsApart } from "../archives/importsapart.ts";
import { keyedHash, randomBytes } from "../crypto.ts";
import { ENV, latenessOf, requireEnv } from "../env.ts";
import { archiveStore } from "../pipeline/archive.ts";
import { shardBatch } from "./batch.ts";
import { clicks } from "./clicks.ts";
import { consumerTracer } from "./clicktraces.ts";
import { country } from "./countries.ts";
import { lazy } from "./lazy.ts";
import { clock, sitesRegistered, store } from "./services.ts";
import { shardWorkers } from "./workers.ts";

const deliveryStream = requireEnv(process.env, ENV.archive);
const bucket = requireEnv(process.env, ENV.archiveBucket);
const tracer = consumerTracer("rivulet-archive");

const workerOf = shardWorkers(
  {
    store: archiveStore(store),
    clock,
    hash: keyedHash,
    randomBytes,
    country,
    tracer,
    archive: importsApart(
      lazy(async () => {
        const { firehoseArchive } = await import("../archives/firehose.ts");
        return firehoseArchive({ deliveryStream });
      }),
      lazy(async () => {
        const { bucketObjects } = await import("../archives/bucket.ts");
        const { bucketArchive } = await import("../archives/bucketarchive.ts");
        return bucketArchive(bucketObjects({ bucket }));
      }),
    ),
    countsNothing: true,
    ...latenessOf(process.env),
  },
  clicks,
);

export async function handler(event: KinesisStreamEvent): Promise<void> {
  const { shard, records } = shardBatch(event);
  await sitesRegistered();
  const worker = await workerOf(shard);
  await worker.process(records).finally(tracer.flushed);
}
