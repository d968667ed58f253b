/** The workers that a container keeps between invocations: they hold their shard's visitors and skip reading them again. */
import { type AggregateDeps, ShardWorker } from "../pipeline/aggregate.ts";
import { listShards } from "../pipeline/commit.ts";
import type { Stream } from "../streams/stream.ts";

const MAX_WORKERS = 4; // of up to 200,000 visitors each, in the function's memory

/** Gives the worker of a shard, the one of last time if it is still kept; the least recently used goes first. */
export function shardWorkers(
  deps: AggregateDeps,
  stream: Pick<Stream, "shards">,
): (shard: string) => Promise<ShardWorker> {
  const workers = new Map<string, ShardWorker>();
  // The log knows a shard that has begun; only a new one is asked of the stream.
  const parentsOf = async (id: string): Promise<readonly string[]> => {
    const isIt = (shard: { readonly id: string }): boolean => shard.id === id;
    const known = (await listShards(deps.store)).find(isIt) ?? (await stream.shards()).find(isIt);
    return known?.parents ?? [];
  };
  return async (shard) => {
    const worker =
      workers.get(shard) ?? new ShardWorker(deps, { id: shard, parents: await parentsOf(shard) });
    workers.delete(shard);
    workers.set(shard, worker);
    if (workers.size > MAX_WORKERS) workers.delete(workers.keys().next().value!);
    return worker;
  };
}
