/** Lambda entry of the Kinesis consumer: one batch of one shard becomes commits. Bad input is counted in there; only outages throw. */
import type { KinesisStreamEvent } from "aws-lambda";
import { keyedHash, randomBytes } from "../crypto.ts";
import { ENV, latenessOf, requireEnv } from "../env.ts";
import { type AggregateDeps, ShardWorker } from "../pipeline/aggregate.ts";
import { kinesisStream } from "../streams/kinesis.ts";
import { xrayTracer } from "../tracing.ts";
import { shardBatch } from "./batch.ts";
import { clock, sitesRegistered, store } from "./services.ts";

const stream = kinesisStream({ stream: requireEnv(process.env, ENV.stream) });

const tracer = xrayTracer({ name: "rivulet-aggregate" });
await tracer.ready(); // during the cold start, where the SDK's loading does not delay a batch

const deps: AggregateDeps = {
  store,
  clock,
  hash: keyedHash,
  randomBytes,
  country: () => "", // it is in the envelope: CloudFront knows it before the address is hashed
  tracer,
  ...latenessOf(process.env),
};

/** Workers by shard, the last used last: they hold their shard's visitors and skip reading them again. */
const workers = new Map<string, ShardWorker>();
const MAX_WORKERS = 4; // of up to 200,000 visitors each, in this function's memory

export async function handler(event: KinesisStreamEvent): Promise<void> {
  const { shard, records } = shardBatch(event);
  await sitesRegistered();
  const worker = workers.get(shard) ?? new ShardWorker(deps, { id: shard, parents: await parentsOf(shard) });
  workers.delete(shard);
  workers.set(shard, worker);
  if (workers.size > MAX_WORKERS) workers.delete(workers.keys().next().value!);
  await worker.process(records);
}

const parentsOf = async (id: string): Promise<readonly string[]> =>
  (await stream.shards()).find((shard) => shard.id === id)?.parents ?? [];
