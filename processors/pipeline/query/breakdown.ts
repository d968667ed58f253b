/** From cells of rollups to rows: one for each bucket of time and value of the dimension, with all that was measured. */
import { Measures } from "../../model/measures.ts";
import { boundTable, type Table } from "../../model/rollup.ts";
import { ENTRY_METRICS } from "./answerable.ts";
import { holds, predicate, tableOf } from "./filter.ts";
import { MergedTally, type Tally } from "./metrics.ts";
import type { Bucket } from "./range.ts";
import type { Cell } from "./reader.ts";
import type { QueryRequest } from "./request.ts";

/** Twice as many rows as an answer may have; years of days full of other rare values would be hundreds of thousands. */
const MAX_MERGED_ROWS = 20_000;

export interface Row {
  /** Index of the bucket among all buckets of the range. */
  readonly at: number;
  readonly bucket: Bucket;
  /** Of the dimensions broken down, in order. */
  readonly values: readonly string[];
  readonly tally: Tally;
  /** Of pages: the visits that entered there. */
  readonly entry: Tally | undefined;
}

/**
 * The rows that are not empty; without a time dimension the only row of a total is always there. `dimension` is the
 * one broken down, or else the one filtered by.
 */
export function breakDown(
  buckets: readonly Bucket[],
  cells: readonly Cell[],
  request: QueryRequest,
  dimension: string | undefined,
): Row[] {
  const passes = predicate(request.filters);
  const needsEntry =
    dimension === "event:page" && request.metrics.some((metric) => ENTRY_METRICS.has(metric));
  const tallied = (measures: Measures): Tally => new MergedTally(measures, dimension);
  const isBrokenDown = request.breakdown.length > 0;
  const rows: Row[] = [];
  let next = 0;
  for (const [at, bucket] of buckets.entries()) {
    const own: Cell[] = [];
    for (let cell = cells[next]; cell && cell.from < bucket.to; cell = cells[++next]) own.push(cell);
    if (!dimension) {
      const measures = mergeTotals(own);
      if (!request.time || !measures.isZero())
        rows.push({ at, bucket, values: [], tally: tallied(measures), entry: undefined });
      continue;
    }
    const keep = (value: string): boolean =>
      holds(dimension, value) && (request.filters.length === 0 || passes(value));
    const table = mergeTables(own, tableOf(dimension), keep);
    const entries = needsEntry
      ? mergeTables(own, "visit:entry_page", (value) => table.has(value))
      : undefined;
    if (isBrokenDown) {
      for (const [value, measures] of table) {
        if (measures.isZero()) continue;
        const entry = entries?.get(value);
        rows.push({ at, bucket, values: [value], tally: tallied(measures), entry: entry && tallied(entry) });
      }
      continue;
    }
    // Filtered without a breakdown: the rows that pass, as one.
    const measures = new Measures();
    const entry = new Measures();
    for (const [value, row] of table) {
      measures.merge(row);
      const entered = entries?.get(value);
      if (entered) entry.merge(entered);
    }
    if (!request.time || !measures.isZero())
      rows.push({ at, bucket, values: [], tally: tallied(measures), entry: tallied(entry) });
  }
  return rows;
}

const NOTHING: Tally = new MergedTally(new Measures());

/** The row of a bucket and values in which nothing happened. */
export const emptyRow = (at: number, bucket: Bucket, values: readonly string[]): Row => ({
  at,
  bucket,
  values,
  tally: NOTHING,
  entry: undefined,
});

/** A row for every bucket that has begun by `now`, empty ones too: for series that must have no gaps. */
export function withoutGaps(rows: readonly Row[], buckets: readonly Bucket[], now: number): Row[] {
  const known = new Map(rows.map((row) => [row.at, row]));
  return buckets.flatMap((bucket, at) => {
    const row = known.get(at);
    if (row) return [row];
    return bucket.from <= now ? [emptyRow(at, bucket, [])] : [];
  });
}

export function mergeTotals(cells: readonly Cell[]): Measures {
  const totals = new Measures();
  for (const { parts } of cells) for (const part of parts) totals.merge(part.totals);
  return totals;
}

function mergeTables(cells: readonly Cell[], name: string, keep: (value: string) => boolean): Table {
  const merged: Table = new Map();
  for (const { parts } of cells) {
    for (const part of parts) {
      for (const [value, measures] of part.table(name) ?? []) {
        if (!keep(value)) continue;
        let row = merged.get(value);
        if (!row) {
          row = new Measures();
          merged.set(value, row);
        }
        row.merge(measures);
      }
      if (merged.size > 2 * MAX_MERGED_ROWS) boundTable(merged, MAX_MERGED_ROWS);
    }
  }
  return merged;
}
