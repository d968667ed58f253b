/**
 * Rollup items in the store: minute, hour and day of a site. Minute and hour items carry the number of the newest
 * commit of each shard that is folded in, so folding a commit twice changes nothing.
 */
import { ClickstreamError } from "../errors.ts";
import { MAX_EVENT_AGE_MS } from "../model/event.ts";
import { MAX_ROWS, Rollup } from "../model/rollup.ts";
import { type Clock, DAY_MS, type EpochMs, MINUTE_MS } from "../model/time.ts";
import { addDays, dayStart, hourStart, type LocalDate, localDate } from "../model/zone.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Item, ItemKey, Store } from "../stores/store.ts";

export const ROLLUP_PARTITIONS = ["minute", "hour", "day"] as const;
export type Granularity = (typeof ROLLUP_PARTITIONS)[number];

/** Newest commit folded in, by shard. */
export type Applied = ReadonlyMap<string, number>;

export interface RollupItem {
  readonly sk: string;
  readonly version: number;
  readonly applied: Applied;
  /** Undefined: the day changed since it was derived; its hours hold the truth. */
  readonly rollup: Rollup | undefined;
  /** What a rebuild found for its window is in it. */
  readonly isBased: boolean;
}

/** Minutes serve the live views and a comparison with last week; then hours take over. */
export const MINUTE_KEEP_MS = 8 * DAY_MS;
/** A day is derived when it has been over for this long: most of what is late has come by then. */
const DAY_SETTLE_MS = 10 * MINUTE_MS;

const VERSION = 1;
const HAS_ROLLUP = 1;
const IS_BASED = 2;

export const partition = (granularity: Granularity, site: string): string => `${granularity}/${site}`;
/** Sort key of a minute or hour: 13 digits of epoch ms order like the time until the year 2286. */
export const instantKey = (at: EpochMs): string => String(at).padStart(13, "0");

export function encodeItem(
  applied: Applied,
  rollup: Rollup | undefined,
  isBased = false,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  writer.byte(VERSION);
  writer.byte((rollup ? HAS_ROLLUP : 0) | (isBased ? IS_BASED : 0));
  writer.varint(applied.size);
  for (const [shard, n] of [...applied].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.text(shard);
    writer.varint(n);
  }
  if (rollup) writer.bytes(rollup.encode());
  return writer.finish();
}

export function decodeItem({ sk, version, value }: Item): RollupItem {
  const reader = new ByteReader(value);
  const layout = reader.byte();
  if (layout !== VERSION) throw new RangeError(`rollup item version ${layout}, this code reads ${VERSION}`);
  const flags = reader.byte();
  const applied = new Map<string, number>();
  for (let left = reader.varint(); left > 0; left--) applied.set(reader.text(), reader.varint());
  const rollup = flags & HAS_ROLLUP ? Rollup.decode(value.subarray(reader.position)) : undefined;
  return { sk, version, applied, rollup, isBased: (flags & IS_BASED) !== 0 };
}

/** What one commit adds to one window. */
export interface Contribution {
  readonly shard: string;
  readonly n: number;
  readonly rollup: Rollup;
}

const MAX_CONFLICTS = 50;
/** A flood of rare values must not fill the memory before it is bounded; the more there is room for, the better the choice. */
const ROWS_WHILE_MERGING = 20 * MAX_ROWS;

/**
 * Folds contributions into an item under its version; those it has already are skipped. `through` says up to which
 * commit of each shard the contributions are all there are for this window.
 */
export async function foldInto(
  store: Store,
  key: ItemKey,
  contributions: readonly Contribution[],
  through: ReadonlyMap<string, number>,
  expiresAt?: EpochMs,
): Promise<boolean> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get(key);
    const known = item ? decodeItem(item) : undefined;
    const rollup = known?.rollup ?? new Rollup();
    const applied = new Map(known?.applied);
    const fresh = contributions.filter(({ shard, n }) => n > (applied.get(shard) ?? 0));
    if (fresh.length === 0) return false;
    for (const contribution of fresh) {
      rollup.merge(contribution.rollup);
      rollup.bound(MAX_ROWS, ROWS_WHILE_MERGING);
    }
    for (const { shard } of fresh)
      applied.set(shard, Math.max(applied.get(shard) ?? 0, through.get(shard) ?? 0));
    rollup.bound();
    const value = encodeItem(applied, rollup, known?.isBased);
    if (await store.put({ ...key, value, ...(expiresAt ? { expiresAt } : {}) }, item?.version ?? 0))
      return true;
  }
  throw new ClickstreamError(
    "unavailable",
    `${key.pk} ${key.sk}: ${MAX_CONFLICTS} conflicting writes in a row`,
  );
}

/**
 * Adds what a rebuild found for a window to the item of a new edition, beside the commits that are folded into it
 * meanwhile; once, however often it is called.
 */
export async function foldBase(
  store: Store,
  key: ItemKey,
  base: Rollup,
  expiresAt?: EpochMs,
): Promise<boolean> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get(key);
    const known = item ? decodeItem(item) : undefined;
    if (known?.isBased) return false;
    const rollup = known?.rollup ?? new Rollup();
    rollup.merge(base);
    rollup.bound();
    const value = encodeItem(known?.applied ?? new Map(), rollup, true);
    if (await store.put({ ...key, value, ...(expiresAt ? { expiresAt } : {}) }, item?.version ?? 0))
      return true;
  }
  throw new ClickstreamError(
    "unavailable",
    `${key.pk} ${key.sk}: ${MAX_CONFLICTS} conflicting writes in a row`,
  );
}

/**
 * Puts a window of the current edition into another as it is. Commits reach the current edition first, so what is read
 * of it after the other holds everything that the other holds.
 */
export async function copyItem(store: Store, from: string, to: string, sk: string): Promise<void> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const target = await store.get({ pk: to, sk });
    if (target && decodeItem(target).isBased) return;
    const source = await store.get({ pk: from, sk });
    if (!source) return;
    const { applied, rollup } = decodeItem(source);
    const { expiresAt } = source;
    const value = encodeItem(applied, rollup, true);
    const item = { pk: to, sk, value, ...(expiresAt === undefined ? {} : { expiresAt }) };
    if (await store.put(item, target?.version ?? 0)) return;
  }
  throw new ClickstreamError("unavailable", `${to} ${sk}: ${MAX_CONFLICTS} conflicting writes in a row`);
}

// ---- days, derived from hours
//
// A day item is usable when it is not stale and holds no commit that the reader's cursor does not cover: then it holds
// all commits up to the cursor. Folding writes hours first, then marks stale their days that were announced as derived,
// and only then moves the cursor. Deriving announces first and reads the hours afterwards. So of two that meet, either
// the one who derives sees the hour, or the one who wrote it sees the announcement. No clock has a say in it.

const STALE = "stale";
const staleKey = (site: string, date: LocalDate): string => JSON.stringify([date, site]);
/** By site: days before this date were announced as derived, those without hours too. */
const BUILT = "built";

const builtBefore = (item: Item | undefined): LocalDate => (item ? new TextDecoder().decode(item.value) : "");

/** Call after hours of these days were written and before the cursor moves: marks those that may have been derived without. */
export async function markDerived(store: Store, site: string, dates: Iterable<LocalDate>): Promise<void> {
  const before = builtBefore(await store.get({ pk: BUILT, sk: site }));
  for (const date of dates) if (date < before) await markStale(store, site, date);
}

/**
 * The note that the day waits comes first, so that dying in between leaves no stale day without one. The day is then
 * marked under the version that it had before the note: whoever derives it meanwhile, and takes the note away, makes
 * the mark fail, and both are made again.
 */
async function markStale(store: Store, site: string, date: LocalDate): Promise<void> {
  const pk = partition("day", site);
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get({ pk, sk: date });
    await noteStale(store, { pk: STALE, sk: staleKey(site, date) });
    if (await store.put({ pk, sk: date, value: encodeItem(new Map(), undefined) }, item?.version ?? 0))
      return;
  }
  throw new ClickstreamError("unavailable", `${pk} ${date}: ${MAX_CONFLICTS} conflicting writes in a row`);
}

/** Every note is a new version, so that whoever derived the day before it cannot take it away. */
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

/** Derives one day from its hours; false when it changed meanwhile and stays stale. */
async function deriveDay(store: Store, site: string, zone: string, date: LocalDate): Promise<boolean> {
  const pk = partition("day", site);
  const before = await store.get({ pk, sk: date });
  const hours = await store.list(partition("hour", site), {
    from: instantKey(dayStart(zone, date)),
    to: instantKey(dayStart(zone, addDays(date, 1))),
  });
  if (hours.length === 0 && !before) return true;
  const rollup = new Rollup();
  const applied = new Map<string, number>();
  for (const hour of hours.map(decodeItem)) {
    if (hour.rollup) {
      rollup.merge(hour.rollup);
      rollup.bound(MAX_ROWS, ROWS_WHILE_MERGING);
    }
    for (const [shard, n] of hour.applied) applied.set(shard, Math.max(n, applied.get(shard) ?? 0));
  }
  rollup.bound();
  return store.put({ pk, sk: date, value: encodeItem(applied, rollup) }, before?.version ?? 0);
}

/** Derives the days that are over, and those marked stale. Returns how many were written. */
export async function deriveDays(
  store: Store,
  clock: Clock,
  sites: ReadonlyMap<string, { readonly timeZone: string }>,
): Promise<number> {
  const announced = new Map<string, LocalDate>();
  for (const [site, { timeZone }] of sites) announced.set(site, await announce(store, clock, site, timeZone));
  let written = 0;
  await inPortions(await store.list(STALE), DAYS_AT_ONCE, async (note) => {
    const [date, site] = JSON.parse(note.sk) as [LocalDate, string];
    const zone = sites.get(site)?.timeZone;
    if (zone === undefined || date >= (announced.get(site) ?? "")) return;
    const isOver = dayStart(zone, addDays(date, 1)) + DAY_SETTLE_MS <= clock.now();
    if (!isOver || !(await deriveDay(store, site, zone, date))) return;
    written++;
    await withdraw(store, clock, note);
  });
  return written;
}

/** An import may bring years at once: their days share the store's syncs, and few are in memory together. */
const DAYS_AT_ONCE = 16;
const NOTES_AT_ONCE = 256;

/** As many days as a site that is just counted has waiting go one by one. */
const FEW = 64;

/** Many go some at a time: stores share one sync between writes that are given together. */
async function inPortions<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const step = items.length > FEW ? size : 1;
  for (let i = 0; i < items.length; i += step) await Promise.all(items.slice(i, i + step).map(work));
}

/**
 * Notes that the days that are over wait, and announces them; both before their hours are read. Returns the date before
 * which days are announced.
 */
async function announce(store: Store, clock: Clock, site: string, zone: string): Promise<LocalDate> {
  const end = localDate(zone, clock.now() - DAY_SETTLE_MS);
  const built = await store.get({ pk: BUILT, sk: site });
  const from = built ? builtBefore(built) : await earliestDate(store, site, zone);
  if (!from || from >= end) return builtBefore(built);
  // Days without hours too: one may be written before the announcement, by somebody who does not see it.
  const dates: LocalDate[] = [];
  for (let date = from; date < end; date = addDays(date, 1)) dates.push(date);
  await inPortions(dates, NOTES_AT_ONCE, (date) => noteStale(store, { pk: STALE, sk: staleKey(site, date) }));
  const value = new TextEncoder().encode(end);
  // Who loses the put derives in the next run.
  return (await store.put({ pk: BUILT, sk: site, value }, built?.version ?? 0)) ? end : builtBefore(built);
}

/**
 * Day of the first hour, and as many days before it as an event may be late: an hour of these may be written by somebody
 * who does not see the first announcement yet.
 */
async function earliestDate(store: Store, site: string, zone: string): Promise<LocalDate | undefined> {
  const [hour] = await store.list(partition("hour", site), { limit: 1 });
  return hour && localDate(zone, Number(hour.sk) - MAX_EVENT_AGE_MS - DAY_MS);
}

export const hourOf = (zone: string, minute: EpochMs): EpochMs => hourStart(zone, minute);
export const isKept = (minute: EpochMs, now: EpochMs): boolean => minute + MINUTE_KEEP_MS > now;
/** When an item about this minute is no longer needed. */
export const minuteExpiry = (minute: EpochMs): EpochMs => minute + MINUTE_MS + MINUTE_KEEP_MS;
