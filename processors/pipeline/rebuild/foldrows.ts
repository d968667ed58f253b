/** The folding part of a rebuild: from a site's rows to its windows. Its order and its result are plain data, so that threads can share the work by lots of visitors. */

import type { ArchivedRows } from "../../archives/archive.ts";
import type { CountedRow } from "../../model/archive.ts";
import { trim } from "../../model/overflow.ts";
import { Rollup } from "../../model/rollup.ts";
import type { EpochMs } from "../../model/time.ts";
import { hourStart } from "../../model/zone.ts";
import { compareSequences } from "../../streams/stream.ts";
import type { LoggedShard } from "../commit.ts";
import { isMinuteKept } from "../expiry.ts";
import { packWindow } from "../folding.ts";
import type { Site } from "../sites.ts";
import { RowFold, type Shelf } from "./rowfold.ts";

/** Which rows of a site are folded, and how. */
export interface FoldOrder {
  readonly site: Pick<Site, "id" | "timeZone" | "keep">;
  readonly shards: readonly LoggedShard[];
  /** By shard, sequence number of the last record that counts. */
  readonly ends: ReadonlyMap<string, string>;
  /** Rows of events before this are archived no longer. */
  readonly archivedFrom: EpochMs;
  /** Decides which minutes are still made. */
  readonly now: EpochMs;
  /** By shard, when the first of all its rows was received: needed where others fold the rows of other visitors. */
  readonly since?: ReadonlyMap<string, EpochMs>;
}

/** What was folded, beside the windows. */
export interface Folded {
  readonly rows: number;
  /** Hours that the archive tells only in part, because it began later. */
  readonly incomplete: ReadonlySet<EpochMs>;
  /** Event time of the earliest row; infinite where there is none. */
  readonly earliest: EpochMs;
}

/** Encoded windows by start. */
export type FoldedWindows = Pick<ReadonlyMap<EpochMs, Uint8Array>, "get" | "keys">;

/** Windows of a lot of visitors, or of all. */
export interface FoldedLot {
  readonly hours: FoldedWindows;
  readonly minutes: FoldedWindows;
}

/** Windows as `packWindow` packs them, there for as long as this is not disposed of. */
export type FoldedRows = Folded & FoldedLot & AsyncDisposable;

/** Folds all rows in memory. Throws what the archive throws. */
export async function foldInMemory(
  archive: ArchivedRows,
  order: FoldOrder,
  progress: (rows: number) => void,
): Promise<FoldedRows> {
  const lot = { hours: new Map<EpochMs, Uint8Array>(), minutes: new Map<EpochMs, Uint8Array>() };
  const folded = await foldRows(archive.read(order.site.id), order, lot, progress);
  const sums = { hours: new Map<EpochMs, Uint8Array>(), minutes: new Map<EpochMs, Uint8Array>() };
  addShare([lot], { number: 0, of: 1 }, sums);
  return { ...folded, ...sums, async [Symbol.asyncDispose]() {} };
}

/**
 * Folds rows, one of `lots` lots of visitors, into windows on shelves. They come in the order of the fold, each once.
 * `progress` is told how many so far. Throws what reading them throws.
 */
export async function foldRows(
  portions: AsyncIterable<readonly CountedRow[]>,
  { site, shards, ends, archivedFrom, now, since }: FoldOrder,
  windows: { readonly hours: Shelf; readonly minutes: Shelf; readonly lots?: number },
  progress: (rows: number) => void,
): Promise<Folded> {
  const fold = new RowFold({
    shards,
    hourOf: (minute) => hourStart(site.timeZone, minute),
    hasMinutes: (minute) => isMinuteKept(site, minute, now),
    ...(since ? { since } : {}),
    ...windows,
  });
  let earliest = Number.POSITIVE_INFINITY;
  for await (const rows of portions) {
    for (const row of rows) {
      if (row.at < archivedFrom) continue;
      earliest = Math.min(earliest, row.at);
      const end = ends.get(row.shard);
      if (end !== undefined && compareSequences(row.sequence, end) <= 0) fold.add(row);
    }
    progress(fold.rows);
  }
  return { incomplete: fold.finish(), rows: fold.rows, earliest };
}

/** Adds up the windows of all lots, always in the same order: every `of`th window, from the one with this `number` on. */
export function addShare(
  lots: readonly FoldedLot[],
  { number, of }: { readonly number: number; readonly of: number },
  sums: { readonly hours: Pick<Shelf, "set">; readonly minutes: Pick<Shelf, "set"> },
): void {
  for (const granularity of ["hours", "minutes"] as const) {
    const windows = lots.map((lot) => lot[granularity]);
    const starts = [...new Set(windows.flatMap((one) => [...one.keys()]))].sort((a, b) => a - b);
    for (let i = number; i < starts.length; i += of) {
      let sum: Rollup | undefined;
      for (const bytes of windows.flatMap((one) => one.get(starts[i]!) ?? [])) {
        const one = Rollup.decode(bytes);
        if (sum) sum.merge(one);
        else sum = one;
        trim(sum);
      }
      sums[granularity].set(starts[i]!, packWindow(sum ?? new Rollup()));
    }
  }
}

/** What was folded of all lots, and who has the windows that they add up to. */
export const foldedOf = (lots: readonly Folded[], shares: readonly FoldedLot[]): Folded & FoldedLot => ({
  rows: lots.reduce((sum, { rows }) => sum + rows, 0),
  incomplete: new Set(lots.flatMap(({ incomplete }) => [...incomplete])),
  earliest: Math.min(...lots.map(({ earliest }) => earliest)),
  hours: joined(shares.map(({ hours }) => hours)),
  minutes: joined(shares.map(({ minutes }) => minutes)),
});

const joined = (shares: readonly FoldedWindows[]): FoldedWindows => ({
  keys: () => new Set(shares.flatMap((share) => [...share.keys()])).values(),
  get(start) {
    for (const share of shares) {
      const bytes = share.get(start);
      if (bytes) return bytes;
    }
    return undefined;
  },
});
