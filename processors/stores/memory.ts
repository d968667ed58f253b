/** The store in plain memory: for tests, replays and as the shortest statement of what the port means. Keeps nothing. */
import type { Clock } from "../model/time.ts";
import { checkKey } from "./keys.ts";
import { compareSortKeys, type Item, type ItemKey, type Store } from "./store.ts";

/** After this many puts, expired items are dropped for real. */
const PUTS_PER_SWEEP = 1_000;

interface Partition {
  /** Sort keys in byte order. */
  readonly order: string[];
  readonly items: Map<string, Item>;
}

/** A store that forgets everything when the process ends. Values are copied in and out, as by a real service. */
export function memoryStore({ clock }: { clock: Clock }): Store {
  const partitions = new Map<string, Partition>();
  let putsSinceSweep = 0;

  const isLive = (item: Item | undefined): item is Item =>
    item !== undefined && (item.expiresAt === undefined || item.expiresAt > clock.now());
  const find = ({ pk, sk }: ItemKey): Item | undefined => partitions.get(pk)?.items.get(sk);
  const read = (item: Item | undefined): Item | undefined =>
    isLive(item) ? { ...item, value: item.value.slice() } : undefined;

  const remove = ({ pk, sk }: ItemKey): void => {
    const partition = partitions.get(pk);
    if (partition === undefined || !partition.items.delete(sk)) return;
    partition.order.splice(position(partition.order, sk), 1);
    if (partition.order.length === 0) partitions.delete(pk);
  };
  const sweep = (): void => {
    putsSinceSweep = 0;
    for (const { items } of [...partitions.values()])
      for (const item of [...items.values()]) if (!isLive(item)) remove(item);
  };

  return {
    get: async (key) => read(find(key)),
    getMany: async (keys) => keys.map((key) => read(find(key))),
    async list(pk, { from, to, limit = Number.POSITIVE_INFINITY, reverse = false } = {}) {
      const partition = partitions.get(pk);
      if (partition === undefined) return [];
      const { order, items } = partition;
      const start = from === undefined ? 0 : position(order, from);
      const end = to === undefined ? order.length : position(order, to);
      const found: Item[] = [];
      for (let i = 0; i < end - start && found.length < limit; i++) {
        const item = read(items.get(order[reverse ? end - 1 - i : start + i]!));
        if (item !== undefined) found.push(item);
      }
      return found;
    },
    async put({ pk, sk, value, expiresAt }, expected) {
      checkKey({ pk, sk });
      const old = find({ pk, sk });
      if ((isLive(old) ? old.version : 0) !== expected) return false;
      const partition = partitions.get(pk) ?? { order: [], items: new Map() };
      partitions.set(pk, partition);
      if (old === undefined) partition.order.splice(position(partition.order, sk), 0, sk);
      const item = { pk, sk, version: (old?.version ?? 0) + 1, value: value.slice() };
      partition.items.set(sk, expiresAt === undefined ? item : { ...item, expiresAt });
      if (++putsSinceSweep >= PUTS_PER_SWEEP) sweep();
      return true;
    },
    async delete(keys) {
      for (const key of keys) remove(key);
    },
    async close() {},
  };
}

/** Index of the first key that is not below `sk`. */
function position(order: readonly string[], sk: string): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareSortKeys(order[middle]!, sk) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
