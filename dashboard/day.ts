/** A site's day in quarters of an hour, and which day it is compared with. Pure arithmetic. */
import type { Period } from "./period.ts";
import type { Points } from "./scale.ts";
import { DAY, epochAt, MINUTE, wallAt } from "./wallclock.ts";

/** Single minutes of a small site jump between 0 and 3; the mean of fifteen shows the day. */
export const STEP_MINUTES = 15;

/** As long as the server keeps minutes, less one for the way there. */
const MINUTES_KEPT = 8 * DAY - MINUTE;

/** Whether all of a day can be asked for. In the week after clocks went back, the day a week ago cannot late in the evening. */
export const isKept = ({ start }: Period, now: number): boolean => now - start < MINUTES_KEPT;

/** The site's day at `now`, and the same day of the week before. */
export function daysAt(now: number, timeZone: string): { readonly today: Period; readonly before: Period } {
  const wall = wallAt(now, timeZone);
  const midnight = wall - (wall % DAY);
  const day = (start: number): Period => ({
    start: epochAt(start, timeZone),
    end: epochAt(start + DAY, timeZone),
  });
  return { today: day(midnight), before: day(midnight - 7 * DAY) };
}

/** Visitors per minute, averaged over each quarter of an hour up to `now`; undefined has not happened yet. */
export function means(minutes: ReadonlyMap<number, number>, { start, end }: Period, now: number): Points {
  const length = STEP_MINUTES * MINUTE;
  return Array.from({ length: Math.ceil((end - start) / length) }, (_, i) => {
    // A minute that has only begun would pull the mean down, and the mean of one or two jumps: the newest point
    // takes the fifteen whole minutes up to now.
    const whole = Math.floor((now - start) / MINUTE) * MINUTE + start;
    if (whole <= start + i * length) return undefined;
    const to = Math.min(start + (i + 1) * length, whole);
    const from = Math.max(start, to - length);
    let sum = 0;
    for (let minute = from; minute < to; minute += MINUTE) sum += minutes.get(minute) ?? 0;
    return sum / ((to - from) / MINUTE);
  });
}

/** The points of the day before, each beside that of the same time today: where clocks change on one of the days, positions do not tell. */
export function beside(
  points: Points,
  { today, before }: ReturnType<typeof daysAt>,
  timeZone: string,
): Points {
  const step = STEP_MINUTES * MINUTE;
  const timeOf = ({ start }: Period, i: number): number => wallAt(start + i * step, timeZone) % DAY;
  const byTime = new Map(points.map((point, i) => [timeOf(before, i), point] as const).reverse());
  return Array.from({ length: (today.end - today.start) / step }, (_, i) => byTime.get(timeOf(today, i)));
}
