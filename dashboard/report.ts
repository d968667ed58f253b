/** The headline and the chart of one period: which questions that takes, and their answers lined up. No DOM. */
import type { MetricValue, QueryAnswer, QueryMeta, QueryRequest } from "./answers.ts";
import { type Progress, query } from "./api.ts";
import type { Series } from "./chart.ts";
import { type Condition, filtersOf } from "./filters.ts";
import { currencyOf, numberOf } from "./format.ts";
import type { Numbers } from "./headline.ts";
import { COUNTED, METRICS, type Metric } from "./metrics.ts";
import {
  type Bucket,
  buckets,
  type Compare,
  type Interval,
  intervalOf,
  intervalsOf,
  type Period,
  previous,
  type Range,
  resolve,
} from "./period.ts";
import type { Points } from "./scale.ts";
import { MINUTE, parseIso, printIso } from "./wallclock.ts";

export interface ReportQuestion {
  readonly site: string;
  readonly timeZone: string;
  readonly range: Range;
  /** The same in the API's form. */
  readonly dateRange: QueryRequest["date_range"];
  readonly compare: Compare;
  readonly interval: Interval | undefined;
  readonly filters: readonly Condition[];
  /** The server's clock, epoch ms. */
  readonly now: number;
}

export interface Report {
  readonly numbers: Numbers;
  readonly before: Numbers | undefined;
  /** Nothing is known from before that period: it may hold less than a whole one. */
  readonly isFirst: boolean;
  readonly errors: Readonly<Record<string, number>>;
  readonly hasOtherMoney: boolean;
  readonly period: Period;
  /** Of the answer that the headline is made of. */
  readonly meta: QueryMeta;
  /** The line of one metric, as far as time has come; undefined where the filters do not have it. */
  points(metric: Metric): Points | undefined;
  /** Of a metric that the filters do not have, visitors. */
  series(metric: Metric): Series;
}

interface Past {
  /** Undefined until they are known. */
  readonly numbers: Numbers | undefined;
  readonly isFirst: boolean;
  /** Undefined where the server has no line to compare with. */
  readonly rows: ReadonlyMap<number, Numbers> | undefined;
  readonly buckets: readonly Bucket[];
}

/** Days, in which a site that is not new certainly had an event. */
const LATELY = 31 * 24 * 60 * MINUTE;
/** The first day that the API takes, which is the site's own as all days are. */
const EVER = "1970-01-02";
/**
 * What rollups tell about one value of a dimension: visits as a whole do not belong to a page or an event. Conditions on
 * several dimensions are the archive's to answer, which has everything but the views of a visit that an event chose.
 */
export function metricsOf(filters: readonly Condition[]): readonly Metric[] {
  const [first, ...others] = filters;
  if (!first) return METRICS;
  if (others.some(({ dimension }) => dimension !== first.dimension)) {
    const isOfEvents = filters.some(({ dimension }) => /^event:(?!page$|hostname$)/.test(dimension));
    return METRICS.filter((name) => !(isOfEvents && name === "views_per_visit"));
  }
  const { dimension } = first;
  if (dimension === "visit:exit_page") return METRICS.filter((name) => name !== "total_revenue");
  const isOne = filters.length === 1 && first.operator === "is" && first.values.length === 1;
  const some = METRICS.filter((name) => isOne || name !== "visits");
  if (dimension === "event:page") return some.filter((name) => name !== "views_per_visit");
  const ofEvents: readonly Metric[] = ["visitors", "visits", "pageviews", "events", "total_revenue"];
  return dimension.startsWith("event:") ? some.filter((name) => ofEvents.includes(name)) : METRICS;
}

/**
 * Loads reports one after the other and keeps the comparison, which changes once a minute at most. Where it is not known,
 * a report without it, or with that of a minute ago, comes first: nobody waits for two periods to see one.
 */
export function reportLoader(): (
  question: ReportQuestion,
  signal: AbortSignal,
  progress: Progress,
) => AsyncGenerator<Report, void> {
  let kept: { about: string; key: string; past: Past } | undefined;
  /** A site, and since when it certainly had events. */
  let old: { site: string; since: number } | undefined;

  return async function* (question, signal, progress) {
    const { site, timeZone, range, dateRange, compare, filters } = question;
    const now = question.now;
    const metrics = metricsOf(filters);
    const base = { site_id: site, metrics, filters: filtersOf(filters) };
    const ask = (more: Partial<QueryRequest>) =>
      query({ ...base, date_range: dateRange, ...more }, signal, { priority: "high", progress });
    const perBucket = (interval: Interval, period?: Period) =>
      ask({
        dimensions: [`time:${interval}`],
        pagination: { limit: 10_000, offset: 0 },
        ...(period ? { date_range: isoRange(period, timeZone) } : {}),
      });

    // Only "all" has a length that this side cannot know before the server has answered.
    const guess = resolve(range, now, timeZone);
    const early = guess ? perBucket(intervalOf(range, guess, now, question.interval)) : undefined;
    const [total, earlyRows] = await Promise.all([ask({}), early]);
    const period = answeredPeriod(total);
    const asked = guess ?? period;
    const interval = intervalOf(range, asked, now, question.interval);
    const rows = earlyRows ?? (await perBucket(interval));
    const minuteNow = Math.floor(now / MINUTE) * MINUTE;
    const before = compare === "off" ? undefined : previous(range, period, minuteNow, timeZone, compare);
    if (!before) {
      yield reportOf(undefined);
      return;
    }
    const about = JSON.stringify([site, range, interval, filters, compare]);
    const key = JSON.stringify(before);
    // Of a year ago there are no minutes left: the totals are compared, the line is not.
    const hasLine = intervalsOf(before.whole, now).includes(interval);
    if (kept?.about !== about) {
      const none = { numbers: undefined, isFirst: false, rows: hasLine ? new Map() : undefined, buckets: [] };
      kept = { about, key: "", past: none };
    }
    yield reportOf(kept.past);
    if (kept.key === key) return;
    const [totals, isFirst, series] = await Promise.all([
      ask({ date_range: isoRange(before.toDate, timeZone) }),
      isNothingBefore(before.whole.start),
      hasLine ? perBucket(interval, before.whole) : undefined,
    ]);
    const past = {
      numbers: totalsOf(totals, metrics),
      // Where some of it is not kept any more, it is not whole either.
      isFirst: isFirst || totals.meta.kept_from !== undefined,
      rows: series && rowsByStart(series, metrics, timeZone),
      buckets: buckets(before.whole, interval, timeZone),
    };
    kept = { about, key, past };
    yield reportOf(past);

    /** A site that began within the period before, or after it, seems to have grown without end. */
    async function isNothingBefore(start: number): Promise<boolean> {
      if (old?.site === site && old.since <= start) return false;
      // Most sites had events lately, and all the time there was is much to read.
      for (const from of [printIso(start - LATELY, timeZone).slice(0, 10), EVER]) {
        const { results } = await ask({
          metrics: ["pageviews", "events"],
          filters: [],
          date_range: [from, printIso(start - 1_000, timeZone)],
        });
        if (!results[0]?.metrics.some((value) => numberOf(value))) continue;
        old = { site, since: start };
        return false;
      }
      return true;
    }

    function reportOf(past: Past | undefined): Report {
      const found = rowsByStart(rows, metrics, timeZone);
      const line = buckets(period, interval, timeZone);
      const completeUntil = rows.meta.complete_until ?? Number.POSITIVE_INFINITY;
      const numbers = totalsOf(total, metrics);
      const points = (metric: Metric): Points =>
        line.map(({ start }) =>
          start > now ? undefined : valueAt(found, start, metric, numbers.get(metric)),
        );
      return {
        numbers,
        before: past?.numbers,
        isFirst: past?.isFirst ?? false,
        errors: total.meta.error ?? {},
        hasOtherMoney: total.meta.metric_warnings?.total_revenue?.code === "other_currencies",
        period,
        meta: total.meta,
        points: (metric) => (metrics.includes(metric) ? points(metric) : undefined),
        series: (wanted) => {
          const metric = metrics.includes(wanted) ? wanted : "visitors";
          const before = past?.rows;
          return {
            metric,
            interval,
            // Of what was asked for, of which a part may not be kept: else the one that is shown may not be among them.
            intervals: intervalsOf(asked, now),
            buckets: line,
            values: points(metric),
            past:
              before &&
              counterparts(line, past.buckets, interval).map(
                (bucket) => bucket && valueAt(before, bucket.start, metric, numbers.get(metric)),
              ),
            completeUntil,
            error: rows.meta.error?.[metric] ?? 0,
          };
        },
      };
    }
  };
}

const byName = (metrics: readonly Metric[], row: readonly MetricValue[]): Numbers =>
  new Map(metrics.map((name, i) => [name, row[i] ?? null]));

const totalsOf = (answer: QueryAnswer, metrics: readonly Metric[]): Numbers =>
  byName(metrics, answer.results[0]?.metrics ?? []);

/** By the moments at which their buckets begin. */
function rowsByStart(
  answer: QueryAnswer,
  metrics: readonly Metric[],
  timeZone: string,
): ReadonlyMap<number, Numbers> {
  return new Map(
    answer.results.map(({ metrics: row, dimensions: [label = ""] }) => [
      parseIso(label, timeZone),
      byName(metrics, row),
    ]),
  );
}

/** The bucket of the time before that each is compared with: that of the same hour, also where clocks changed on one of the days. */
function counterparts(
  line: readonly Bucket[],
  before: readonly Bucket[],
  interval: Interval,
): readonly (Bucket | undefined)[] {
  if (interval !== "minute" && interval !== "hour") return line.map((_, i) => before[i]);
  const into = (buckets: readonly Bucket[], { wall }: Bucket): number => wall - buckets[0]!.wall;
  const found = new Map(before.toReversed().map((bucket) => [into(before, bucket), bucket]));
  return line.map((bucket) => found.get(into(line, bucket)));
}

/** A window without a row counted none; an average over none has no value, and neither has one in another currency than the whole. */
function valueAt(
  rows: ReadonlyMap<number, Numbers>,
  start: number,
  metric: Metric,
  whole: MetricValue | undefined,
): number | undefined {
  const value = rows.get(start)?.get(metric);
  const n = numberOf(value);
  if (n === undefined) return COUNTED.has(metric) ? 0 : undefined;
  return currencyOf(value) === currencyOf(whole) ? n : undefined;
}

/** The API takes inclusive ends: the last second that belongs to the period. */
function isoRange({ start, end }: Period, timeZone: string): [string, string] {
  return [printIso(start, timeZone), printIso(end - 1_000, timeZone)];
}

/** The edges as the server resolved them; what it names last is the last second within. */
function answeredPeriod({ query }: QueryAnswer): Period {
  const [start, last] = query.date_range.map(Date.parse) as [number, number];
  return { start, end: last + 1_000 };
}
