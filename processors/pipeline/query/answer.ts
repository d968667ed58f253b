/** From what was counted to what is answered: values by row, counterparts to compare with, and the query as understood. */
import type { EpochMs } from "../../model/time.ts";
import type { Site } from "../sites.ts";
import { tableDimension } from "./answerable.ts";
import { emptyRow, type Row } from "./breakdown.ts";
import { changeOf } from "./compare.ts";
import { type MetricValue, metricAtMost, metricError, metricValue } from "./metrics.ts";
import { shownAs, storedAs } from "./names.ts";
import { effectiveOrder, type Sortable } from "./order.ts";
import { type Bucket, type cut, isoLocal, type Range } from "./range.ts";
import type { Cell } from "./reader.ts";
import type { Metric, QueryRequest } from "./request.ts";
import type { NewestCommit } from "./tails.ts";

/** Events of these cells that came after their window had closed. */
export function lateEvents(cells: readonly Cell[]): number {
  return cells.reduce((sum, { late }) => sum + late, 0);
}

/** What was refused in these cells, by reason; reasons without any are left out. */
export function rejectsIn(cells: readonly Cell[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { rejects } of cells)
    for (const [reason, count] of rejects) found[reason] = (found[reason] ?? 0) + count;
  return found;
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
  readonly time: Parameters<typeof cut>[0] | undefined;
}

export interface Counted {
  readonly rows: readonly Row[];
  /** Distinct visitors of all of the range, unfiltered, and whether that has no error. */
  readonly all: { readonly visitors: number; readonly isExact: boolean };
  /** Those of them whom the filters on visits leave, where they are not all: what conversion rates are shares of. */
  readonly eligible?: number;
  readonly buckets: readonly Bucket[];
  readonly late: number;
  /** Whether a filter met values that are together in "(other)". */
  readonly metOther: boolean;
  /** Of each shard that has a commit. */
  readonly newest: readonly NewestCommit[];
  /** Set where an archive answered: what was received before is in the rows. */
  readonly archivedUntil?: EpochMs;
}

/** A row as it is shown. Works out nothing until it is asked: of thousands of rows a page has a few. */
class ShownRow implements Sortable {
  readonly row: Row;
  readonly #counted: Counted;
  readonly #request: QueryRequest;
  readonly #isPage: boolean;

  constructor(row: Row, counted: Counted, request: QueryRequest, isPage: boolean) {
    this.row = row;
    this.#counted = counted;
    this.#request = request;
    this.#isPage = isPage;
  }

  get from(): EpochMs {
    return this.row.bucket.from;
  }

  /** In the order asked for. */
  get dimensions(): string[] {
    const { dimensions, breakdown } = this.#request;
    return dimensions.map((name) => {
      const value = this.row.values[breakdown.indexOf(storedAs(name))];
      return value === undefined ? this.row.bucket.label : shownAs(name, value);
    });
  }

  metric(index: number): MetricValue {
    const { tally, entry, group: groupVisitors } = this.row;
    const context = { isPage: this.#isPage, entry, groupVisitors, ...this.#whole };
    return metricValue(this.#request.metrics[index]!, tally, context);
  }

  metricAtMost(index: number): number | undefined {
    return metricAtMost(this.#request.metrics[index]!, this.row.tally, this.#whole);
  }

  get #whole(): { readonly allVisitors: number; readonly eligibleVisitors: number } {
    const { all, eligible = all.visitors } = this.#counted;
    return { allVisitors: all.visitors, eligibleVisitors: eligible };
  }
}

/** Rows ready to be put in order. */
export function shown(rows: readonly Row[], counted: Counted, { request }: Question): ShownRow[] {
  const isPage = tableDimension(request) === "event:page";
  return rows.map((row) => new ShownRow(row, counted, request, isPage));
}

/** What of a row is answered: all its metrics, and its dimensions. */
export function valuesOf(
  row: Row,
  counted: Counted,
  question: Question,
): { metrics: MetricValue[]; dimensions: string[] } {
  const [one] = shown([row], counted, question);
  return { metrics: question.request.metrics.map((_, i) => one!.metric(i)), dimensions: one!.dimensions };
}

/** Finds each row's counterpart: the bucket with the same number, and the same value. */
export function comparer(
  past: Counted,
  question: Question,
): (row: Row, metrics: readonly MetricValue[]) => NonNullable<ResultRow["comparison"]> | null {
  const key = (at: number, values: readonly string[]): string => JSON.stringify([at, ...values]);
  const known = new Map(past.rows.map((row) => [key(row.at, row.values), row]));
  return ({ at, values }, current) => {
    const bucket = past.buckets[at];
    if (!bucket) return null;
    const before = valuesOf(known.get(key(at, values)) ?? emptyRow(at, bucket, values), past, question);
    const change = question.request.metrics.map((metric, i) =>
      changeOf(metric, current[i] ?? null, before.metrics[i] ?? null),
    );
    return { ...before, change };
  };
}

/** Relative standard error of each metric over all rows of all ranges; a share is also as rough as what it divides by. */
export function errorsOf({ request }: Question, counts: readonly Counted[]): Record<string, number> {
  const exact = counts.map(({ rows }) => rows.every(({ tally }) => tally.isExact));
  const errorOf = (metric: Metric, { all }: Counted, i: number): number => {
    const isShare = metric === "percentage" || metric === "conversion_rate";
    return metricError(metric, exact[i] === true && (!isShare || all.isExact));
  };
  return Object.fromEntries(
    request.metrics.map((metric) => [metric, Math.max(...counts.map((one, i) => errorOf(metric, one, i)))]),
  );
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
  return "filter" in filter
    ? [filter.kind, filterEcho(filter.filter)]
    : [filter.kind, filter.filters.map(filterEcho)];
}
