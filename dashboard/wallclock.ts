/**
 * A site's clock: from a moment to what the clock reads in its time zone, and back. A "wall" number is the reading written
 * as if it were UTC ms. Knows no ranges.
 */

/** Milliseconds. */
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A date, a time or a server's label of either ("2026-11-23 09:00:00") as a wall number; an offset is not looked at. */
export const wallOf = (text: string): number =>
  Date.parse(text.length > 10 ? `${text.slice(0, 19).replace(" ", "T")}Z` : text);

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

const offsets = new Map<string, number>();
/**
 * What the site's clock reads at `ms`, in whole seconds. Its offset is looked up once for each quarter of an hour, as of
 * its beginning and as the server does it: a day's minutes are thousands of questions, and `Intl` takes 10 µs for one.
 */
export function wallAt(ms: number, timeZone: string): number {
  const quarter = ms - (ms % (15 * MINUTE));
  const key = timeZone + quarter;
  let offset = offsets.get(key);
  if (offset === undefined) {
    const part = Object.fromEntries(
      clock(timeZone)
        .formatToParts(quarter)
        .map(({ type, value }) => [type, Number(value)]),
    );
    offset =
      Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!) - quarter;
    offsets.set(key, offset);
  }
  return ms - (ms % 1_000) + offset;
}

/** The moment at which the site's clock reads `wall`: the first of two, and within a skipped hour as long after the gap began. */
export function epochAt(wall: number, timeZone: string): number {
  const [before, after] = momentsBy(wall, timeZone);
  return before === after || wallAt(after, timeZone) !== wall || wallAt(before, timeZone) === wall
    ? before
    : after;
}

/** By the offset of the day before, and by that of the day after. */
const momentsBy = (wall: number, timeZone: string): readonly [number, number] => {
  const moment = (near: number): number => wall - (wallAt(near, timeZone) - near);
  return [moment(wall - DAY), moment(wall + DAY)];
};

/** The offset of a moment whose time the site's clock shows twice, as " UTC+02:00"; else "". */
export function offsetIfTwice(ms: number, timeZone: string): string {
  const wall = wallAt(ms, timeZone);
  const [first, second] = momentsBy(wall, timeZone);
  const isTwice = first < second && [first, second].every((at) => wallAt(at, timeZone) === wall);
  return isTwice ? ` UTC${printIso(ms, timeZone).slice(19)}` : "";
}

/** Epoch ms of an ISO date (midnight in the site's zone) or an ISO time with or without an offset. */
export function parseIso(text: string, timeZone: string): number {
  if (/(Z|[+-]\d\d:?\d\d)$/.test(text) && text.length > 10) return Date.parse(text.replace(" ", "T"));
  return epochAt(wallOf(text), timeZone);
}

/** ISO time with the site's offset, as the API takes it. */
export function printIso(ms: number, timeZone: string): string {
  const wall = wallAt(ms, timeZone);
  const offset = Math.round((wall - ms) / MINUTE);
  const two = (n: number): string => String(n).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return new Date(wall).toISOString().slice(0, 19) + zone;
}
