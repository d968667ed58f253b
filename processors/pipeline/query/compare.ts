/** Comparison with another range: which range that is, and how much a number moved. */
import { DAY_MS, type EpochMs, MINUTE_MS, windowStart } from "../../model/time.ts";
import { addDays, dayStart, hourEnd, hourStart, type LocalDate, localDate } from "../../model/zone.ts";
import { bad } from "../fields.ts";
import type { Comparison } from "./include.ts";
import type { MetricValue } from "./metrics.ts";
import { parseRange, type Range } from "./range.ts";
import type { Metric, QueryRequest } from "./request.ts";

/**
 * The range to compare with. Of a range that is not over only the part that has passed is compared, with the same part
 * of the other, so that half a day is not measured against a whole one; beyond the last days that part is rounded up
 * to a whole hour, because minutes are kept no longer. `isKept` says whether the minutes at an instant still are.
 * Throws `bad_request` naming include.compare.
 */
export function comparisonRange(
  comparison: Comparison,
  range: Range,
  name: QueryRequest["dateRange"],
  { zone, now, isKept }: { zone: string; now: EpochMs; isKept: (at: EpochMs) => boolean },
): Range {
  if (comparison.mode === "custom")
    return parseRange(comparison.dateRange ?? ["", ""], zone, now, now, "include.compare");
  if (name === "all") bad('include.compare: nothing comes before date_range "all"');
  const passed = Math.max(
    range.from + MINUTE_MS,
    Math.min(range.to, windowStart(now, MINUTE_MS) + MINUTE_MS),
  );
  const shift = shiftOf(comparison, range, passed, zone);
  const from = shift(range.from);
  const whole = shift(range.to);
  const end = passed === range.to ? whole : Math.min(whole, shift(passed));
  const to = isKept(from) || end === hourStart(zone, end) ? end : hourEnd(zone, end);
  return parseRange(
    [isoUtc(from), isoUtc(Math.max(to, from + MINUTE_MS))],
    zone,
    now,
    now,
    "include.compare",
  );
}

const isoUtc = (at: EpochMs): string => new Date(at).toISOString();

/** Moves an instant of the range to its counterpart. Ranges of whole days move by days, all others by their length. */
function shiftOf(
  { mode, matchDayOfWeek }: Comparison,
  range: Range,
  passed: EpochMs,
  zone: string,
): (at: EpochMs) => EpochMs {
  const first = localDate(zone, range.from);
  const isWholeDays =
    range.from === dayStart(zone, first) && range.to === dayStart(zone, localDate(zone, range.to));
  if (mode === "previous_period" && !isWholeDays) {
    const length = range.to - range.from;
    return (at) => at - length;
  }
  const last = localDate(zone, passed - 1);
  const plain =
    mode === "previous_period" ? addDays(first, -daysBetween(first, addDays(last, 1))) : yearBefore(first);
  const target = matchDayOfWeek ? sameDayOfWeek(first, plain) : plain;
  const days = daysBetween(target, first);
  return (at) => {
    const date = localDate(zone, at);
    const moved = addDays(date, -days);
    // A day on which the clocks move is shorter or longer: never beyond its end.
    return Math.min(dayStart(zone, moved) + (at - dayStart(zone, date)), dayStart(zone, addDays(moved, 1)));
  };
}

const utc = (date: LocalDate): number => Date.parse(`${date}T00:00:00Z`);
const daysBetween = (from: LocalDate, to: LocalDate): number => Math.round((utc(to) - utc(from)) / DAY_MS);

/** 29 February has 28 February for its counterpart. */
function yearBefore(date: LocalDate): LocalDate {
  const year = String(Number(date.slice(0, 4)) - 1).padStart(4, "0");
  return date.endsWith("-02-29") ? `${year}-02-28` : `${year}${date.slice(4)}`;
}

/** The date nearest to `target` with the day of the week of `date`, and not `date` itself. */
function sameDayOfWeek(date: LocalDate, target: LocalDate): LocalDate {
  const ahead = ((daysBetween(target, date) % 7) + 7) % 7;
  const [near, far] = ahead <= 3 ? [ahead, ahead - 7] : [ahead - 7, ahead];
  const nearest = addDays(target, near);
  return nearest === date ? addDays(target, far) : nearest;
}

/** Metrics that are percentages already: their change is in points. */
const IN_POINTS: ReadonlySet<Metric> = new Set(["bounce_rate", "conversion_rate", "group_conversion_rate"]);

/**
 * Change against the number before, as the Stats API states it: whole percent, 100 for something after nothing; bounce
 * and conversion rates in points. Refunds make a number negative: its size is what a change is a share of, and more than
 * it is a rise. Null where there is nothing to compare: no number, another currency, no bounce rate.
 */
export function changeOf(metric: Metric, now: MetricValue, before: MetricValue): number | null {
  if (now === null || before === null) return null;
  if (typeof now === "object" && typeof before === "object" && now.currency !== before.currency) return null;
  const [current, past] = [now, before].map((value) => (typeof value === "object" ? value.value : value)) as [
    number,
    number,
  ];
  if (metric === "bounce_rate" && past === 0) return null;
  if (IN_POINTS.has(metric)) return Math.round((current - past) * 10) / 10;
  if (past === 0) return 100 * Math.sign(current);
  return Math.round(((current - past) / Math.abs(past)) * 100);
}
