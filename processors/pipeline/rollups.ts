/**
 * Rollup items in the store: minute, hour, day and month of a site. Items carry the number of the newest commit of each
 * shard that is folded in, so folding a commit twice changes nothing. Days and months (derive.ts) keep each table in an
 * item of its own: a question about one dimension reads that one.
 */
import { ClickstreamError } from "../errors.ts";
import { ColumnTable } from "../model/columns.ts";
import { MAX_ROWS, Rollup } from "../model/rollup.ts";
import { DAY_MS, type EpochMs, MINUTE_MS } from "../model/time.ts";
import { hourStart } from "../model/zone.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Item, ItemKey, Store } from "../stores/store.ts";

export const GRANULARITIES = ["minute", "hour", "day", "month"] as const;
export type Granularity = (typeof GRANULARITIES)[number];
/** Those that are derived from the next shorter one, when they are over. */
export type Derived = "day" | "month";
/** Where all of that lies, under each site. */
export const ROLLUP_PARTITIONS = [...GRANULARITIES, "day-tables", "month-tables"] as const;

/** Newest commit folded in, by shard. */
export type Applied = ReadonlyMap<string, number>;

export interface RollupItem {
  readonly sk: string;
  readonly version: number;
  readonly applied: Applied;
  /** Undefined: the day or month changed since it was derived; what it was derived from holds the truth. */
  readonly rollup: Rollup | undefined;
  /** Dimensions whose tables lie in items of their own; undefined where `rollup` has them all. */
  readonly apart: readonly string[] | undefined;
  /** What a rebuild found for its window is in it. */
  readonly isBased: boolean;
}

/** Minutes serve the live views and a comparison with last week; then hours take over. */
export const MINUTE_KEEP_MS = 8 * DAY_MS;

/** Version 1 knew neither columns nor tables apart. */
const VERSION = 2;
const OLDEST_VERSION = 1;
const HAS_ROLLUP = 1;
const IS_BASED = 2;
const IS_APART = 4;

export const partition = (kind: (typeof ROLLUP_PARTITIONS)[number], site: string): string =>
  `${kind}/${site}`;
/** Sort key of a minute or hour: 13 digits of epoch ms order like the time until the year 2286. */
export const instantKey = (at: EpochMs): string => String(at).padStart(13, "0");

/** A rollup as its item holds it. */
export function packed(rollup: Rollup): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  rollup.encodeColumnsTo(writer);
  return writer.finish();
}

/** The rollup of an item as `packed` packed it, or as an older version did; none where there is none. */
export function packedOf({ value }: Item): Uint8Array {
  const reader = new ByteReader(value);
  readHead(reader);
  return value.subarray(reader.position);
}

/** `rollup` may be packed already. */
export function encodeItem(
  applied: Applied,
  rollup: Rollup | Uint8Array | undefined,
  { isBased = false, apart }: { isBased?: boolean; apart?: readonly string[] } = {},
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  const flags = (rollup ? HAS_ROLLUP : 0) | (isBased ? IS_BASED : 0) | (apart ? IS_APART : 0);
  writeHead(writer, flags, applied);
  if (apart) {
    writer.varint(apart.length);
    for (const dimension of apart) writer.text(dimension);
  }
  if (rollup instanceof Uint8Array) writer.bytes(rollup);
  else rollup?.encodeColumnsTo(writer);
  return writer.finish();
}

export function decodeItem({ sk, version, value }: Item): RollupItem {
  const reader = new ByteReader(value);
  const { flags, applied } = readHead(reader);
  const apart: string[] = [];
  if (flags & IS_APART) for (let left = reader.varint(); left > 0; left--) apart.push(reader.text());
  const rollup = flags & HAS_ROLLUP ? Rollup.decode(value.subarray(reader.position)) : undefined;
  const isBased = (flags & IS_BASED) !== 0;
  return { sk, version, applied, rollup, apart: flags & IS_APART ? apart : undefined, isBased };
}

function writeHead(writer: ByteWriter, flags: number, applied: Applied): void {
  writer.byte(VERSION);
  writer.byte(flags);
  writer.varint(applied.size);
  for (const [shard, n] of [...applied].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.text(shard);
    writer.varint(n);
  }
}

function readHead(reader: ByteReader): { flags: number; applied: Applied } {
  const layout = reader.byte();
  if (layout < OLDEST_VERSION || layout > VERSION)
    throw new RangeError(`rollup item version ${layout}, this code reads ${OLDEST_VERSION} to ${VERSION}`);
  const flags = reader.byte();
  const applied = new Map<string, number>();
  for (let left = reader.varint(); left > 0; left--) applied.set(reader.text(), reader.varint());
  return { flags, applied };
}

// ---- tables of days and months, each in an item of its own

export const tableKey = (granularity: Derived, space: string, sk: string, dimension: string): ItemKey => ({
  pk: partition(`${granularity}-tables`, space),
  sk: `${sk} ${dimension}`,
});

/** `columns` as `writeColumns` wrote them. */
export function encodeTableItem(applied: Applied, columns: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(columns.length + 64);
  writeHead(writer, 0, applied);
  writer.bytes(columns);
  return writer.finish();
}

export function decodeTableItem({ value }: Item): { applied: Applied; table: ColumnTable } {
  const reader = new ByteReader(value);
  const { applied } = readHead(reader);
  return { applied, table: new ColumnTable(value.subarray(reader.position)) };
}

export const isSameApplied = (a: Applied, b: Applied): boolean =>
  a.size === b.size && [...a].every(([shard, n]) => b.get(shard) === n);

/**
 * The rollup of an item with all its tables, wherever they lie. Undefined for a day or month that waits to be derived,
 * or is just being derived again.
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

/** What one commit adds to one window. */
export interface Contribution {
  readonly shard: string;
  readonly n: number;
  readonly rollup: Rollup;
}

/** What commits add to one span of time, which may lie in several windows: in a minute and its hour. */
export class Bundle {
  readonly parts: Contribution[];
  #sum: Promise<Rollup> | undefined;

  constructor(...parts: Contribution[]) {
    this.parts = parts;
  }

  /** All of it, added up once for all windows. Never change it. */
  sum(pause: Pause | undefined): Promise<Rollup> {
    this.#sum ??= addUp(this.parts, pause);
    return this.#sum;
  }
}

/** Gives others their turn. */
export type Pause = () => Promise<unknown>;

async function addUp(parts: readonly Contribution[], pause: Pause | undefined): Promise<Rollup> {
  if (parts.length === 1) return parts[0]!.rollup;
  const sum = new Rollup();
  for (const { rollup } of parts) await addTo(sum, rollup, pause);
  return sum;
}

async function addTo(sum: Rollup, rollup: Rollup, pause: Pause | undefined): Promise<void> {
  sum.merge(rollup);
  sum.bound(MAX_ROWS, ROWS_WHILE_MERGING);
  await pause?.();
}

export const MAX_CONFLICTS = 50;
/** A flood of rare values must not fill the memory before it is bounded; the more there is room for, the better the choice. */
export const ROWS_WHILE_MERGING = 20 * MAX_ROWS;

/**
 * Folds contributions into an item under its version; those it has already are skipped. `through` says up to which
 * commit of each shard they are all there are for this window. `pause` is called now and then: merging the share of one
 * busy commit takes some milliseconds.
 */
export async function foldInto(
  store: Store,
  key: ItemKey,
  bundles: readonly Bundle[],
  through: ReadonlyMap<string, number>,
  expiresAt?: EpochMs,
  pause?: Pause,
): Promise<boolean> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get(key);
    const known = item ? decodeItem(item) : undefined;
    const rollup = known?.rollup ?? new Rollup();
    const applied = new Map(known?.applied);
    const shards = new Set<string>();
    for (const bundle of bundles) {
      const fresh = bundle.parts.filter(({ shard, n }) => n > (known?.applied.get(shard) ?? 0));
      for (const { shard } of fresh) shards.add(shard);
      // Some are in already where a compaction was interrupted.
      if (fresh.length < bundle.parts.length)
        for (const part of fresh) await addTo(rollup, part.rollup, pause);
      else await addTo(rollup, await bundle.sum(pause), pause);
    }
    if (shards.size === 0) return false;
    for (const shard of shards)
      applied.set(shard, Math.max(applied.get(shard) ?? 0, through.get(shard) ?? 0));
    rollup.bound();
    const value = encodeItem(applied, rollup, { isBased: known?.isBased === true });
    if (await store.put({ ...key, value, ...(expiresAt ? { expiresAt } : {}) }, item?.version ?? 0))
      return true;
  }
  throw new ClickstreamError(
    "unavailable",
    `${key.pk} ${key.sk}: ${MAX_CONFLICTS} conflicting writes in a row`,
  );
}

/**
 * Adds what a rebuild found for a window, packed, to the item of a new edition, beside the commits that are folded into it
 * meanwhile; once, however often it is called.
 */
export async function foldBase(
  store: Store,
  key: ItemKey,
  base: Uint8Array,
  expiresAt?: EpochMs,
): Promise<boolean> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get(key);
    const known = item ? decodeItem(item) : undefined;
    if (known?.isBased) return false;
    const value = encodeItem(known?.applied ?? new Map(), withBase(known?.rollup, base), { isBased: true });
    if (await store.put({ ...key, value, ...(expiresAt ? { expiresAt } : {}) }, item?.version ?? 0))
      return true;
  }
  throw new ClickstreamError(
    "unavailable",
    `${key.pk} ${key.sk}: ${MAX_CONFLICTS} conflicting writes in a row`,
  );
}

/** In nearly all windows nothing was counted meanwhile. */
function withBase(rollup: Rollup | undefined, base: Uint8Array): Rollup | Uint8Array {
  if (!rollup) return base;
  rollup.merge(Rollup.decode(base));
  rollup.bound();
  return rollup;
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
    const value = encodeItem(applied, rollup, { isBased: true });
    const item = { pk: to, sk, value, ...(expiresAt === undefined ? {} : { expiresAt }) };
    if (await store.put(item, target?.version ?? 0)) return;
  }
  throw new ClickstreamError("unavailable", `${to} ${sk}: ${MAX_CONFLICTS} conflicting writes in a row`);
}

export const hourOf = (zone: string, minute: EpochMs): EpochMs => hourStart(zone, minute);
export const isKept = (minute: EpochMs, now: EpochMs): boolean => minute + MINUTE_KEEP_MS > now;
/** When an item about this minute is no longer needed. */
export const minuteExpiry = (minute: EpochMs): EpochMs => minute + MINUTE_MS + MINUTE_KEEP_MS;
