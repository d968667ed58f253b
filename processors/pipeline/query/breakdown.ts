/** From merged tables to rows: one for each bucket of time and value of the dimension, with all that was measured. */
import { EXIT_PAGE } from "../../model/dimensions.ts";
import { ENTRY_METRICS, tableDimension } from "./answerable.ts";
import { holds, predicate, tableOf } from "./filter.ts";
import { MergedRow, type MergedTable, TOTALS } from "./merged.ts";
import { MergedTally, type Tally } from "./metrics.ts";
import type { Bucket } from "./range.ts";
import type { QueryRequest } from "./request.ts";

export interface Row {
  /** Index of the bucket among all buckets of the range. */
  readonly at: number;
  readonly bucket: Bucket;
  /** Of the dimensions broken down, in order. */
  readonly values: readonly string[];
  readonly tally: Tally;
  /** Of pages: the visits that entered there. */
  readonly entry: Tally | undefined;
  /** Visitors of the same group, whatever goals they reached; only where a metric divides by them. */
  readonly group?: number;
}

/** The tables of one bucket: the dimension's or the totals, and for pages that of their entries. */
export interface BucketTables {
  readonly main: MergedTable;
  readonly entry: MergedTable | undefined;
}

/** The names of those tables. */
export function tablesOf(request: QueryRequest): {
  readonly main: string;
  readonly entry: string | undefined;
} {
  const dimension = tableDimension(request);
  const needsEntry =
    dimension === "event:page" && request.metrics.some((metric) => ENTRY_METRICS.has(metric));
  return {
    main: dimension ? tableOf(dimension) : TOTALS,
    entry: needsEntry ? "visit:entry_page" : undefined,
  };
}

/** Which values of its dimension a question is about. */
export function keeps(request: QueryRequest): (value: string) => boolean {
  const dimension = tableDimension(request) ?? "";
  const passes = predicate(request.filters);
  return (value) => holds(dimension, value) && (request.filters.length === 0 || passes(value));
}

/** The rows that are not empty; without a time dimension the only row of a total is always there. */
export function breakDown(
  buckets: readonly Bucket[],
  tables: readonly BucketTables[],
  request: QueryRequest,
): Row[] {
  const dimension = tableDimension(request);
  const tallied = (row: MergedRow): Tally => new MergedTally(row, dimension);
  const rows: Row[] = [];
  for (const [at, bucket] of buckets.entries()) {
    const { main, entry } = tables[at]!;
    if (request.breakdown.length > 0) {
      for (const [value, row] of main.rows) {
        if (isNothing(row, dimension)) continue;
        const entered = entry?.rows.get(value);
        rows.push({
          at,
          bucket,
          values: [value],
          tally: tallied(row),
          entry: entered && tallied(entered),
        });
      }
      continue;
    }
    const row = together(main.rows, () => true);
    if (request.time && isNothing(row, dimension)) continue;
    const entered = entry && tallied(together(entry.rows, (value) => main.rows.has(value)));
    rows.push({ at, bucket, values: [], tally: tallied(row), entry: entered });
  }
  return rows;
}

/**
 * A visitor stays counted with the first of their visits that ended on a page, in its minute, while a later visit ends
 * there; where the first went on to another page, that minute has a visitor of no visit.
 */
const isNothing = (row: MergedRow, dimension: string | undefined): boolean =>
  row.isZero || (dimension === EXIT_PAGE && row.counts.visits === 0 && row.counts.events === 0);

/** Rows as one. Not to be changed: it may be one of them. */
function together(rows: MergedTable["rows"], passes: (value: string) => boolean): MergedRow {
  const passing = [...rows].filter(([value]) => passes(value)).map(([, row]) => row);
  if (passing.length === 1) return passing[0]!;
  const merged = new MergedRow();
  for (const row of passing) merged.merge(row);
  return merged;
}

const NOTHING: Tally = new MergedTally(new MergedRow());

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
