/** The folding part of a rebuild: from a site's rows to its windows. Its order and its result are plain data, so that threads can share the work by lots of visitors. */
import type { ArchivedRows } from "../archives/archive.ts";
import { Rollup } from "../model/rollup.ts";
import type { EpochMs } from "../model/time.ts";
import { compareSequences } from "../streams/stream.ts";
import type { LoggedShard } from "./commit.ts";
import { isMinuteKept } from "./expiry.ts";
import { hourOf } from "./rollups.ts";
import { RowFold, type Shelf } from "./rowfold.ts";
import type { Site } from "./sites.ts";

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

export interface FoldedLot extends Folded {
  readonly hours: FoldedWindows;
  readonly minutes: FoldedWindows;
}

/** The windows are there for as long as it is not disposed of. */
export type FoldedRows = FoldedLot & Disposable;

/** Folds all rows in memory. Throws what the archive throws. */
export async function foldInMemory(
  archive: ArchivedRows,
  order: FoldOrder,
  progress: (rows: number) => void,
): Promise<FoldedRows> {
  const windows = { hours: new Map<EpochMs, Uint8Array>(), minutes: new Map<EpochMs, Uint8Array>() };
  return { ...(await foldRows(archive, order, windows, progress)), ...windows, [Symbol.dispose]() {} };
}

/**
 * Folds all rows that `archive` reads, one of `lots` lots of visitors, into windows on shelves. `progress` is told how many
 * so far. Throws what the archive throws.
 */
export async function foldRows(
  archive: ArchivedRows,
  { site, shards, ends, archivedFrom, now, since }: FoldOrder,
  windows: { readonly hours: Shelf; readonly minutes: Shelf; readonly lots?: number },
  progress: (rows: number) => void,
): Promise<Folded> {
  const fold = new RowFold({
    shards,
    hourOf: (minute) => hourOf(site.timeZone, minute),
    hasMinutes: (minute) => isMinuteKept(site, minute, now),
    ...(since ? { since } : {}),
    ...windows,
  });
  let earliest = Number.POSITIVE_INFINITY;
  for await (const rows of archive.read(site.id)) {
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

/** What was folded of all lots of visitors, added up: windows when they are asked for. */
export const addLots = (lots: readonly FoldedLot[]): FoldedLot => ({
  rows: lots.reduce((sum, { rows }) => sum + rows, 0),
  incomplete: new Set(lots.flatMap(({ incomplete }) => [...incomplete])),
  earliest: Math.min(...lots.map(({ earliest }) => earliest)),
  hours: sumOf(lots.map(({ hours }) => hours)),
  minutes: sumOf(lots.map(({ minutes }) => minutes)),
});

const sumOf = (lots: readonly FoldedWindows[]): FoldedWindows => ({
  keys: () => new Set(lots.flatMap((lot) => [...lot.keys()])).values(),
  get(start) {
    const [first, ...others] = lots.flatMap((lot) => lot.get(start) ?? []);
    if (!first || others.length === 0) return first;
    const sum = Rollup.decode(first);
    for (const bytes of others) {
      sum.merge(Rollup.decode(bytes));
      sum.bound();
    }
    return sum.encode();
  },
});
