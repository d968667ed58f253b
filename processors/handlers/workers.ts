/** The workers that a container keeps between invocations: they hold their shard's visitors and skip reading them again. */
import { type AggregateDeps, ShardWorker } from "../pipeline/aggregate.ts";
import type { Stream } from "../streams/stream.ts";

const MAX_WORKERS = 4; // of up to 200,000 visitors each, in the function's memory

/** Gives the worker of a shard, the one of last time if it is still kept; the least recently used goes first. */
export function shardWorkers(
  deps: AggregateDeps,
  stream: Pick<Stream, "shards">,
): (shard: string) => Promise<ShardWorker> {
  const workers = new Map<string, ShardWorker>();
  const parentsOf = async (id: string): Promise<readonly string[]> =>
    (await stream.shards()).find((shard) => shard.id === id)?.parents ?? [];
  return async (shard) => {
    const worker =
      workers.get(shard) ?? new ShardWorker(deps, { id: shard, parents: await parentsOf(shard) });
    workers.delete(shard);
    workers.set(shard, worker);
    if (workers.size > MAX_WORKERS) workers.delete(workers.keys().next().value!);
    return worker;
  };
}
