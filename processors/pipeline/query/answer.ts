/** From what was counted to what is answered: values by row, counterparts to compare with, and the query as understood. */
import { OTHER } from "../../model/dimensions.ts";
import type { Measures } from "../../model/measures.ts";
import type { Site } from "../sites.ts";
import { emptyRow, type Row } from "./breakdown.ts";
import { changeOf } from "./compare.ts";
import { predicate, tableOf } from "./filter.ts";
import { type MetricValue, metricError, metricValue, visitorsOf } from "./metrics.ts";
import { effectiveOrder } from "./order.ts";
import { type Bucket, type cut, isoLocal, type Range } from "./range.ts";
import type { Cell, Snapshot } from "./reader.ts";
import type { Metric, QueryRequest } from "./request.ts";

/** Events of these cells that came after their window had closed. */
export function lateEvents(cells: readonly Cell[]): number {
  return cells.flatMap(({ parts }) => parts).reduce((sum, { late }) => sum + late, 0);
}

export interface ResultRow {
  readonly metrics: MetricValue[];
  readonly dimensions: string[];
  /** The same row of the range compared with; null where that range has no such bucket. */
  readonly comparison?: {
    readonly metrics: MetricValue[];
    readonly dimensions: string[];
    /** Of each metric: whole percent, or points; see docs/query.md. */
    readonly change: (number | null)[];
  } | null;
}

/** What is asked, as far as both ranges of a comparison share it. */
export interface Question {
  readonly site: Site;
  readonly request: QueryRequest;
  /** The dimension broken down, or else the one filtered by. */
  readonly dimension: string | undefined;
  readonly time: Parameters<typeof cut>[0] | undefined;
}

export interface Counted extends Snapshot {
  readonly rows: readonly Row[];
  /** All of the range, unfiltered. */
  readonly all: Measures;
  readonly buckets: readonly Bucket[];
}

/** A row's metrics and dimensions, in the order asked for. */
export function valuesOf(
  row: Row,
  { all }: Counted,
  { request, dimension }: Question,
): { metrics: MetricValue[]; dimensions: string[] } {
  const context = { dimension, entry: row.entry, allVisitors: visitorsOf(all, undefined) };
  return {
    metrics: request.metrics.map((metric) => metricValue(metric, row.measures, context)),
    dimensions: request.dimensions.map((name) => (name === request.dimension ? row.value : row.bucket.label)),
  };
}

/** Finds each row's counterpart: the bucket with the same number, and the same value. */
export function comparer(
  past: Counted,
  question: Question,
): (row: Row, metrics: readonly MetricValue[]) => NonNullable<ResultRow["comparison"]> | null {
  const key = (at: number, value: string): string => `${at} ${value}`;
  const known = new Map(past.rows.map((row) => [key(row.at, row.value), row]));
  return ({ at, value }, current) => {
    const bucket = past.buckets[at];
    if (!bucket) return null;
    const before = valuesOf(known.get(key(at, value)) ?? emptyRow(at, bucket, value), past, question);
    const change = question.request.metrics.map((metric, i) =>
      changeOf(metric, current[i] ?? null, before.metrics[i] ?? null),
    );
    return { ...before, change };
  };
}

/** Relative standard error of each metric over all rows of all ranges; a share is also as rough as what it divides by. */
export function errorsOf(
  { request, dimension }: Question,
  counts: readonly Counted[],
): Record<string, number> {
  const errorOf = (metric: Metric, { rows, all }: Counted): number => {
    const whole = metric === "percentage" || metric === "conversion_rate" ? [all] : [];
    return metricError(metric, [...rows.map(({ measures }) => measures), ...whole], dimension);
  };
  return Object.fromEntries(
    request.metrics.map((metric) => [metric, Math.max(...counts.map((one) => errorOf(metric, one)))]),
  );
}

/** Whether what a filter tests has values that it cannot see. */
export function holdsOther(
  cells: readonly Cell[],
  dimension: string | undefined,
  request: QueryRequest,
): boolean {
  if (!dimension || predicate(request.filters)(OTHER)) return false;
  return cells.some(({ parts }) => parts.some((part) => part.table(tableOf(dimension))?.has(OTHER)));
}

export function echo(
  request: QueryRequest,
  site: Site,
  range: Range,
  past: Range | undefined,
): Record<string, unknown> {
  const iso = ({ from, to }: Range): [string, string] => [
    isoLocal(site.timeZone, from),
    isoLocal(site.timeZone, to - 1000),
  ];
  const { timeLabels, totalRows, comparison } = request.include;
  return {
    site_id: site.id,
    metrics: request.metrics,
    date_range: iso(range),
    ...(past ? { comparison_date_range: iso(past) } : {}),
    dimensions: request.dimensions,
    filters: request.filters.map(filterEcho),
    order_by: effectiveOrder(request),
    include: {
      time_labels: timeLabels,
      total_rows: totalRows,
      ...(comparison
        ? { comparisons: { mode: comparison.mode, match_day_of_week: comparison.matchDayOfWeek } }
        : {}),
    },
    pagination: {
      limit: Number.isFinite(request.limit) ? request.limit : null,
      offset: request.offset,
    },
  };
}

function filterEcho(filter: QueryRequest["filters"][number]): unknown {
  if (filter.kind === "test") {
    const plain = [filter.operator, filter.dimension, filter.values];
    return filter.caseSensitive ? plain : [...plain, { case_sensitive: false }];
  }
  return filter.kind === "not"
    ? ["not", filterEcho(filter.filter)]
    : [filter.kind, filter.filters.map(filterEcho)];
}
