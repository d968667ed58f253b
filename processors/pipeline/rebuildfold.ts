/** The folding part of a rebuild: from a site's rows to its windows. Its order and its result are plain data, so that threads can share the work by lots of visitors. */
import type { ArchivedRows } from "../archives/archive.ts";
import { Rollup } from "../model/rollup.ts";
import type { EpochMs } from "../model/time.ts";
import { compareSequences } from "../streams/stream.ts";
import type { LoggedShard } from "./commit.ts";
import { isMinuteKept } from "./expiry.ts";
import type { Windows } from "./rebuildfiles.ts";
import { hourOf } from "./rollups.ts";
import { addEncoded, RowFold } from "./rowfold.ts";
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

/** The windows, and the event time of the earliest row; infinite where there is none. */
export interface FoldedRows extends Windows {
  readonly earliest: EpochMs;
}

/** Folds all rows that `archive` reads. `progress` is told how many so far. Throws what the archive throws. */
export async function foldRows(
  archive: ArchivedRows,
  { site, shards, ends, archivedFrom, now, since }: FoldOrder,
  progress: (rows: number) => void,
): Promise<FoldedRows> {
  const fold = new RowFold({
    shards,
    hourOf: (minute) => hourOf(site.timeZone, minute),
    hasMinutes: (minute) => isMinuteKept(site, minute, now),
    ...(since ? { since } : {}),
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
  return { ...fold.finish(), rows: fold.rows, earliest };
}

/** Adds up what was folded of each lot of visitors. */
export function addLots([first, ...others]: readonly [FoldedRows, ...FoldedRows[]]): FoldedRows {
  const hours = new Map(first.hours);
  const minutes = new Map(first.minutes);
  const incomplete = new Set(first.incomplete);
  for (const lot of others) {
    for (const [start, bytes] of lot.hours) addEncoded(hours, start, Rollup.decode(bytes));
    for (const [start, bytes] of lot.minutes) addEncoded(minutes, start, Rollup.decode(bytes));
    for (const hour of lot.incomplete) incomplete.add(hour);
  }
  const all = [first, ...others];
  return {
    hours,
    minutes,
    incomplete,
    rows: all.reduce((sum, { rows }) => sum + rows, 0),
    earliest: Math.min(...all.map(({ earliest }) => earliest)),
  };
}
