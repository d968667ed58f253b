/** Lambda entry of the Kinesis consumer: one batch of one shard becomes commits. Bad input is counted in there; only outages throw. */
import type { KinesisStreamEvent } from "aws-lambda";
import { keyedHash, randomBytes } from "../crypto.ts";
import { ENV, latenessOf, requireEnv } from "../env.ts";
import { kinesisStream } from "../streams/kinesis.ts";
import { xrayTracer } from "../tracing.ts";
import { shardBatch } from "./batch.ts";
import { tellBatch } from "./metrics.ts";
import { clock, sitesRegistered, store } from "./services.ts";
import { shardWorkers } from "./workers.ts";

const stream = kinesisStream({ stream: requireEnv(process.env, ENV.stream) });

const tracer = xrayTracer({ name: "rivulet-aggregate" });
await tracer.ready(); // during the cold start, where the SDK's loading does not delay a batch

const workerOf = shardWorkers(
  {
    store,
    clock,
    hash: keyedHash,
    randomBytes,
    country: () => "", // it is in the envelope: CloudFront knows it before the address is hashed
    tracer,
    ...latenessOf(process.env),
  },
  stream,
);

export async function handler(event: KinesisStreamEvent): Promise<void> {
  const { shard, records } = shardBatch(event);
  await sitesRegistered();
  const worker = await workerOf(shard);
  const before = await worker.counters();
  const summary = await worker.process(records);
  const at = clock.now();
  const oldest = records[0]?.arrivalAt ?? at;
  tellBatch(before, await worker.counters(), summary, { at, delayMs: Math.max(0, at - oldest) });
}
