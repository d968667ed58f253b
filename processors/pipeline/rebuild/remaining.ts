/** What an erasure leaves counted: hours that no rebuild makes again, because the archive does not tell all of them. Changes nothing. */
import { EXIT_PAGE } from "../../model/dimensions.ts";
import { isDeferred, type Rollup } from "../../model/rollup.ts";
import type { EpochMs } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import type { Erased } from "../erasure.ts";
import { rollupsIn } from "../folding.ts";
import { instantKey, partition } from "../rollups.ts";
import { keysOf } from "./edition.ts";

const PAGE_TABLES = ["event:page", "visit:entry_page", EXIT_PAGE];

/** Whose rows go, and the hours that they are of. */
export interface Gone {
  readonly erased: Erased;
  readonly hours: ReadonlySet<EpochMs>;
}

/** Whether an hour as it stands in an edition counts it. A page stands there by its name; of a visitor only rows tell. */
export async function countsErased(
  store: Store,
  space: string,
  hour: EpochMs,
  { erased, hours }: Gone,
): Promise<boolean> {
  if (hours.has(hour)) return true;
  if (!("page" in erased)) return false;
  const rollups = await rollupsIn(store, { pk: partition("hour", space), sk: instantKey(hour) });
  return rollups.some((rollup) => PAGE_TABLES.some((table) => hasRow(rollup, table, erased.page)));
}

/** Hours of an edition that count it, those that `isLookedAt`. */
export async function hoursWithErased(
  store: Store,
  space: string,
  gone: Gone,
  isLookedAt: (hour: EpochMs) => boolean = () => true,
): Promise<EpochMs[]> {
  const found: EpochMs[] = [];
  for await (const sk of keysOf(store, partition("hour", space))) {
    const hour = Number(sk);
    if (isLookedAt(hour) && (await countsErased(store, space, hour, gone))) found.push(hour);
  }
  return found;
}

function hasRow(rollup: Rollup, dimension: string, value: string): boolean {
  const table = rollup.readTable(dimension);
  return isDeferred(table) ? table.values.includes(value) : table?.has(value) === true;
}
