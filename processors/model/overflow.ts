/** Bounds the tables of a rollup: what is too many of a table's rows falls into "(other)", and may be put aside row by row. */
import {
  boundTable,
  leastVisited,
  MAX_ROWS,
  ROW_LIMITS,
  type RowLimits,
  restRows,
  shareOf,
} from "./bounds.ts";
import { OTHER } from "./dimensions.ts";
import { Measures } from "./measures.ts";
import { Rollup, type Table } from "./rollup.ts";

/**
 * Folds the least visited rows of tables over `maxRows` into "(other)". Ties go by value, so it is repeatable. A row
 * below zero corrects one that was folded before, and follows it. Tables of up to `tolerated` rows stay as they are.
 */
export function bound(rollup: Rollup, maxRows = MAX_ROWS, tolerated = 0): void {
  for (const dimension of rollup.dimensions) {
    const table = rollup.table(dimension);
    if (!table || table.size <= tolerated) continue;
    boundTable(table, maxRows, () => new Measures());
  }
}

/**
 * Bounds memory while a minute or hour is added up: rows go into "(other)" that would neither stay nor be put aside.
 * Nothing happens before there are twice as many as that, so that it happens seldom.
 */
export function trim(rollup: Rollup, { rows, rest }: RowLimits = ROW_LIMITS): void {
  const beyond = rollup.dimensions.map((dimension) => Math.max(0, rollup.table(dimension)!.size - rows));
  if (beyond.reduce((sum, count) => sum + count, 0) > 2 * rest) bound(rollup, rows + shareOf(beyond, rest));
}

/**
 * Takes the least visited rows of full tables out and answers them, undefined where there are none. `rollup` has their sum
 * in "(other)". The answer has an "(other)" too: rows that were too many for it, and are lost as such.
 */
export function putAside(rollup: Rollup, { rows, rest: most }: RowLimits = ROW_LIMITS): Rollup | undefined {
  const full = rollup.dimensions.flatMap((dimension) => {
    const table = rollup.table(dimension)!;
    // Corrections of what was lost before.
    boundTable(table, Number.POSITIVE_INFINITY, () => new Measures());
    // Rows of nothing are not encoded, so they must not count here either.
    if (table.size > rows) for (const [value, row] of table) if (row.isZero()) table.delete(value);
    const fallen = leastVisited(table, rows);
    return fallen.length === 0 ? [] : [{ dimension, table, fallen }];
  });
  const room = shareOf(
    full.map(({ fallen }) => fallen.reduce((sum, [value]) => sum + restRows(value), 0)),
    most,
  );
  const rest = new Rollup();
  for (const { dimension, table, fallen } of full) {
    const aside: Table = new Map();
    const other = new Measures();
    let lost = table.get(OTHER);
    if (lost) other.merge(lost);
    let left = room;
    for (const [value, row] of fallen) {
      table.delete(value);
      other.merge(row);
      left -= restRows(value);
      if (left >= 0) aside.set(value, row);
      else if (lost) lost.merge(row);
      else lost = row;
    }
    if (lost) aside.set(OTHER, lost);
    table.set(OTHER, other);
    rest.setTable(dimension, aside);
  }
  return full.length > 0 ? rest : undefined;
}

/** Puts rows that were put aside back into the tables that they fell from. */
export function takeBack(rollup: Rollup, rest: Rollup): void {
  for (const dimension of rest.dimensions) {
    rollup.table(dimension)?.delete(OTHER);
    rollup.mergeTable(dimension, rest.readTable(dimension));
  }
}
