/** Lambda entry of the Kinesis consumer: one batch of one shard becomes commits. Bad input is counted in there; only outages throw. */
import type { KinesisStreamEvent } from "aws-lambda";
import { keyedHash, randomBytes } from "../crypto.ts";
import { ENV, requireEnv } from "../env.ts";
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
  // The country is in the envelope: CloudFront knows it before the address is hashed.
  country: () => "",
  tracer,
};

/** Warm workers know their shard's last commit and skip reading it again. */
const workers = new Map<string, ShardWorker>();

export async function handler(event: KinesisStreamEvent): Promise<void> {
  const { shard, records } = shardBatch(event);
  await sitesRegistered();
  const worker = workers.get(shard) ?? new ShardWorker(deps, { id: shard, parents: await parentsOf(shard) });
  // A worker that failed may hold a state that never became durable: the retry starts from what the store says.
  workers.delete(shard);
  await worker.process(records);
  workers.set(shard, worker);
}

const parentsOf = async (id: string): Promise<readonly string[]> =>
  (await stream.shards()).find((shard) => shard.id === id)?.parents ?? [];
