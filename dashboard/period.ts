/**
 * Ranges as calendar arithmetic in the site's time zone: from a range's name to its edges, buckets and previous period.
 * Knows no request and no formatting. A "wall" number is the reading of the site's clock written as if it were UTC ms.
 */

export const RANGES = [
  "realtime",
  "day",
  "24h",
  "7d",
  "28d",
  "30d",
  "91d",
  "month",
  "6mo",
  "12mo",
  "year",
  "all",
] as const;
export type RangeName = (typeof RANGES)[number];
/** A name, or a custom range of two inclusive dates as `2026-01-01..2026-01-31`. */
export type Range = RangeName | `${string}..${string}`;
export type Interval = "minute" | "hour" | "day" | "month";

export interface Period {
  /** Epoch ms, half-open [start, end); `end` may lie in the future. */
  readonly start: number;
  readonly end: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

export const customDates = (range: Range): readonly [string, string] | undefined => {
  const [from = "", to = ""] = range.split("..");
  return DATE.test(from) && DATE.test(to) && from <= to ? [from, to] : undefined;
};

export function isRange(text: string): text is Range {
  return (RANGES as readonly string[]).includes(text) || customDates(text as Range) !== undefined;
}

/** The API's form of a range. */
export const apiRange = (range: Range): string | readonly [string, string] => customDates(range) ?? range;

const clocks = new Map<string, Intl.DateTimeFormat>();
function clock(timeZone: string): Intl.DateTimeFormat {
  let found = clocks.get(timeZone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    clocks.set(timeZone, found);
  }
  return found;
}

/** What the site's clock reads at `ms`. */
export function wallAt(ms: number, timeZone: string): number {
  const part = Object.fromEntries(
    clock(timeZone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  return Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!);
}

/** The moment at which the site's clock reads `wall`; within a skipped hour, the moment the gap ends. */
export function epochAt(wall: number, timeZone: string): number {
  const guess = wall - (wallAt(wall, timeZone) - wall);
  return wall - (wallAt(guess, timeZone) - guess);
}

/** Months keep the day of the month where the target has it, else its last day. */
export function addMonths(wall: number, months: number): number {
  const date = new Date(wall);
  const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
  const next = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months + 1, 1);
  const intoMonth = wall - Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  return Math.min(first + intoMonth, next - DAY + (wall % DAY));
}

const monthStart = (wall: number): number =>
  addMonths(wall - (wall % DAY), 0) - (new Date(wall).getUTCDate() - 1) * DAY;

/** Epoch ms of an ISO date (midnight in the site's zone) or an ISO time with or without an offset. */
export function parseIso(text: string, timeZone: string): number {
  if (/(Z|[+-]\d\d:?\d\d)$/.test(text) && text.length > 10) return Date.parse(text);
  return epochAt(
    Date.parse(`${text.slice(0, 19).replace(" ", "T")}${text.length > 10 ? "" : "T00:00:00"}Z`),
    timeZone,
  );
}

/** ISO time with the site's offset, as the API takes it. */
export function printIso(ms: number, timeZone: string): string {
  const wall = wallAt(ms, timeZone);
  const offset = Math.round((wall - ms) / MINUTE);
  const two = (n: number): string => String(n).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return new Date(wall).toISOString().slice(0, 19) + zone;
}

/** Edges of a range; undefined for `all`, whose start only the server knows. */
export function resolve(range: Range, now: number, timeZone: string): Period | undefined {
  const wall = wallAt(now, timeZone);
  const today = wall - (wall % DAY);
  const month = monthStart(wall);
  const at = (start: number, end: number): Period => ({
    start: epochAt(start, timeZone),
    end: epochAt(end, timeZone),
  });
  const dates = customDates(range);
  if (dates) return at(Date.parse(`${dates[0]}T00:00:00Z`), Date.parse(`${dates[1]}T00:00:00Z`) + DAY);
  switch (range) {
    case "realtime":
      return { start: now - 30 * MINUTE, end: now };
    case "24h":
      return { start: now - DAY, end: now };
    case "day":
      return at(today, today + DAY);
    case "month":
      return at(month, addMonths(month, 1));
    case "6mo":
      return at(addMonths(month, -5), addMonths(month, 1));
    case "12mo":
      return at(addMonths(month, -11), addMonths(month, 1));
    case "year": {
      const year = Date.UTC(new Date(wall).getUTCFullYear(), 0, 1);
      return at(year, addMonths(year, 12));
    }
    case "all":
      return undefined;
    default:
      return at(today - (Number.parseInt(range, 10) - 1) * DAY, today + DAY);
  }
}

/** Bucket length of the main chart: enough points for a shape, few enough to read. */
export function intervalOf(range: Range, period: Period | undefined): Interval {
  if (range === "realtime") return "minute";
  if (range === "6mo" || range === "12mo" || range === "year" || !period) return "month";
  const days = (period.end - period.start) / DAY;
  return days <= 2.1 ? "hour" : days <= 100 ? "day" : "month";
}

const next = (wall: number, interval: Interval): number => {
  if (interval === "month") return addMonths(wall, 1);
  return wall + (interval === "day" ? DAY : interval === "hour" ? HOUR : MINUTE);
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
  const align = interval === "month" ? monthStart(first) : first - (first % next(0, interval));
  const found: Bucket[] = [];
  for (let wall = align; wall <= last; wall = next(wall, interval)) {
    found.push({ wall, start: epochAt(wall, timeZone), end: epochAt(next(wall, interval), timeZone) });
  }
  return found;
}

/** A server's time label ("2026-11-23", "2026-11-23 09:00:00", or ISO) as a wall number. */
export function wallOfLabel(label: string): number {
  return Date.parse(`${label.slice(0, 10)}T${label.length > 10 ? label.slice(11, 19) : "00:00:00"}Z`);
}

export interface Previous {
  /** The whole period before, for the chart's overlay. */
  readonly whole: Period;
  /** The same part of it that has passed of the current one, so that half a day is compared with half a day. */
  readonly toDate: Period;
}

/** The period before; undefined for `all`. Calendar ranges move by whole days or months, so that days stay days. */
export function previous(
  range: Range,
  period: Period | undefined,
  now: number,
  timeZone: string,
): Previous | undefined {
  if (range === "all" || !period) return undefined;
  const months = { month: 1, "6mo": 6, "12mo": 12, year: 12 }[range as string];
  const days = Math.max(1, Math.round((period.end - period.start) / DAY));
  const rolling = range === "realtime" || range === "24h";
  const back = (ms: number): number => {
    if (rolling) return ms - (period.end - period.start);
    const wall = wallAt(ms, timeZone);
    return epochAt(months ? addMonths(wall, -months) : wall - days * DAY, timeZone);
  };
  const whole = { start: back(period.start), end: back(period.end) };
  // Minutes are kept for days only; beyond a day an hour more or less does not show, and hours are kept for years.
  const step = days === 1 || rolling ? MINUTE : HOUR;
  const passed = now < period.end ? Math.min(whole.end, Math.ceil(back(now) / step) * step) : whole.end;
  return { whole, toDate: { start: whole.start, end: passed } };
}
