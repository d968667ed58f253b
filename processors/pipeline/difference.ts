/** Windows seen from both sides, live and recounted, and what differs between them. Reads and writes nothing. */
import type { Measures } from "../model/measures.ts";
import { type EpochMs, MINUTE_MS } from "../model/time.ts";
import { addDays, dayStart, hourEnd, hourStart, type LocalDate, localDate } from "../model/zone.ts";
import { EXACT_LIMIT, RELATIVE_ERROR } from "../sketches/ultraloglog.ts";
import type { Commit } from "./commit.ts";
import { isMinuteKept } from "./expiry.ts";
import { type Difference, isRecountKept, type RecountedMinute } from "./ledger.ts";
import type { Tallies } from "./recount.ts";
import { type Granularity, instantKey } from "./rollups.ts";
import type { Site } from "./sites.ts";

/** Sums beyond this stand still in the live numbers (measures.ts). */
const EXACT_SUM = 2 ** 51;

export interface Window {
  readonly site: string;
  readonly granularity: Granularity;
  readonly start: EpochMs;
  readonly end: EpochMs;
  /** Sort key of its rollup item. */
  readonly sk: string;
}

export const keyOf = ({ site, granularity, start }: Pick<Window, "site" | "granularity" | "start">): string =>
  JSON.stringify([site, granularity, start]);

/** The minutes that either side counted something in and that are still kept, and the hours and days around them. */
export function* windowsOf(
  kept: readonly { readonly commit: Commit; readonly tallies: Tallies }[],
  sites: ReadonlyMap<string, Site>,
  now: EpochMs,
): Generator<Window> {
  for (const { commit, tallies } of kept) {
    const both = [...commit.partials].map(([site, { windows }]) => [site, windows] as const);
    for (const [site, windows] of [...both, ...tallies]) {
      const known = sites.get(site) ?? { timeZone: "UTC" };
      const zone = known.timeZone;
      for (const start of windows.keys()) {
        if (!isRecountKept(start, now)) continue;
        if (isMinuteKept(known, start, now))
          yield { site, granularity: "minute", start, end: start + MINUTE_MS, sk: instantKey(start) };
        const hour = hourStart(zone, start);
        yield { site, granularity: "hour", start: hour, end: hourEnd(zone, start), sk: instantKey(hour) };
        yield dayWindow(site, zone, localDate(zone, hour));
      }
    }
  }
}

export const dayWindow = (site: string, zone: string, date: LocalDate): Window => ({
  site,
  granularity: "day",
  start: dayStart(zone, date),
  end: dayStart(zone, addDays(date, 1)),
  sk: date,
});

/** Undefined when both sides say the same of events, page views and revenue. */
export function differenceOf(
  { granularity, start, end, sk }: Window,
  live: readonly Measures[],
  recounted: readonly RecountedMinute[],
): Difference | undefined {
  const sums = { live: {} as Record<string, number>, recount: {} as Record<string, number> };
  const inexact = new Set<string>();
  const add = (side: Record<string, number>, name: string, value: number): void => {
    side[name] = (side[name] ?? 0) + value;
  };
  for (const totals of live) {
    add(sums.live, "events", totals.events);
    add(sums.live, "pageviews", totals.pageviews);
    for (const [currency, { minor }] of totals.revenue ?? []) add(sums.live, currency, minor);
  }
  for (const { events, pageviews, revenue } of recounted) {
    add(sums.recount, "events", events);
    add(sums.recount, "pageviews", pageviews);
    for (const [currency, { minor, absolute }] of Object.entries(revenue)) {
      add(sums.recount, currency, minor);
      if (absolute >= EXACT_SUM) inexact.add(currency);
    }
  }
  const names = new Set([...Object.keys(sums.live), ...Object.keys(sums.recount)]);
  const isEqual = (name: string): boolean =>
    inexact.has(name) || (sums.live[name] ?? 0) === (sums.recount[name] ?? 0);
  return [...names].every(isEqual) ? undefined : { granularity, start, end, sk, ...sums };
}

/** Five standard errors of a dense sketch, and one visitor where two may share their 32 bits. */
const tolerance = (visitors: number): number =>
  visitors > EXACT_LIMIT ? Math.ceil(5 * RELATIVE_ERROR * visitors) : visitors > 64 ? 1 : 0;

/**
 * Minutes of a commit, of those still kept, whose number of visitors cannot be that of its senders. A sender has one id a
 * day, and keeps yesterday's while a visit goes on; whose events overtake each other may have both in one minute. So
 * visitors lie between senders and the ids that they may have.
 */
export function* differentVisitors(
  commit: Commit,
  tallies: Tallies,
  now: EpochMs,
): Generator<{ readonly site: string; readonly found: Difference }> {
  for (const [site, { windows }] of commit.partials) {
    for (const [start, rollup] of windows) {
      if (!isRecountKept(start, now)) continue;
      const tally = tallies.get(site)?.get(start);
      const [fewest, most] = [tally?.senders.size ?? 0, tally?.dailySenders.size ?? 0];
      const visitors = rollup.totals.visitors?.estimate() ?? 0;
      if (visitors >= fewest - tolerance(fewest) && visitors <= most + tolerance(most)) continue;
      const found: Difference = {
        granularity: "commit",
        start,
        end: start + MINUTE_MS,
        sk: "",
        commit: { shard: commit.shard, n: commit.n },
        live: { visitors },
        recount: { visitors: most },
      };
      yield { site, found };
    }
  }
}
