/** Local hours, days and months of an IANA time zone. Pure: the zone data come with the runtime's Intl. */
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from "./time.ts";

/** A calendar date `YYYY-MM-DD` in some time zone. */
export type LocalDate = string;

/**
 * Offsets are looked up by the quarter of an hour, as of its beginning. Changes since 1972 fall on one, but for some at a
 * minute past midnight (Newfoundland until 2011, Casey until 2022): these are taken to come a quarter later.
 */
const SLOT_MS = 15 * MINUTE_MS;
const formatters = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, Map<number, number>>();
const dayStarts = new Map<string, EpochMs>();
const MAX_CACHED = 50_000;

export function isTimeZone(zone: string): boolean {
  // Known without the zone data, which take a server's start 20 ms to load.
  if (zone === "UTC") return true;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** Whether two names are of one zone: in other letters, or another name for it, as Europe/Kyiv is for Europe/Kiev. Throws RangeError for an unknown one. */
export const isSameZone = (a: string, b: string): boolean => a === b || canonical(a) === canonical(b);

const canonical = (zone: string): string =>
  new Intl.DateTimeFormat("en-US", { timeZone: zone }).resolvedOptions().timeZone;

/** Milliseconds to add to UTC for local time at that instant. Throws RangeError for an unknown zone. */
export function offsetMs(zone: string, at: EpochMs): number {
  if (zone === "UTC") return 0;
  const slot = Math.floor(at / SLOT_MS);
  let known = offsets.get(zone);
  if (!known) {
    known = new Map();
    offsets.set(zone, known);
  }
  const cached = known.get(slot);
  if (cached !== undefined) return cached;
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      era: "short",
    });
    formatters.set(zone, formatter);
  }
  const start = slot * SLOT_MS;
  const part: Record<string, number> = {};
  for (const { type, value } of formatter.formatToParts(start)) part[type] = Number(value);
  const local = Date.UTC(
    part.year ?? 0,
    (part.month ?? 1) - 1,
    part.day ?? 1,
    part.hour ?? 0,
    part.minute ?? 0,
    part.second ?? 0,
  );
  if (known.size >= MAX_CACHED) known.clear();
  known.set(slot, local - start);
  return local - start;
}

/**
 * Start of the local clock hour that owns `at`; in zones with :30 or :45 offsets it is not a UTC hour. Where clocks
 * move by less than an hour (Lord Howe: 30 minutes) the hour is cut there, so that hours never overlap.
 */
export function hourStart(zone: string, at: EpochMs): EpochMs {
  const offset = offsetMs(zone, at);
  const start = at - modulo(at + offset, HOUR_MS);
  return offsetMs(zone, start) === offset
    ? start
    : firstSlotAfter(start, (slot) => offsetMs(zone, slot) === offset);
}

/** First instant after the local clock hour that owns `at`: an hour after its start, or where clocks move before. */
export function hourEnd(zone: string, at: EpochMs): EpochMs {
  const offset = offsetMs(zone, at);
  const end = at + HOUR_MS - modulo(at + offset, HOUR_MS);
  return offsetMs(zone, end - 1) === offset
    ? end
    : firstSlotAfter(at, (slot) => offsetMs(zone, slot) !== offset);
}

const modulo = (value: number, by: number): number => value - Math.floor(value / by) * by;

/** First quarter of an hour after `at` that passes. */
function firstSlotAfter(at: EpochMs, passes: (slot: EpochMs) => boolean): EpochMs {
  let slot = (Math.floor(at / SLOT_MS) + 1) * SLOT_MS;
  while (!passes(slot)) slot += SLOT_MS;
  return slot;
}

const isoDate = (utc: EpochMs): LocalDate => new Date(utc).toISOString().slice(0, 10);

export const addDays = (date: LocalDate, days: number): LocalDate =>
  isoDate(Date.parse(`${date}T00:00Z`) + days * DAY_MS);

/** Whether the calendar has it, written `2026-02-28`: parsers take the 30th for a day of March. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) && addDays(text, 0) === text;

/** First day of the month `months` after that of `date`. */
export function monthStart(date: LocalDate, months = 0): LocalDate {
  const index = Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)) - 1 + months;
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}-01`;
}

/** Monday of the week of `date` (ISO 8601). */
export function weekStart(date: LocalDate): LocalDate {
  const weekday = (new Date(`${date}T00:00Z`).getUTCDay() + 6) % 7;
  return addDays(date, -weekday);
}

/** The instants at which clocks show a local time, written as if it were UTC, in order: two where they go back over it, none where they skip it. */
function instantsAt(zone: string, local: number): EpochMs[] {
  const found = [local - DAY_MS, local + DAY_MS].map((near) => local - offsetMs(zone, near));
  return [...new Set(found)].filter((at) => at + offsetMs(zone, at) === local).sort((a, b) => a - b);
}

/**
 * The instant of a local time, written as if it were UTC: the first where clocks show it twice, and where they skip it as
 * long after the gap's beginning as it lies in the gap. https://tc39.es/proposal-temporal/docs/timezone.html#ambiguity-due-to-dst-or-other-time-zone-offset-changes
 */
export const instantAt = (zone: string, local: number): EpochMs =>
  instantsAt(zone, local)[0] ?? local - offsetMs(zone, local - DAY_MS);

/** Whether clocks show the time of that instant twice. */
export const isShownTwice = (zone: string, at: EpochMs): boolean =>
  zone !== "UTC" && instantsAt(zone, at + offsetMs(zone, at)).length > 1;

/** First instant of a local day: midnight, or where the clocks skip it, the moment after. Throws RangeError for a bad date. */
export function dayStart(zone: string, date: LocalDate): EpochMs {
  const key = `${zone} ${date}`;
  const cached = dayStarts.get(key);
  if (cached !== undefined) return cached;
  const midnight = Date.parse(`${date}T00:00Z`);
  if (Number.isNaN(midnight)) throw new RangeError(`not a date: ${date}`);
  // Bisection to the minute; no zone is more than 15 hours from UTC.
  let before = midnight - 15 * HOUR_MS;
  let after = midnight + 15 * HOUR_MS;
  while (after - before > MINUTE_MS) {
    const middle = Math.floor((before + after) / 2 / MINUTE_MS) * MINUTE_MS;
    if (middle + offsetMs(zone, middle) >= midnight) after = middle;
    else before = middle;
  }
  if (dayStarts.size >= MAX_CACHED) dayStarts.clear();
  dayStarts.set(key, after);
  return after;
}

/** The last day found in each zone: who asks about a minute mostly asks about the next one then. */
const lastDays = new Map<
  string,
  { readonly date: LocalDate; readonly from: EpochMs; readonly to: EpochMs }
>();

/** The local day that owns `at`. */
export function localDate(zone: string, at: EpochMs): LocalDate {
  const last = lastDays.get(zone);
  if (last && at >= last.from && at < last.to) return last.date;
  let date = isoDate(at + offsetMs(zone, at));
  // Where clocks go back over midnight an hour bears yesterday's date again; days are half-open and do not overlap.
  if (at < dayStart(zone, date)) date = addDays(date, -1);
  else if (at >= dayStart(zone, addDays(date, 1))) date = addDays(date, 1);
  lastDays.set(zone, { date, from: dayStart(zone, date), to: dayStart(zone, addDays(date, 1)) });
  return date;
}
