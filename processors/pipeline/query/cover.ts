/** Which windows cover a range of time: the fewest there are. Knows the calendar and no data. */
import { DAY_MS, type EpochMs, MINUTE_MS } from "../../model/time.ts";
import { addDays, dayStart, hourEnd, hourStart, localDate, monthStart } from "../../model/zone.ts";
import { bad } from "../fields.ts";
import type { Granularity } from "../rollups.ts";
import type { Range } from "./range.ts";

export type Cover = Readonly<Record<Granularity, readonly Range[]>>;

/** Longest first. */
const LENGTHS: readonly Granularity[] = ["month", "day", "hour", "minute"];

/**
 * Whole months by months, whole days by days, whole hours by hours, the rest by minutes; none longer than `coarsest`,
 * and months and days only before today. Throws `bad_request` where minutes before `keptFrom` are needed.
 */
export function planCover(
  zone: string,
  { from, to }: Range,
  coarsest: Granularity,
  now: EpochMs,
  keptFrom: EpochMs,
): Cover {
  const windows: Record<Granularity, Range[]> = { minute: [], hour: [], day: [], month: [] };
  const today = dayStart(zone, localDate(zone, now));
  const longest = LENGTHS.indexOf(coarsest);
  const mayBe = (granularity: Granularity): boolean => longest <= LENGTHS.indexOf(granularity);
  let at = from;
  while (at < to) {
    const next = nextWindow();
    windows[next.granularity].push({ from: at, to: next.to });
    at = next.to;
  }
  return windows;

  function nextWindow(): { granularity: Granularity; to: EpochMs } {
    const date = localDate(zone, at);
    const isDayStart = at === dayStart(zone, date);
    if (isDayStart && mayBe("month") && date === monthStart(date)) {
      const monthEnd = dayStart(zone, monthStart(date, 1));
      if (monthEnd <= to && monthEnd <= today) return { granularity: "month", to: monthEnd };
    }
    const dayEnd = dayStart(zone, addDays(date, 1));
    if (isDayStart && mayBe("day") && dayEnd <= to && dayEnd <= today)
      return { granularity: "day", to: dayEnd };
    const nextHour = hourEnd(zone, at);
    if (mayBe("hour") && at === hourStart(zone, at) && nextHour <= to)
      return { granularity: "hour", to: nextHour };
    if (at < keptFrom)
      bad(
        `date_range: minutes are kept for ${Math.round((now - keptFrom) / DAY_MS)} days; begin and end older ranges on whole local hours`,
      );
    return { granularity: "minute", to: at + MINUTE_MS };
  }
}

export function daysOf(zone: string, month: Range): Range[] {
  const days: Range[] = [];
  for (let at = month.from; at < month.to; ) {
    const to = dayStart(zone, addDays(localDate(zone, at), 1));
    days.push({ from: at, to });
    at = to;
  }
  return days;
}

export function hoursOf(zone: string, day: Range): Range[] {
  const hours: Range[] = [];
  for (let at = day.from; at < day.to; at = hourEnd(zone, at))
    hours.push({ from: at, to: hourEnd(zone, at) });
  return hours;
}
