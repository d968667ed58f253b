/**
 * Days derived from finished hours, and months from finished days, a table at a time. When something changes later, the
 * day and its month are marked stale first, and readers use the hours until they are derived again.
 */

import { MAX_ROWS } from "../model/bounds.ts";
import { writeTableApart } from "../model/columns.ts";
import { PROPS_PREFIX } from "../model/dimensions.ts";
import { bound } from "../model/overflow.ts";
import { type DeferredTable, MAX_PROPS_TABLES, Rollup, type Table } from "../model/rollup.ts";
import { type Clock, type EpochMs, SECOND_MS } from "../model/time.ts";
import { ByteWriter } from "../sketches/bytes.ts";
import type { Store } from "../stores/store.ts";
import { hoursNeededFrom } from "./expiry.ts";
import { LEVELS, type Level, spanOf } from "./periods.ts";
import { atOnce, inPortions } from "./portions.ts";
import {
  type Applied,
  decodeItem,
  decodeTableItem,
  encodeItem,
  encodeTableItem,
  instantKey,
  isSameApplied,
  partition,
  tableKey,
} from "./rollups.ts";
import type { Site } from "./sites.ts";
import { announce, waiting, withdraw } from "./stale.ts";

// A derived item is usable when it is not stale and holds no commit that the reader's cursor does not cover: then it
// holds all commits up to the cursor. Folding writes hours first, then marks stale their days that were announced as
// derived, then the months of these, and only then moves the cursor. Deriving announces first, looks at the versions of
// what it will write, and reads the hours or days afterwards. So of two that meet, either the one who derives sees the
// change, or the one who made it sees the announcement, or the put fails. No clock has a say in it.
//
// Tables are put before the item that says which there are, each under the version that it had before the hours were
// read. So an item that is not stale has the tables of its own derivation or of a later one, and of an earlier one never.

export interface DeriveDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Lets others have their turn: deriving a day of a busy site takes a second of the processor, a month several. */
  readonly pause?: (() => Promise<unknown>) | undefined;
}

/** Where rollups are, each with its site. */
export type Spaces = ReadonlyMap<string, Pick<Site, "timeZone" | "keep">>;

/** One run's share; what is left waits for the next. */
const RUN_MS = 5 * SECOND_MS;
/** An import may bring years at once: their days share the store's syncs, and few are in memory together. */
const PERIODS_AT_ONCE = 16;

/**
 * Derives the days and months that are over, and those marked stale, but not `busy` ones, which stay stale. Answers how
 * many were written, and whether some are left that could have been. Safe to run by several at once and to abandon anywhere.
 */
export async function derive(
  deps: DeriveDeps,
  spaces: Spaces,
  busy: ReadonlySet<string> = new Set(),
): Promise<{ written: number; more: boolean }> {
  const { store, clock } = deps;
  const until = clock.now() + RUN_MS;
  let written = 0;
  let isMore = false;
  for (const level of LEVELS) {
    const announced = new Map<string, string>();
    for (const [space, { timeZone }] of spaces)
      announced.set(space, await announce(store, clock, level, space, timeZone));
    const notes = await waiting(store);
    const own = notes.filter(({ period }) => period.length === level.nameLength);
    await inPortions(own, atOnce(own.length, PERIODS_AT_ONCE), async ({ note, period, space }) => {
      const site = spaces.get(space);
      if (site === undefined || busy.has(period) || period >= (announced.get(space) ?? "")) return;
      const now = clock.now();
      const { from, to } = spanOf(level.granularity, site.timeZone, period);
      if (to + level.settleMs > now) return;
      const isWaiting = notes.some(
        (other) => other.space === space && other.period !== period && level.of(other.period) === period,
      );
      if (isWaiting) return;
      if (now > until) {
        isMore = true;
        return;
      }
      // Of a month that is not kept whole, days are left; nothing asks for it.
      const isKept = level.granularity === "day" || from >= hoursNeededFrom(site, now);
      if (isKept && !(await deriveOne(deps, level, space, site.timeZone, period))) return;
      written++;
      await withdraw(store, clock, note);
    });
  }
  return { written, more: isMore };
}

/** A month of rare values must not fill the memory before it is bounded; the more there is room for, the better the choice. */
const ROWS_WHILE_MERGING = 20 * MAX_ROWS;

/** What a period is derived from. */
interface Part {
  readonly rollup: Rollup;
  readonly applied: Applied;
  readonly dimensions: readonly string[];
  /** Throws `Changed` when it is of another derivation than the rest. */
  table(dimension: string): Promise<Table | DeferredTable | undefined>;
}

/** Somebody derived a day again while its month was being derived. */
class Changed extends Error {}

/** Derives one period; false when it changed meanwhile and stays stale. */
async function deriveOne(
  { store, pause = async () => {} }: DeriveDeps,
  { granularity }: Level,
  space: string,
  zone: string,
  period: string,
): Promise<boolean> {
  const key = { pk: partition(granularity, space), sk: period };
  const before = await store.get(key);
  const tables = await store.list(partition(`${granularity}-tables`, space), {
    from: `${period} `,
    to: `${period}!`,
  });
  const versions = new Map(tables.map(({ sk, version }) => [sk, version]));
  const span = spanOf(granularity, zone, period);
  const parts =
    granularity === "day" ? await hoursIn(store, space, span) : await daysIn(store, space, period);
  if (!parts) return false;
  if (parts.length === 0 && !before) return true;
  const whole = new Rollup();
  const applied = new Map<string, number>();
  for (const part of parts) {
    whole.mergeTotals(part.rollup);
    for (const [shard, n] of part.applied) applied.set(shard, Math.max(n, applied.get(shard) ?? 0));
  }
  const apart: string[] = [];
  try {
    for (const dimension of dimensionsOf(parts)) {
      const one = new Rollup();
      for (const part of parts) {
        one.mergeTable(dimension, await part.table(dimension));
        bound(one, MAX_ROWS, ROWS_WHILE_MERGING);
        await pause();
      }
      bound(one);
      const writer = new ByteWriter(4096);
      writeTableApart(writer, one.table(dimension) ?? new Map());
      if (writer.length === 0) continue;
      const own = tableKey(granularity, space, period, dimension);
      const value = encodeTableItem(applied, writer.finish());
      if (!(await store.put({ ...own, value }, versions.get(own.sk) ?? 0))) return false;
      apart.push(dimension);
    }
  } catch (error) {
    if (error instanceof Changed) return false;
    throw error;
  }
  return store.put({ ...key, value: encodeItem(applied, whole, { apart }) }, before?.version ?? 0);
}

async function hoursIn(store: Store, space: string, { from, to }: { from: EpochMs; to: EpochMs }) {
  const hours = await store.list(partition("hour", space), { from: instantKey(from), to: instantKey(to) });
  return hours.flatMap((item): Part[] => {
    const { rollup, applied } = decodeItem(item);
    if (!rollup) return [];
    return [
      { rollup, applied, dimensions: rollup.dimensions, table: async (name) => rollup.readTable(name) },
    ];
  });
}

/** Undefined when one of them is stale. */
async function daysIn(store: Store, space: string, month: string): Promise<Part[] | undefined> {
  const items = await store.list(partition("day", space), { from: `${month}-`, to: `${month}.` });
  const parts: Part[] = [];
  for (const item of items) {
    const { rollup, applied, apart, sk } = decodeItem(item);
    if (!rollup) return undefined;
    const held = new Set(apart ?? rollup.dimensions);
    parts.push({
      rollup,
      applied,
      dimensions: [...held],
      async table(name) {
        if (!held.has(name) || !apart) return rollup.readTable(name);
        const one = await store.get(tableKey("day", space, sk, name));
        const known = one && decodeTableItem(one);
        if (!known || !isSameApplied(known.applied, applied)) throw new Changed();
        return known.table;
      },
    });
  }
  return parts;
}

/** Of all parts, sorted; of the keys of properties as many as a rollup holds, those that came first. */
function dimensionsOf(parts: readonly Part[]): string[] {
  const found = new Set<string>();
  let properties = 0;
  for (const name of parts.flatMap(({ dimensions }) => dimensions)) {
    if (found.has(name)) continue;
    if (name.startsWith(PROPS_PREFIX) && ++properties > MAX_PROPS_TABLES) continue;
    found.add(name);
  }
  return [...found].sort();
}
