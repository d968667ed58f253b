/** How many rows a table may have, and which of them fall into "(other)". */
import { OTHER } from "./dimensions.ts";
import { byKey, COUNTS, type Count } from "./measures.ts";

/** Rows kept for one dimension; the least visited fall into "(other)". With it an hour of a busy site stays near 100 KB. */
export const MAX_ROWS = 1_000;

export interface RowLimits {
  /** Of one table. */
  readonly rows: number;
  /** Of all that fell from the tables of a minute or hour, and are put aside one by one. */
  readonly rest: number;
}

/**
 * An hour of ten million events a month has 14,000 events, so it cannot have many more rows than are put aside. They are
 * some ten megabytes in memory, and half a megabyte where they are stored.
 */
export const ROW_LIMITS: RowLimits = { rows: MAX_ROWS, rest: 20_000 };

/** A long value counts as several rows among those that are put aside, so that their bytes are bounded too. */
export const restRows = (value: string): number => 1 + Math.floor(value.length / 128);

/** What a row of a table must be able to do to fall into "(other)". */
interface Boundable<R> {
  readonly counts: Readonly<Record<Count, number>>;
  merge(other: R): void;
}

/**
 * Folds the least visited rows of a table over `maxRows` into "(other)". A row below zero corrects one that was folded
 * before, and follows it. `make` makes an empty row.
 */
export function boundTable<R extends Boundable<R>>(
  table: Map<string, R>,
  maxRows: number,
  make: () => R,
): void {
  const known = table.get(OTHER);
  const other = known ?? make();
  const give = (value: string, row: R): void => {
    other.merge(row);
    table.delete(value);
  };
  if (known) {
    for (const [value, row] of [...table])
      if (value !== OTHER && COUNTS.some((name) => row.counts[name] < 0)) give(value, row);
  }
  if (table.size <= maxRows) return;
  for (const [value, row] of leastVisited(table, maxRows)) give(value, row);
  table.set(OTHER, other);
}

/** The rows that must fall, so that `maxRows` are left with "(other)". It depends on what the table holds and on nothing else. */
export function leastVisited<R extends Boundable<R>>(
  table: ReadonlyMap<string, R>,
  maxRows: number,
): [string, R][] {
  if (table.size <= maxRows) return [];
  return [...table]
    .filter(([value]) => value !== OTHER)
    .sort((a, b) => weight(b[1].counts) - weight(a[1].counts) || byKey(a, b))
    .slice(maxRows - 1);
}

/** How much each may have of what is wanted, so that all together have no more than `most`: who wants little gets it. */
export function shareOf(wanted: readonly number[], most: number): number {
  let left = most;
  for (const [i, count] of wanted.toSorted((a, b) => a - b).entries()) {
    const share = Math.floor(left / (wanted.length - i));
    if (count > share) return share;
    left -= count;
  }
  return most;
}

const weight = (counts: Readonly<Record<Count, number>>): number =>
  counts.visits + counts.events + counts.pageviews;
