/** The periods that rollups are derived for: days, and months of them. Knows no store. */
import { MAX_EVENT_AGE_MS } from "../model/event.ts";
import { DAY_MS, type EpochMs, MINUTE_MS } from "../model/time.ts";
import { addDays, dayStart, type LocalDate, monthStart } from "../model/zone.ts";
import type { Derived } from "./rollups.ts";

/** What is derived, the shorter first. A period's name is the sort key of its item, and names order like time. */
export interface Level {
  readonly granularity: Derived;
  readonly nameLength: number;
  /** By site: periods before this one were announced as derived, those without anything too. */
  readonly built: string;
  /** A period is derived when it has been over for this long. */
  readonly settleMs: number;
  readonly of: (date: LocalDate) => string;
  readonly firstDate: (period: string) => LocalDate;
  readonly next: (period: string) => string;
}

/** Most of what is late has come by then. */
const DAY_SETTLE_MS = 10 * MINUTE_MS;

export const LEVELS: readonly Level[] = [
  {
    granularity: "day",
    nameLength: "2026-11-23".length,
    built: "built",
    settleMs: DAY_SETTLE_MS,
    of: (date) => date,
    firstDate: (period) => period,
    next: (period) => addDays(period, 1),
  },
  {
    granularity: "month",
    nameLength: "2026-11".length,
    built: "built-months",
    // No event can come for it any more, but by an import.
    settleMs: MAX_EVENT_AGE_MS + DAY_MS,
    of: (date) => date.slice(0, 7),
    firstDate: (period) => `${period}-01`,
    next: (period) => monthStart(`${period}-01`, 1).slice(0, 7),
  },
];

/** First instant of a day (`2026-11-23`) or month (`2026-11`) in its zone, and the first after it. */
export function spanOf(granularity: Derived, zone: string, period: string): { from: EpochMs; to: EpochMs } {
  const { firstDate, next } = LEVELS.find((level) => level.granularity === granularity)!;
  return { from: dayStart(zone, firstDate(period)), to: dayStart(zone, firstDate(next(period))) };
}
