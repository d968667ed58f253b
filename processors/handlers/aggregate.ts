/** Lambda entry of the Kinesis consumer: one batch of one shard becomes commits. Bad input is counted in there; only outages throw. */
import type { KinesisStreamEvent } from "aws-lambda";
import { keyedHash, randomBytes } from "../crypto.ts";
import { latenessOf } from "../env.ts";
import { shardBatch } from "./batch.ts";
import { clicks } from "./clicks.ts";
import { consumerTracer } from "./clicktraces.ts";
import { country } from "./countries.ts";
import { tellBatch } from "./metrics.ts";
import { clock, sitesRegistered, store } from "./services.ts";
import { shardWorkers } from "./workers.ts";

const tracer = consumerTracer("rivulet-aggregate", "DynamoDB");

const workerOf = shardWorkers(
  {
    store,
    clock,
    hash: keyedHash,
    randomBytes,
    country,
    tracer,
    ...latenessOf(process.env),
  },
  clicks,
);

export async function handler(event: KinesisStreamEvent): Promise<void> {
  const { shard, records } = shardBatch(event);
  await sitesRegistered();
  const worker = await workerOf(shard);
  const before = await worker.counters();
  try {
    const summary = await worker.process(records);
    const at = clock.now();
    const oldest = records[0]?.arrivalAt ?? at;
    tellBatch(before, await worker.counters(), summary, { at, delayMs: Math.max(0, at - oldest) });
  } finally {
    await tracer.flushed();
  }
}
