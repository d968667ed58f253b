/** The order of rows: the one asked for, and the same every time, so that pages never overlap. */
import type { EpochMs } from "../../model/time.ts";
import type { MetricValue } from "./metrics.ts";
import type { QueryRequest } from "./request.ts";

export interface Sortable {
  /** Its metric of this index; asked for those alone that rows are ordered by. */
  metric(index: number): MetricValue;
  /** Not less than that and known with less work; undefined where there is no such bound. */
  metricAtMost?(index: number): number | undefined;
  readonly dimensions: readonly string[];
  /** Start of the row's bucket of time. */
  readonly from: EpochMs;
}

/**
 * The rows of the page, by the order asked for; else time upwards, then the first metric downwards. Ties go by
 * dimension.
 */
export function pageOf<T extends Sortable>(rows: readonly T[], request: QueryRequest): T[] {
  const { metrics, dimensions } = request;
  const byDimension = (key: string): ((a: T, b: T) => number) => {
    // Not by its label: of an hour that clocks show twice the offset may sort the second before the first.
    if (key === request.time) return (a, b) => a.from - b.from;
    const at = dimensions.indexOf(key);
    return (a, b) => compare(a.dimensions[at] ?? "", b.dimensions[at] ?? "");
  };
  const compares = effectiveOrder(request).map(([key, direction]) => {
    const sign = direction === "asc" ? 1 : -1;
    const metric = (metrics as readonly string[]).indexOf(key);
    const byKey = byDimension(key);
    return (a: T, b: T): number =>
      sign * (metric >= 0 ? compare(numeric(a.metric(metric)), numeric(b.metric(metric))) : byKey(a, b));
  });
  const ties = dimensions.map(byDimension);
  const all = [...compares, ...ties];
  const order = (a: T, b: T): number => {
    for (const by of all) {
      const sign = by(a, b);
      if (sign !== 0) return sign;
    }
    return 0;
  };
  const { offset, limit } = request;
  const [key, direction] = effectiveOrder(request)[0] ?? [];
  const leading = direction === "desc" ? (metrics as readonly string[]).indexOf(key ?? "") : -1;
  const count = offset + limit;
  const best =
    leading >= 0 && rows[0]?.metricAtMost?.(leading) !== undefined
      ? firstByBound(rows, order, count, {
          atMost: (row) => row.metricAtMost?.(leading) ?? Number.POSITIVE_INFINITY,
          value: (row) => numeric(row.metric(leading)),
        })
      : first(rows, order, count);
  return best.slice(offset);
}

/** Of rows in order of their bounds, as many are worked out first as likely hold the page. */
const LIKELY = 2;

/**
 * The same as `first` where the order goes by a value downwards that is some work and has a bound that is none: but for
 * the likely ones, a row whose bound is below the last of the page is not worked out. (The threshold algorithm of R.
 * Fagin, A. Lotem, M. Naor, "Optimal aggregation algorithms for middleware", PODS 2001, for one list.)
 */
function firstByBound<T>(
  rows: readonly T[],
  order: (a: T, b: T) => number,
  count: number,
  { atMost, value }: { atMost: (row: T) => number; value: (row: T) => number },
): T[] {
  if (count * 8 > rows.length) return first(rows, order, count);
  const likely = first(rows, (a, b) => atMost(b) - atMost(a), LIKELY * count);
  const best = first(likely, order, count);
  const known = new Set(likely);
  const least = value(best.at(-1)!);
  const rest = rows
    .filter((row) => atMost(row) >= least && !known.has(row))
    .map((row) => ({ row, bound: atMost(row) }))
    .sort((a, b) => b.bound - a.bound);
  for (const { row, bound } of rest) {
    // The last of the page has risen meanwhile.
    if (bound < value(best.at(-1)!)) break;
    insert(best, row, order, count);
  }
  return best;
}

/** The first `count` rows in order. Of many rows a page has few, and to sort all of them would be most of the work. */
function first<T>(rows: readonly T[], order: (a: T, b: T) => number, count: number): T[] {
  if (count * 8 > rows.length) return [...rows].sort(order).slice(0, count);
  const best: T[] = [];
  for (const row of rows) insert(best, row, order, count);
  return best;
}

/** Puts a row where it belongs among the best, of which there are at most `count`. */
function insert<T>(best: T[], row: T, order: (a: T, b: T) => number, count: number): void {
  const last = best[count - 1];
  if (last !== undefined && order(row, last) >= 0) return;
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(best[middle]!, row) <= 0) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, row);
  if (best.length > count) best.pop();
}

/** What the rows are ordered by, defaults included. */
export function effectiveOrder({
  orderBy,
  time,
  metrics,
}: QueryRequest): (readonly [key: string, direction: "asc" | "desc"])[] {
  if (orderBy.length > 0) return [...orderBy];
  const byMetric = metrics[0] ? [[metrics[0], "desc"] as const] : [];
  return time ? [[time, "asc"], ...byMetric] : byMetric;
}

const compare = (a: number | string, b: number | string): number => (a === b ? 0 : a < b ? -1 : 1);

/** A value that is not known comes last when the largest come first. */
const numeric = (value: MetricValue | undefined): number =>
  typeof value === "number" ? value : value ? value.value : Number.NEGATIVE_INFINITY;
