/** The headline and the chart of one period: which questions that takes, and their answers lined up. No DOM. */
import { type MetricValue, type QueryAnswer, type QueryRequest, query } from "./api.ts";
import type { Series } from "./chart.ts";
import { numberOf } from "./format.ts";
import { COUNTED, METRICS, type Metric, type Numbers } from "./headline.ts";
import { filterOf } from "./panel.ts";
import {
  apiRange,
  type Bucket,
  buckets,
  type Interval,
  intervalOf,
  type Period,
  parseIso,
  previous,
  printIso,
  type Range,
  resolve,
  wallOfLabel,
} from "./period.ts";
import type { Focus } from "./state.ts";

export interface ReportQuestion {
  readonly site: string;
  readonly timeZone: string;
  readonly range: Range;
  readonly compare: boolean;
  readonly focus: Focus | undefined;
  /** The server's clock, epoch ms. */
  readonly now: number;
}

export interface Report {
  readonly numbers: Numbers;
  readonly before: Numbers | undefined;
  readonly errors: Readonly<Record<string, number>>;
  readonly period: Period | undefined;
  /** Of a metric that the focus does not have, visitors. */
  series(metric: Metric): Series;
}

interface Past {
  readonly numbers: Numbers;
  readonly rows: ReadonlyMap<number, Numbers>;
  readonly buckets: readonly Bucket[];
}

const MINUTE = 60_000;
/** What the API can tell about one value of a dimension: visits as a whole do not belong to a page or an event. */
function metricsOf(focus: Focus | undefined): readonly Metric[] {
  const dimension = focus?.dimension ?? "";
  if (dimension === "visit:exit_page") return METRICS.filter((name) => name !== "total_revenue");
  if (dimension === "event:page") return METRICS.filter((name) => name !== "views_per_visit");
  if (dimension.startsWith("event:")) return ["visitors", "visits", "pageviews", "events", "total_revenue"];
  return METRICS;
}

/** Loads reports one after the other and keeps the comparison, which changes once a minute at most. */
export function reportLoader(): (question: ReportQuestion, signal: AbortSignal) => Promise<Report> {
  let kept: { key: string; past: Past } | undefined;

  return async (question, signal) => {
    const { site, timeZone, range, focus } = question;
    const now = question.now;
    const metrics = metricsOf(focus);
    const base = { site_id: site, metrics, filters: filterOf(focus) };
    const ask = (more: Partial<QueryRequest>) =>
      query({ ...base, date_range: apiRange(range), ...more }, signal);
    const perBucket = (interval: Interval, period?: Period) =>
      ask({
        dimensions: [`time:${interval}`],
        pagination: { limit: 10_000, offset: 0 },
        ...(period ? { date_range: isoRange(period, timeZone) } : {}),
      });

    // Only "all" has a length that this side cannot know before the server has answered.
    const guess = resolve(range, now, timeZone);
    const early = guess ? perBucket(intervalOf(range, guess)) : undefined;
    const [total, earlyRows] = await Promise.all([ask({}), early]);
    const period = answeredPeriod(total, timeZone) ?? guess;
    const interval = intervalOf(range, guess ?? period);
    const [rows, past] = await Promise.all([
      earlyRows ?? perBucket(interval),
      question.compare ? loadPast(period, interval) : undefined,
    ]);

    async function loadPast(current: Period | undefined, step: Interval): Promise<Past | undefined> {
      const minuteNow = Math.floor(now / MINUTE) * MINUTE;
      const before = previous(range, current, minuteNow, timeZone);
      if (!before) return undefined;
      const key = JSON.stringify([site, range, focus, before]);
      if (kept?.key === key) return kept.past;
      const [totals, series] = await Promise.all([
        ask({ date_range: isoRange(before.toDate, timeZone) }),
        perBucket(step, before.whole),
      ]);
      const past = {
        numbers: totalsOf(totals, metrics),
        rows: rowsByWall(series, metrics),
        buckets: buckets(before.whole, step, timeZone),
      };
      kept = { key, past };
      return past;
    }

    const found = rowsByWall(rows, metrics);
    const line = period ? buckets(period, interval, timeZone) : bucketsOfRows(found);
    const completeUntil = rows.meta.complete_until ?? Number.POSITIVE_INFINITY;
    return {
      numbers: totalsOf(total, metrics),
      before: past?.numbers,
      errors: total.meta.error ?? {},
      period,
      series: (wanted) => {
        const metric = metrics.includes(wanted) ? wanted : "visitors";
        return {
          metric,
          interval,
          buckets: line,
          values: line.map(({ wall, start }) => (start > now ? undefined : valueAt(found, wall, metric))),
          past:
            past && line.map((_, i) => past.buckets[i] && valueAt(past.rows, past.buckets[i].wall, metric)),
          completeUntil,
          error: rows.meta.error?.[metric] ?? 0,
        };
      },
    };
  };
}

const byName = (metrics: readonly Metric[], row: readonly MetricValue[]): Numbers =>
  new Map(metrics.map((name, i) => [name, row[i] ?? null]));

const totalsOf = (answer: QueryAnswer, metrics: readonly Metric[]): Numbers =>
  byName(metrics, answer.results[0]?.metrics ?? []);

/** Keyed by the reading of the site's clock, in which the labels are written. */
function rowsByWall(answer: QueryAnswer, metrics: readonly Metric[]): ReadonlyMap<number, Numbers> {
  return new Map(
    answer.results.map(({ metrics: row, dimensions: [label = ""] }) => [
      wallOfLabel(label),
      byName(metrics, row),
    ]),
  );
}

/** A window without a row counted none; an average over none has no value. */
function valueAt(rows: ReadonlyMap<number, Numbers>, wall: number, metric: Metric): number | undefined {
  return numberOf(rows.get(wall)?.get(metric)) ?? (COUNTED.has(metric) ? 0 : undefined);
}

/** The API takes inclusive ends: the last second that belongs to the period. */
function isoRange({ start, end }: Period, timeZone: string): [string, string] {
  return [printIso(start, timeZone), printIso(end - 1_000, timeZone)];
}

/** The edges as the server resolved them, where it tells. */
function answeredPeriod(answer: QueryAnswer, timeZone: string): Period | undefined {
  const range = answer.query?.date_range;
  if (typeof range === "string" || !range) return undefined;
  const [from, to] = range;
  const start = parseIso(from, timeZone);
  const last = parseIso(to.length > 10 ? to : `${to}T23:59:59`, timeZone);
  return Number.isFinite(start) && Number.isFinite(last)
    ? { start, end: Math.ceil((last + 1) / MINUTE) * MINUTE }
    : undefined;
}

/** Where no edges are known, the rows themselves say which buckets exist. */
function bucketsOfRows(rows: ReadonlyMap<number, unknown>): Bucket[] {
  const walls = [...rows.keys()].sort((a, b) => a - b);
  return walls.map((wall, i) => ({ wall, start: wall, end: walls[i + 1] ?? Number.POSITIVE_INFINITY }));
}
