/** From measures to the numbers people read. Definitions are the Stats API's where it has one; each says what it divides. */
import { EXIT_PAGE } from "../../model/dimensions.ts";
import type { Vital } from "../../model/event.ts";
import type { Count, Measures, Money } from "../../model/measures.ts";
import { RELATIVE_ACCURACY } from "../../sketches/quantiles.ts";
import { RELATIVE_ERROR } from "../../sketches/ultraloglog.ts";
import { minorDigits } from "../decode/revenue.ts";
import type { Metric, VitalMetric } from "./request.ts";

export interface MoneyValue {
  readonly currency: string;
  /** Major units. */
  readonly value: number;
  readonly short: string;
  readonly long: string;
}
export type MetricValue = number | null | MoneyValue;

/** What was counted for one row: merged from rollups, or counted from an archive. */
export interface Tally extends Readonly<Record<Exclude<Count, "exitVisitors">, number>> {
  /** Distinct visitors. */
  readonly visitors: number;
  /** Whether `visitors` has no error. */
  readonly isExact: boolean;
  /** By ISO 4217 currency. */
  readonly revenue: ReadonlyMap<string, Money> | undefined;
  /** The value of a web vital at 0 <= q <= 1; undefined where none was reported or kept. */
  quantile(vital: Vital, q: number): number | undefined;
}

/** Merged measures as a tally; `dimension` is the one whose table they are from. */
export class MergedTally implements Tally {
  readonly #measures: Measures;
  readonly #dimension: string | undefined;
  #visitors: number | undefined;

  constructor(measures: Measures, dimension?: string) {
    this.#measures = measures;
    this.#dimension = dimension;
  }

  get visitors(): number {
    this.#visitors ??= visitorsOf(this.#measures, this.#dimension);
    return this.#visitors;
  }
  get isExact(): boolean {
    return this.#dimension === EXIT_PAGE || (this.#measures.visitors?.isExact ?? true);
  }
  get revenue(): ReadonlyMap<string, Money> | undefined {
    return this.#measures.revenue;
  }
  get events(): number {
    return this.#measures.events;
  }
  get pageviews(): number {
    return this.#measures.pageviews;
  }
  get visits(): number {
    return this.#measures.visits;
  }
  get bounces(): number {
    return this.#measures.bounces;
  }
  get durationMs(): number {
    return this.#measures.durationMs;
  }
  get engagedMs(): number {
    return this.#measures.engagedMs;
  }
  get reads(): number {
    return this.#measures.reads;
  }
  get scrollSum(): number {
    return this.#measures.scrollSum;
  }
  get scrolls(): number {
    return this.#measures.scrolls;
  }

  quantile(vital: Vital, q: number): number | undefined {
    return this.#measures.vitals?.get(vital)?.quantile(q);
  }
}

/**
 * Visitors of a row. Exit pages count them as an integer, because an exit page can be taken back. A visitor is counted
 * with the first of their visits that end there; where a range holds only a later one, there is somebody all the same.
 */
const visitorsOf = (measures: Measures, dimension: string | undefined): number =>
  dimension === EXIT_PAGE
    ? Math.max(measures.exitVisitors, Math.min(1, Math.max(0, measures.visits)))
    : (measures.visitors?.estimate() ?? 0);

const round = (value: number, digits = 0): number => Math.round(value * 10 ** digits) / 10 ** digits;
/** `part / whole`, rounded half up. Whole numbers are divided once and last: 100 * (46 / 80) would be 57.49999. */
const ratio = (part: number, whole: number, digits = 0): number =>
  whole === 0 ? 0 : Math.round((part * 10 ** digits) / whole) / 10 ** digits;

export interface MetricContext {
  /** Whether rows are pages: of what only visits have, theirs is `entry`'s. */
  readonly isPage: boolean;
  /** Of the visits that entered on the page of the same name. */
  readonly entry: Tally | undefined;
  /** All visitors of the query, whatever the row. */
  readonly allVisitors: number;
}

export function metricValue(
  metric: Metric,
  measures: Tally,
  { isPage, entry, allVisitors }: MetricContext,
): MetricValue {
  const visit = isPage ? entry : measures;
  switch (metric) {
    case "visitors":
      return measures.visitors;
    case "visits":
      return measures.visits;
    case "pageviews":
      return measures.pageviews;
    case "events":
      return measures.events;
    case "views_per_visit":
      return ratio(measures.pageviews, measures.visits, 2);
    case "bounce_rate": // percent of visits
      return ratio(100 * (visit?.bounces ?? 0), visit?.visits ?? 0);
    case "visit_duration": // seconds a visit
      return ratio(visit?.durationMs ?? 0, 1000 * (visit?.visits ?? 0));
    case "engaged_time": // visible, active seconds a visit
      return ratio(measures.engagedMs, 1000 * measures.visits);
    case "time_on_page": // seconds, over the (visit, page) pairs that reported
      return measures.reads === 0 ? null : ratio(measures.engagedMs, 1000 * measures.reads);
    case "scroll_depth": // percent, over the pairs that reported
      return measures.scrolls === 0 ? null : ratio(measures.scrollSum, measures.scrolls);
    case "total_revenue":
      return revenue(measures, (minor) => minor);
    case "average_revenue":
      return revenue(measures, (minor, count) => (count === 0 ? 0 : minor / count));
    case "percentage":
    case "conversion_rate":
      return ratio(100 * measures.visitors, allVisitors, 1);
    default:
      return vital(metric, measures);
  }
}

interface MoneyFormats {
  readonly short: Intl.NumberFormat;
  readonly long: Intl.NumberFormat;
}

/** Making a formatter costs as much as a hundred numbers; there are as many as currencies in use. */
const moneyFormats = new Map<string, MoneyFormats>();

function formatsOf(currency: string): MoneyFormats {
  const known = moneyFormats.get(currency);
  if (known) return known;
  const format = (options: Intl.NumberFormatOptions): Intl.NumberFormat =>
    new Intl.NumberFormat("en-US", { style: "currency", currency, ...options });
  const formats = {
    short: format({ notation: "compact", maximumFractionDigits: 1, minimumFractionDigits: 1 }),
    long: format({}),
  };
  moneyFormats.set(currency, formats);
  return formats;
}

/** In the currency that most events had; adding up several without a rate would be a lie. */
function revenue(measures: Tally, pick: (minor: number, count: number) => number): MoneyValue | null {
  const [first] = [...(measures.revenue ?? [])].sort(
    (a, b) => b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1),
  );
  if (!first) return null;
  const [currency, { minor, count }] = first;
  const digits = minorDigits(currency);
  const value = Math.round(pick(minor, count)) / 10 ** digits;
  const { short, long } = formatsOf(currency);
  return { currency, value, short: short.format(value), long: long.format(value) };
}

function vital(metric: VitalMetric, measures: Tally): number | null {
  const [name, percentile] = metric.split("_p") as [Vital, string];
  const value = measures.quantile(name, Number(percentile) / 100);
  return value === undefined ? null : round(value, name === "cls" ? 3 : 0);
}

/** Relative standard error of a metric; 0 where it is exact. `isExact` says whether all its counts of visitors are. */
export function metricError(metric: Metric, isExact: boolean): number {
  if (metric.includes("_p7") || metric.includes("_p9")) return RELATIVE_ACCURACY;
  const usesVisitors = metric === "visitors" || metric === "percentage" || metric === "conversion_rate";
  return usesVisitors && !isExact ? RELATIVE_ERROR : 0;
}
