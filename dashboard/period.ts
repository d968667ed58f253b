/**
 * Ranges as calendar arithmetic in the site's time zone: from a range's name to its edges, buckets and previous period.
 * Knows no request and no formatting. A "wall" number is a reading of the site's clock (wallclock.ts).
 */
import { DAY, epochAt, HOUR, MINUTE, wallAt, wallOf } from "./wallclock.ts";

export const RANGES = [
  "realtime",
  "day",
  "yesterday",
  "24h",
  "7d",
  "28d",
  "30d",
  "91d",
  "month",
  "lastmonth",
  "year",
  "6mo",
  "12mo",
  "all",
] as const;
export type RangeName = (typeof RANGES)[number];
/**
 * A name, or two inclusive dates as `2026-01-01..2026-01-31`, or two times of the site's clock of which the second is
 * excluded, as `2026-01-01T10:00..2026-01-01T12:30`.
 */
export type Range = RangeName | `${string}..${string}`;
export const INTERVALS = ["minute", "hour", "day", "week", "month"] as const;
export type Interval = (typeof INTERVALS)[number];
/** What a period is compared with. */
export type Compare = "previous" | "year" | "off";

export interface Period {
  /** Epoch ms, half-open [start, end); `end` may lie in the future. */
  readonly start: number;
  readonly end: number;
}

/** The server keeps minutes for eight days; an hour less, so that nobody asks for what is about to go. */
const MINUTES_KEPT = 8 * DAY - HOUR;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;
const END_OF_TIME = Date.UTC(2200, 0);

/** Its two dates, both inclusive; undefined for what is not a range of dates. */
export function customDates(range: Range): readonly [string, string] | undefined {
  const [from = "", to = ""] = range.split("..");
  return DATE.test(from) && DATE.test(to) && isReal(from) && isReal(to) && from <= to
    ? [from, to]
    : undefined;
}

/** Its two times on the site's clock, the second excluded; undefined for what is not a range of times. */
export function customTimes(range: Range): readonly [string, string] | undefined {
  const [from = "", to = ""] = range.split("..");
  return TIME.test(from) && TIME.test(to) && isReal(from) && isReal(to) && from < to ? [from, to] : undefined;
}

/** 30 February has the form of a date. Beyond the server's last year there is nothing, and too much of it to draw. */
const isReal = (text: string): boolean => {
  const wall = wallOf(text);
  return wall < END_OF_TIME && new Date(wall).toISOString().startsWith(text);
};

export function isRange(text: string): text is Range {
  return (
    (RANGES as readonly string[]).includes(text) ||
    Boolean(customDates(text as Range) ?? customTimes(text as Range))
  );
}

const dateText = (wall: number): string => new Date(wall).toISOString().slice(0, 10);
const timeText = (wall: number): string => new Date(wall).toISOString().slice(0, 16);

/** The API's form of a range: the names that it knows, else two dates or times of the site's clock. */
export function apiRange(range: Range, now: number, timeZone: string): string | readonly [string, string] {
  const times = customTimes(range);
  if (times) return [`${times[0]}:00`, `${times[1]}:00`];
  if (range !== "yesterday" && range !== "lastmonth") return customDates(range) ?? range;
  const { start, end } = wallPeriod(range, now, timeZone)!;
  return [dateText(start), dateText(end - DAY)];
}

/** Months keep the day of the month where the target has it, else its last day. */
export function addMonths(wall: number, months: number): number {
  const date = new Date(wall);
  const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
  const next = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months + 1, 1);
  const intoMonth = wall - Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  return Math.min(first + intoMonth, next - DAY + (wall % DAY));
}

const monthStart = (wall: number): number => wall - (wall % DAY) - (new Date(wall).getUTCDate() - 1) * DAY;

/** Weeks begin on Monday, as the server's do. */
const weekStart = (wall: number): number =>
  wall - (wall % DAY) - ((new Date(wall).getUTCDay() + 6) % 7) * DAY;

/** Edges of a range; undefined for `all`, whose start only the server knows. */
export function resolve(range: Range, now: number, timeZone: string): Period | undefined {
  if (range === "realtime") return { start: now - 30 * MINUTE, end: now };
  if (range === "24h") return { start: now - DAY, end: now };
  const found = wallPeriod(range, now, timeZone);
  return found && { start: epochAt(found.start, timeZone), end: epochAt(found.end, timeZone) };
}

/** The same on the site's clock, for ranges that its calendar makes. */
function wallPeriod(range: Range, now: number, timeZone: string): Period | undefined {
  const dates = customDates(range);
  if (dates) return { start: wallOf(dates[0]), end: wallOf(dates[1]) + DAY };
  const times = customTimes(range);
  if (times) return { start: wallOf(times[0]), end: wallOf(times[1]) };
  const wall = wallAt(now, timeZone);
  const today = wall - (wall % DAY);
  const month = monthStart(wall);
  switch (range) {
    case "day":
      return { start: today, end: today + DAY };
    case "yesterday":
      return { start: today - DAY, end: today };
    case "month":
      return { start: month, end: addMonths(month, 1) };
    case "lastmonth":
      return { start: addMonths(month, -1), end: month };
    case "6mo":
      return { start: addMonths(month, -5), end: addMonths(month, 1) };
    case "12mo":
      return { start: addMonths(month, -11), end: addMonths(month, 1) };
    case "year": {
      const year = Date.UTC(new Date(wall).getUTCFullYear(), 0, 1);
      return { start: year, end: addMonths(year, 12) };
    }
    case "all":
      return undefined;
    default:
      return { start: today - (Number.parseInt(range, 10) - 1) * DAY, end: today + DAY };
  }
}

/** Whole months that a stretch of the site's calendar covers exactly; 0 if it does not. */
function wholeMonths({ start, end }: Period): number {
  if (monthStart(start) !== start || monthStart(end) !== end) return 0;
  const [from, to] = [new Date(start), new Date(end)];
  return (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth();
}

/** The range one length earlier or later, by its name where it has one; undefined where there is none, or only the future. */
export function shifted(range: Range, by: -1 | 1, now: number, timeZone: string): Range | undefined {
  if (range === "realtime" || range === "24h") return undefined;
  const found = wallPeriod(range, now, timeZone);
  if (!found) return undefined;
  const months = wholeMonths(found);
  const move = (wall: number): number =>
    months > 0 ? addMonths(wall, by * months) : wall + by * (found.end - found.start);
  const start = move(found.start);
  const end = move(found.end);
  if (start >= wallAt(now, timeZone)) return undefined;
  const name = (["day", "yesterday", "month", "lastmonth", "year"] as const).find((one) => {
    const known = wallPeriod(one, now, timeZone);
    return known?.start === start && known.end === end;
  });
  return name ?? rangeBetween(start, end);
}

/** The custom range over a stretch of the site's clock: dates where it is whole days, else times. */
export function rangeBetween(start: number, end: number): Range {
  return start % DAY === 0 && end % DAY === 0
    ? `${dateText(start)}..${dateText(end - DAY)}`
    : `${timeText(start)}..${timeText(end)}`;
}

/** Bucket lengths that make a readable chart of a period, and that the server still has. */
export function intervalsOf({ start, end }: Period, now: number): readonly Interval[] {
  const days = (end - start) / DAY;
  const fits: Readonly<Record<Interval, boolean>> = {
    minute: days <= 1.1 && start >= now - MINUTES_KEPT,
    hour: days > 0.1 && days <= 31.1,
    day: days > 1.1 && days <= 800,
    week: days > 13,
    month: days > 45,
  };
  const found = INTERVALS.filter((one) => fits[one]);
  return found.length > 0 ? found : ["hour"];
}

/** Bucket length of the main chart: what was chosen if it fits, else enough points for a shape, few enough to read. */
export function intervalOf(
  range: Range,
  period: Period,
  now: number,
  chosen: Interval | undefined,
): Interval {
  const fitting = intervalsOf(period, now);
  if (chosen && fitting.includes(chosen)) return chosen;
  if (range === "6mo" || range === "12mo" || range === "year") return "month";
  const days = (period.end - period.start) / DAY;
  if (days <= 0.26 && fitting.includes("minute")) return "minute";
  return days <= 2.1 ? "hour" : days <= 100 ? "day" : "month";
}

const next = (wall: number, interval: Interval): number => {
  if (interval === "month") return addMonths(wall, 1);
  return wall + { minute: MINUTE, hour: HOUR, day: DAY, week: 7 * DAY }[interval];
};

export interface Bucket {
  /** Reading of the site's clock at its start. */
  readonly wall: number;
  readonly start: number;
  readonly end: number;
}

/** The chart's buckets over a period, aligned to the site's clock. */
export function buckets({ start, end }: Period, interval: Interval, timeZone: string): Bucket[] {
  const first = wallAt(start, timeZone);
  const last = wallAt(end - 1, timeZone);
  const found: Bucket[] = [];
  if (interval === "minute" || interval === "hour") {
    // Not by the clock, which may show an hour twice, or not at all.
    const length = next(0, interval);
    for (let at = start - (first % length); at < end; at = found.at(-1)!.end) {
      const wall = wallAt(at, timeZone);
      found.push({ wall, start: at, end: at + length - (wall % length) });
    }
    return found;
  }
  const align =
    interval === "month" ? monthStart(first) : interval === "week" ? weekStart(first) : first - (first % DAY);
  for (let wall = align; wall <= last; wall = next(wall, interval)) {
    found.push({ wall, start: epochAt(wall, timeZone), end: epochAt(next(wall, interval), timeZone) });
  }
  return found;
}

export interface Previous {
  /** The whole period before, for the chart's overlay. */
  readonly whole: Period;
  /** The same part of it that has passed of the current one, so that half a day is compared with half a day. */
  readonly toDate: Period;
}

/**
 * What a period is compared with; undefined for `all`, for one that has not begun, and where the server has no minutes
 * any more to cut it from.
 * Calendar ranges move by whole days, months or years, so that days stay days.
 */
export function previous(
  range: Range,
  period: Period,
  now: number,
  timeZone: string,
  by: Exclude<Compare, "off"> = "previous",
): Previous | undefined {
  if (range === "all") return undefined;
  const wall = { start: wallAt(period.start, timeZone), end: wallAt(period.end, timeZone) };
  const months = by === "year" ? 12 : wholeMonths(wall);
  const days = Math.max(1, Math.round((period.end - period.start) / DAY));
  const rolling = (range === "realtime" || range === "24h") && by === "previous";
  const back = (ms: number): number => {
    if (rolling) return ms - (period.end - period.start);
    const at = wallAt(ms, timeZone);
    return epochAt(months ? addMonths(at, -months) : at - days * DAY, timeZone);
  };
  const whole = { start: back(period.start), end: back(period.end) };
  const hasMinutes = whole.start >= now - MINUTES_KEPT;
  const isOnHours = [whole.start, whole.end].every((ms) => wallAt(ms, timeZone) % HOUR === 0);
  if (!hasMinutes && !isOnHours) return undefined;
  // Beyond a day an hour more or less does not show, and hours are kept for years.
  const step = hasMinutes && (days === 1 || rolling) ? MINUTE : HOUR;
  const reached = back(now);
  // The hours that are kept are those of the site's clock, which may begin at half past by UTC.
  const rounded = reached + ((step - (wallAt(reached, timeZone) % step)) % step);
  const passed = now < period.end ? Math.min(whole.end, rounded) : whole.end;
  // Havana's clock shows midnight twice: at the second one nothing has passed by the clock either.
  return passed > whole.start ? { whole, toDate: { start: whole.start, end: passed } } : undefined;
}
