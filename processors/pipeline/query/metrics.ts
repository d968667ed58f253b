/** From measures to the numbers people read. Definitions are the Stats API's where it has one; each says what it divides. */
import { EXIT_PAGE } from "../../model/dimensions.ts";
import type { Vital } from "../../model/event.ts";
import type { Count, Measures, Money } from "../../model/measures.ts";
import { RELATIVE_ACCURACY } from "../../sketches/quantiles.ts";
import { EXACT_LIMIT, RELATIVE_ERROR } from "../../sketches/ultraloglog.ts";
import { minorDigits } from "../decode/revenue.ts";
import { isVital, type Metric, type VitalMetric } from "./request.ts";

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
  /** Not less than `visitors`, and known without counting them. */
  readonly mostVisitors: number;
  /** Whether `visitors` has no error. */
  readonly isExact: boolean;
  /** By ISO 4217 currency. */
  readonly revenue: ReadonlyMap<string, Money> | undefined;
  /** The value of a web vital at 0 <= q <= 1; undefined where none was reported or kept. */
  quantile(vital: Vital, q: number): number | undefined;
}

/** What a tally is made of: integers, and what takes some work to ask for. */
export interface Merged {
  readonly counts: Readonly<Record<Count, number>>;
  readonly visitors: Measures["visitors"];
  /** Not less than the visitors, if that is known without asking for them. */
  readonly mostVisitors?: number;
  readonly extras: Pick<Measures, "revenue" | "vitals">;
}

/** What was merged, as a tally; `dimension` is the one whose table it is from. */
export class MergedTally implements Tally {
  readonly #merged: Merged;
  readonly #counts: Readonly<Record<Count, number>>;
  readonly #dimension: string | undefined;
  #visitors: number | undefined;

  constructor(merged: Merged, dimension?: string) {
    this.#merged = merged;
    this.#counts = merged.counts;
    this.#dimension = dimension;
  }

  get visitors(): number {
    this.#visitors ??= visitorsOf(this.#merged, this.#dimension);
    return this.#visitors;
  }
  get mostVisitors(): number {
    if (this.#dimension === EXIT_PAGE) return this.visitors;
    return this.#merged.mostVisitors ?? this.visitors;
  }
  get isExact(): boolean {
    if (
      this.#dimension === EXIT_PAGE ||
      (this.#merged.mostVisitors ?? Number.POSITIVE_INFINITY) <= EXACT_LIMIT
    )
      return true;
    return this.#merged.visitors?.isExact ?? true;
  }
  get revenue(): ReadonlyMap<string, Money> | undefined {
    return this.#merged.extras.revenue;
  }
  get events(): number {
    return this.#counts.events;
  }
  get pageviews(): number {
    return this.#counts.pageviews;
  }
  get visits(): number {
    return this.#counts.visits;
  }
  get bounces(): number {
    return this.#counts.bounces;
  }
  get durationMs(): number {
    return this.#counts.durationMs;
  }
  get engagedMs(): number {
    return this.#counts.engagedMs;
  }
  get reads(): number {
    return this.#counts.reads;
  }
  get scrollSum(): number {
    return this.#counts.scrollSum;
  }
  get scrolls(): number {
    return this.#counts.scrolls;
  }

  quantile(vital: Vital, q: number): number | undefined {
    return this.#merged.extras.vitals?.get(vital)?.quantile(q);
  }
}

/**
 * Visitors of a row. An estimate is brought down to what was known as the most, so that rows which were passed over for
 * that are the same whatever is asked. Exit pages count visitors as an integer, because an exit page can be taken back.
 * A visitor is counted with the first of their visits that end there; where a range holds only a later one, there is
 * somebody all the same.
 */
function visitorsOf(merged: Merged, dimension: string | undefined): number {
  const { counts } = merged;
  if (dimension === EXIT_PAGE) return Math.max(counts.exitVisitors, Math.min(1, Math.max(0, counts.visits)));
  return Math.min(merged.visitors?.estimate() ?? 0, merged.mostVisitors ?? Number.POSITIVE_INFINITY);
}

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
  /** Those of them whom the filters on visits leave, whatever they did. */
  readonly eligibleVisitors: number;
  /** Those of the row's group, whatever goals they reached. */
  readonly groupVisitors?: number | undefined;
}

export function metricValue(
  metric: Metric,
  measures: Tally,
  { isPage, entry, allVisitors, eligibleVisitors, groupVisitors = 0 }: MetricContext,
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
      return ratio(100 * measures.visitors, allVisitors, 1);
    case "conversion_rate":
      return ratio(100 * measures.visitors, eligibleVisitors, 1);
    case "group_conversion_rate":
      return ratio(100 * measures.visitors, groupVisitors, 1);
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
  // Less than half a cent of refunds is nothing: `-0 + 0` is 0, and "-$0.00" is no amount.
  const value = Math.round(pick(minor, count)) / 10 ** digits + 0;
  const { short, long } = formatsOf(currency);
  return { currency, value, short: short.format(value), long: long.format(value) };
}

/** Not less than the metric's value and known with little work; undefined where only the value itself says. */
export function metricAtMost(
  metric: Metric,
  { mostVisitors }: Tally,
  { allVisitors, eligibleVisitors }: Pick<MetricContext, "allVisitors" | "eligibleVisitors">,
): number | undefined {
  if (metric === "visitors") return mostVisitors;
  if (metric === "percentage") return ratio(100 * mostVisitors, allVisitors, 1);
  if (metric === "conversion_rate") return ratio(100 * mostVisitors, eligibleVisitors, 1);
  return undefined;
}

function vital(metric: VitalMetric, measures: Tally): number | null {
  const [name, percentile] = metric.split("_p") as [Vital, string];
  const value = measures.quantile(name, Number(percentile) / 100);
  return value === undefined ? null : round(value, name === "cls" ? 3 : 0);
}

/** Relative standard error of a metric; 0 where it is exact. `isExact` says whether all its counts of visitors are. */
export function metricError(metric: Metric, isExact: boolean): number {
  if (isVital(metric)) return RELATIVE_ACCURACY;
  const usesVisitors = metric === "visitors" || metric === "percentage" || metric === "conversion_rate";
  return usesVisitors && !isExact ? RELATIVE_ERROR : 0;
}
