/**
 * Rollup items in the store: minute, hour, day and month of a site. Items carry the number of the newest commit of each
 * shard that is folded in, so folding a commit twice changes nothing (folding.ts). Days and months (derive.ts) keep each
 * table in an item of its own: a question about one dimension reads that one.
 */
import { ColumnTable } from "../model/columns.ts";
import { Rollup } from "../model/rollup.ts";
import { DAY_MS, type EpochMs } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Item, ItemKey } from "../stores/store.ts";

export const GRANULARITIES = ["minute", "hour", "day", "month"] as const;
export type Granularity = (typeof GRANULARITIES)[number];
/** Those that are derived from the next shorter one, when they are over. */
export type Derived = "day" | "month";
/** Where all of that lies, under each site. */
export const ROLLUP_PARTITIONS = [
  ...GRANULARITIES,
  "minute-rests",
  "hour-rests",
  "day-tables",
  "month-tables",
] as const;
export type RollupPartition = (typeof ROLLUP_PARTITIONS)[number];

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
  /** Names the item in which the rows lie that were put aside, of a minute or hour. */
  readonly rest: string | undefined;
}

/** Minutes serve the live views and a comparison with last week; then hours take over. */
export const MINUTE_KEEP_MS = 8 * DAY_MS;

/** Version 1 knew neither columns nor tables apart, version 2 no rests. */
const VERSION = 3;
const OLDEST_VERSION = 1;
const HAS_ROLLUP = 1;
const IS_BASED = 2;
const IS_APART = 4;
const HAS_REST = 8;

export const partition = (kind: RollupPartition, site: string): string => `${kind}/${site}`;
/** Sort key that orders like the time, as of minutes and hours: 13 digits of epoch ms do so until the year 2286. */
export const instantKey = (at: EpochMs): string => String(at).padStart(13, "0");

/** A rollup as its item holds it. */
export function packed(rollup: Rollup): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  rollup.encodeColumnsTo(writer);
  return writer.finish();
}

/** The newest commit of each shard that is folded into an item, without decoding the rest of it. */
export const appliedOf = ({ value }: Item): Applied => readHead(new ByteReader(value)).applied;

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
  {
    isBased = false,
    apart,
    rest,
  }: { isBased?: boolean; apart?: readonly string[]; rest?: string | undefined } = {},
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  const flags =
    (rollup ? HAS_ROLLUP : 0) |
    (isBased ? IS_BASED : 0) |
    (apart ? IS_APART : 0) |
    (rest === undefined ? 0 : HAS_REST);
  writeHead(writer, flags, applied, rest);
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
  const { flags, applied, rest } = readHead(reader);
  const apart: string[] = [];
  if (flags & IS_APART) for (let left = reader.varint(); left > 0; left--) apart.push(reader.text());
  const rollup = flags & HAS_ROLLUP ? Rollup.decode(value.subarray(reader.position)) : undefined;
  const isBased = (flags & IS_BASED) !== 0;
  return { sk, version, applied, rollup, apart: flags & IS_APART ? apart : undefined, isBased, rest };
}

function writeHead(writer: ByteWriter, flags: number, applied: Applied, rest?: string): void {
  writer.byte(VERSION);
  writer.byte(flags);
  writer.varint(applied.size);
  for (const [shard, n] of [...applied].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.text(shard);
    writer.varint(n);
  }
  if (rest !== undefined) writer.text(rest);
}

function readHead(reader: ByteReader): { flags: number; applied: Applied; rest: string | undefined } {
  const layout = reader.byte();
  if (layout < OLDEST_VERSION || layout > VERSION)
    throw new RangeError(`rollup item version ${layout}, this code reads ${OLDEST_VERSION} to ${VERSION}`);
  const flags = reader.byte();
  const applied = new Map<string, number>();
  for (let left = reader.varint(); left > 0; left--) applied.set(reader.text(), reader.varint());
  return { flags, applied, rest: flags & HAS_REST ? reader.text() : undefined };
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
