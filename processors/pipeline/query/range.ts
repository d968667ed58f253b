/** Reads a date range in the site's time zone and cuts it into labelled buckets. */
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS, windowStart } from "../../model/time.ts";
import {
  addDays,
  dayStart,
  hourEnd,
  hourStart,
  instantAt,
  isDay,
  isShownTwice,
  type LocalDate,
  localDate,
  monthStart,
  offsetMs,
  weekStart,
} from "../../model/zone.ts";
import { bad } from "../fields.ts";
import type { TimeDimension } from "./request.ts";

/** Half-open [from, to), aligned to minutes. */
export interface Range {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

export interface Bucket extends Range {
  /**
   * As the Stats API writes it: `2026-01-31`, or `2026-01-31 13:00:00` in local time. Where clocks show that twice, the
   * offset follows, as `2026-10-25 02:00:00+01:00`: else two buckets would have one name.
   */
  readonly label: string;
}

/** The part of a range that begins at an instant or after; empty at that instant where all of it came before. */
export const since = ({ from, to }: Range, first: EpochMs): Range => ({
  from: Math.max(from, first),
  to: Math.max(to, first),
});

const REALTIME_MINUTES = 30;
/** A year of minutes would be half a million rows. */
const MAX_BUCKETS = 50_000;

/** Nothing was ever counted before. */
const EARLIEST = "1970-01-02";
/** Dates beyond have more digits in JavaScript, and nobody asks for them. */
const LATEST = "2199-12-31";

/** `first` is where the site's data begin, for "all". Throws `bad_request` naming `field`. */
export function parseRange(
  value: string | readonly [string, string],
  zone: string,
  now: EpochMs,
  first: EpochMs,
  field = "date_range",
): Range {
  const range =
    typeof value === "string" ? namedRange(value, zone, now, first) : customRange(value, zone, field);
  if (range.from < dayStart(zone, EARLIEST)) bad(`${field}: begins before ${EARLIEST}`);
  return range;
}

const wholeDays = (zone: string, from: LocalDate, to: LocalDate): Range => ({
  from: dayStart(zone, from),
  to: dayStart(zone, addDays(to, 1)),
});

function namedRange(value: string, zone: string, now: EpochMs, first: EpochMs): Range {
  const today = localDate(zone, now);
  const days = (from: LocalDate, to: LocalDate): Range => wholeDays(zone, from, to);
  const rolling = /^([1-9][0-9]{0,3})d$/.exec(value);
  if (rolling) return days(addDays(today, 1 - Number(rolling[1])), today);
  const months = /^([1-9][0-9]{0,2})mo$/.exec(value);
  if (months) return days(monthStart(today, 1 - Number(months[1])), today);
  switch (value) {
    case "realtime": {
      const to = windowStart(now, MINUTE_MS) + MINUTE_MS;
      return { from: to - REALTIME_MINUTES * MINUTE_MS, to };
    }
    case "day":
      return days(today, today);
    case "24h": {
      const to = hourEnd(zone, now);
      return { from: to - DAY_MS, to };
    }
    case "month":
      return days(monthStart(today), today);
    case "year":
      return days(`${today.slice(0, 4)}-01-01`, today);
    case "all":
      return days(localDate(zone, Math.min(first, now)), today);
    default:
      return bad(
        `date_range: unknown ${JSON.stringify(value.slice(0, 40))}; use realtime, day, 24h, 7d, 28d, 30d, 91d, month, 6mo, 12mo, year, all, or two ISO dates`,
      );
  }
}

function customRange([first, last]: readonly [string, string], zone: string, field: string): Range {
  const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);
  let range: Range;
  if (isDate(first) && isDate(last)) {
    for (const [i, date] of [first, last].entries())
      if (!isRealDate(date)) bad(`${field}[${i}]: no such date from ${EARLIEST} to ${LATEST}`);
    range = wholeDays(zone, first, last);
  } else {
    const [from, to] = [first, last].map((text, i) => instant(text, zone, `${field}[${i}]`)) as [
      EpochMs,
      EpochMs,
    ];
    // Windows are whole minutes: the range grows to hold its ends.
    range = { from: windowStart(from, MINUTE_MS), to: windowStart(to - 1, MINUTE_MS) + MINUTE_MS };
  }
  if (range.from >= range.to) bad(`${field}: the second date is before the first`);
  return range;
}

const isRealDate = (date: LocalDate): boolean => isDay(date) && date >= EARLIEST && date <= LATEST;

/** An ISO time; without an offset it is local to the site. */
function instant(text: string, zone: string, field: string): EpochMs {
  if (
    !/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text) ||
    !isRealDate(text.slice(0, 10))
  )
    return bad(`${field}: not an ISO date or time`);
  if (text.length === 10) return dayStart(zone, text);
  const iso = text.replace(" ", "T");
  const hasOffset = /(Z|[+-]\d\d:?\d\d)$/.test(iso);
  const at = Date.parse(hasOffset ? iso : `${iso}Z`);
  if (Number.isNaN(at)) return bad(`${field}: not an ISO date or time`);
  return hasOffset ? at : instantAt(zone, at);
}

/** Plain `time` is by what a person would read in a chart of that length. */
export function resolveTime(
  time: TimeDimension,
  range: Range,
  name: unknown,
): Exclude<TimeDimension, "time"> {
  if (time !== "time") return time;
  const length = range.to - range.from;
  if (length <= 2 * HOUR_MS) return "time:minute";
  if (length <= 25 * HOUR_MS + HOUR_MS) return "time:hour";
  const byMonth = typeof name === "string" && /mo$|^year$/.test(name);
  return byMonth || length > 186 * DAY_MS ? "time:month" : "time:day";
}

/** The first minute of a range that its whole hours leave out; undefined where it begins and ends on the hour. */
export function minuteBesideHours(zone: string, { from, to }: Range): EpochMs | undefined {
  if (from !== hourStart(zone, from)) return from;
  const last = hourStart(zone, to);
  return last === to ? undefined : Math.max(from, last);
}

/** About how long each is; exactness does not matter for a limit. */
const LENGTHS = {
  "time:minute": MINUTE_MS,
  "time:hour": HOUR_MS,
  "time:day": DAY_MS,
  "time:week": 7 * DAY_MS,
  "time:month": 30 * DAY_MS,
} as const;

/** Labelled buckets that cover the range, in order; the first and last are cut to it. Throws `bad_request` when there would be too many. */
export function cut(time: Exclude<TimeDimension, "time">, range: Range, zone: string): Bucket[] {
  // Told from the length alone, before a bucket is made: centuries of days take seconds to cut.
  if ((range.to - range.from) / LENGTHS[time] > MAX_BUCKETS)
    bad(`dimensions: ${time} over this date_range gives more than ${MAX_BUCKETS} rows`);
  const buckets: Bucket[] = [];
  const push = (label: string, from: EpochMs, to: EpochMs): void => {
    buckets.push({ label, from: Math.max(from, range.from), to: Math.min(to, range.to) });
  };
  if (time === "time:minute" || time === "time:hour") {
    const next = (at: EpochMs): EpochMs =>
      time === "time:minute" ? windowStart(at, MINUTE_MS) + MINUTE_MS : hourEnd(zone, at);
    for (let at = range.from; at < range.to; at = next(at)) {
      const start = time === "time:minute" ? windowStart(at, MINUTE_MS) : hourStart(zone, at);
      push(localLabel(zone, start), start, next(at));
    }
    return buckets;
  }
  const startOf = {
    "time:day": (date: LocalDate) => date,
    "time:week": weekStart,
    "time:month": (date: LocalDate) => monthStart(date),
  }[time];
  const nextOf = {
    "time:day": (date: LocalDate) => addDays(date, 1),
    "time:week": (date: LocalDate) => addDays(date, 7),
    "time:month": (date: LocalDate) => monthStart(date, 1),
  }[time];
  for (
    let date = startOf(localDate(zone, range.from));
    dayStart(zone, date) < range.to;
    date = nextOf(date)
  ) {
    push(date, dayStart(zone, date), dayStart(zone, nextOf(date)));
  }
  return buckets;
}

const localLabel = (zone: string, at: EpochMs): string => {
  const text = new Date(at + offsetMs(zone, at)).toISOString().slice(0, 19).replace("T", " ");
  return isShownTwice(zone, at) ? `${text}${isoLocal(zone, at).slice(19)}` : text;
};

/** ISO 8601 with the zone's offset, e.g. `2026-01-31T00:00:00+09:00`. */
export function isoLocal(zone: string, at: EpochMs): string {
  const offset = Math.round(offsetMs(zone, at) / MINUTE_MS);
  const sign = offset < 0 ? "-" : "+";
  const two = (value: number): string => String(value).padStart(2, "0");
  const text = new Date(at + offset * MINUTE_MS).toISOString().slice(0, 19);
  return `${text}${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
}
