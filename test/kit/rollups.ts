/** What a store holds of rollups, each whole wherever its tables lie: for tests to compare. */
import type { Rollup } from "../../processors/model/rollup.ts";
import {
  decodeItem,
  decodeTableItem,
  GRANULARITIES,
  type Granularity,
  isSameApplied,
  partition,
  tableKey,
} from "../../processors/pipeline/rollups.ts";
import type { Item, Store } from "../../processors/stores/store.ts";

/**
 * The rollup of an item with all its tables. Undefined for a day or month that waits to be derived, or is just being
 * derived again.
 */
export async function wholeRollup(
  store: Store,
  granularity: Granularity,
  space: string,
  item: Item,
): Promise<Rollup | undefined> {
  const { sk, rollup, applied, apart } = decodeItem(item);
  if (!rollup || !apart || (granularity !== "day" && granularity !== "month")) return rollup;
  for (const dimension of apart) {
    const one = await store.get(tableKey(granularity, space, sk, dimension));
    const known = one && decodeTableItem(one);
    if (!known || !isSameApplied(known.applied, applied)) return undefined;
    rollup.mergeTable(dimension, known.table);
  }
  return rollup;
}

/** Canonical bytes of a rollup, in hexadecimal. */
export const hexOf = (rollup: Rollup): string => Buffer.from(rollup.encode()).toString("hex");

/** All rollups of a site, or of an edition of it; those that wait to be derived are left out. */
export async function* rollupsIn(
  store: Store,
  space: string,
): AsyncGenerator<{ readonly granularity: Granularity; readonly sk: string; readonly rollup: Rollup }> {
  for (const granularity of GRANULARITIES)
    for (const item of await store.list(partition(granularity, space))) {
      const rollup = await wholeRollup(store, granularity, space, item);
      if (rollup) yield { granularity, sk: item.sk, rollup };
    }
}

/** Their bytes, by granularity and start. */
export async function rollupBytes(store: Store, space: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { granularity, sk, rollup } of rollupsIn(store, space))
    found.set(`${granularity} ${sk}`, hexOf(rollup));
  return found;
}
