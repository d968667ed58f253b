/**
 * Days derived from finished hours, and months from finished days, a table at a time. When something changes later, the
 * day and its month are marked stale first, and readers use the hours until they are derived again.
 */
import { ClickstreamError } from "../errors.ts";
import { MAX_ROWS } from "../model/bounds.ts";
import { writeTableApart } from "../model/columns.ts";
import { PROPS_PREFIX } from "../model/dimensions.ts";
import { MAX_EVENT_AGE_MS } from "../model/event.ts";
import { type DeferredTable, MAX_PROPS_TABLES, Rollup, type Table } from "../model/rollup.ts";
import { type Clock, DAY_MS, type EpochMs, MINUTE_MS, SECOND_MS } from "../model/time.ts";
import { addDays, dayStart, type LocalDate, localDate, monthStart } from "../model/zone.ts";
import { ByteWriter } from "../sketches/bytes.ts";
import type { Item, ItemKey, Store } from "../stores/store.ts";
import { hoursFrom } from "./expiry.ts";
import { MAX_CONFLICTS } from "./folding.ts";
import { atOnce, inPortions } from "./portions.ts";
import {
  type Applied,
  type Derived,
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

// A derived item is usable when it is not stale and holds no commit that the reader's cursor does not cover: then it
// holds all commits up to the cursor. Folding writes hours first, then marks stale their days that were announced as
// derived, then the months of these, and only then moves the cursor. Deriving announces first, looks at the versions of
// what it will write, and reads the hours or days afterwards. So of two that meet, either the one who derives sees the
// change, or the one who made it sees the announcement, or the put fails. No clock has a say in it.
//
// Tables are put before the item that says which there are, each under the version that it had before the hours were
// read. So an item that is not stale has the tables of its own derivation or of a later one, and of an earlier one never.

/** What is derived, the shorter first. A period's name is the sort key of its item, and names order like time. */
interface Level {
  readonly granularity: Derived;
  readonly nameLength: number;
  /** By site: periods before this one were announced as derived, those without anything too. */
  readonly built: string;
  /** A period is derived when it has been over for this long. */
  readonly settleMs: number;
  readonly of: (date: LocalDate) => string;
  readonly firstDate: (period: string) => LocalDate;
  readonly next: (period: string) => string;
}

/** Most of what is late has come by then. */
const DAY_SETTLE_MS = 10 * MINUTE_MS;

const LEVELS: readonly Level[] = [
  {
    granularity: "day",
    nameLength: "2026-11-23".length,
    built: "built",
    settleMs: DAY_SETTLE_MS,
    of: (date) => date,
    firstDate: (period) => period,
    next: (period) => addDays(period, 1),
  },
  {
    granularity: "month",
    nameLength: "2026-11".length,
    built: "built-months",
    // No event can come for it any more, but by an import.
    settleMs: MAX_EVENT_AGE_MS + DAY_MS,
    of: (date) => date.slice(0, 7),
    firstDate: (period) => `${period}-01`,
    next: (period) => monthStart(`${period}-01`, 1).slice(0, 7),
  },
];

/** First instant of a day (`2026-11-23`) or month (`2026-11`) in its zone, and the first after it. */
export function spanOf(granularity: Derived, zone: string, period: string): { from: EpochMs; to: EpochMs } {
  const { firstDate, next } = LEVELS.find((level) => level.granularity === granularity)!;
  return { from: dayStart(zone, firstDate(period)), to: dayStart(zone, firstDate(next(period))) };
}

/** Periods that wait. */
const STALE = "stale";
const staleKey = (space: string, period: string): ItemKey => ({
  pk: STALE,
  sk: JSON.stringify([period, space]),
});

const builtBefore = (item: Item | undefined): string => (item ? new TextDecoder().decode(item.value) : "");

/**
 * Call after hours of these days were written and before the cursor moves: marks days and months that may have been
 * derived without; readers use hours until they are derived again.
 */
export async function markDerived(store: Store, space: string, dates: Iterable<LocalDate>): Promise<void> {
  const changed = [...dates];
  for (const { granularity, built, of } of LEVELS) {
    const before = builtBefore(await store.get({ pk: built, sk: space }));
    for (const period of new Set(changed.map(of)))
      if (period < before) await markStale(store, granularity, space, period);
  }
}

/**
 * The note that the period waits comes first, so that dying in between leaves nothing stale without one. The item is
 * then marked under the version that it had before the note: whoever derives it meanwhile, and takes the note away,
 * makes the mark fail, and both are made again.
 */
async function markStale(store: Store, granularity: Derived, space: string, period: string): Promise<void> {
  const pk = partition(granularity, space);
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get({ pk, sk: period });
    await noteStale(store, staleKey(space, period));
    if (await store.put({ pk, sk: period, value: encodeItem(new Map(), undefined) }, item?.version ?? 0))
      return;
  }
  throw new ClickstreamError("unavailable", `${pk} ${period}: ${MAX_CONFLICTS} conflicting writes in a row`);
}

/** Every note is a new version, so that whoever derived the period before it cannot take it away. */
async function noteStale(store: Store, key: ItemKey): Promise<void> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const note = await store.get(key);
    if (await store.put({ ...key, value: new Uint8Array() }, note?.version ?? 0)) return;
  }
  throw new ClickstreamError(
    "unavailable",
    `${key.pk} ${key.sk}: ${MAX_CONFLICTS} conflicting writes in a row`,
  );
}

/** Takes away this version of a note and no later one: the port deletes without a condition, so it expires. */
async function withdraw(store: Store, clock: Clock, { pk, sk, value, version }: Item): Promise<void> {
  await store.put({ pk, sk, value, expiresAt: clock.now() }, version);
}

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
    const notes = (await store.list(STALE)).map((note) => {
      const [period, space] = JSON.parse(note.sk) as [string, string];
      return { note, period, space };
    });
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
      const isKept = level.granularity === "day" || from >= hoursFrom(site, now);
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
        one.bound(MAX_ROWS, ROWS_WHILE_MERGING);
        await pause();
      }
      one.bound();
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

/** An import may bring years at once: their days share the store's syncs, and few are in memory together. */
const PERIODS_AT_ONCE = 16;
const NOTES_AT_ONCE = 256;

/**
 * Notes that the periods that are over wait, and announces them; both before they are derived. Returns the period before
 * which they are announced.
 */
async function announce(
  store: Store,
  clock: Clock,
  { built: pk, settleMs, of, firstDate, next }: Level,
  space: string,
  zone: string,
): Promise<string> {
  const end = of(localDate(zone, clock.now() - settleMs));
  const built = await store.get({ pk, sk: space });
  const from = built ? builtBefore(built) : await earliest(store, space, zone, of);
  if (!from || from >= end) return builtBefore(built);
  // Those without hours too: one may be written before the announcement, by somebody who does not see it.
  const periods: string[] = [];
  for (let period = from; period < end; period = of(firstDate(next(period)))) periods.push(period);
  await inPortions(periods, atOnce(periods.length, NOTES_AT_ONCE), (period) =>
    noteStale(store, staleKey(space, period)),
  );
  const value = new TextEncoder().encode(end);
  // Who loses the put derives in the next run.
  return (await store.put({ pk, sk: space, value }, built?.version ?? 0)) ? end : builtBefore(built);
}

/**
 * That of the first hour, and of as many days before it as an event may be late: an hour of these may be written by
 * somebody who does not see the first announcement yet.
 */
async function earliest(
  store: Store,
  space: string,
  zone: string,
  of: Level["of"],
): Promise<string | undefined> {
  const [hour] = await store.list(partition("hour", space), { limit: 1 });
  return hour && of(localDate(zone, Number(hour.sk) - MAX_EVENT_AGE_MS - DAY_MS));
}
