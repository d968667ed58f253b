import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addMonths,
  buckets,
  epochAt,
  intervalOf,
  isRange,
  parseIso,
  previous,
  printIso,
  RANGES,
  resolve,
  wallAt,
} from "../../dashboard/period.ts";

const at = (iso: string): number => Date.parse(iso);
const NOW = at("2026-03-10T03:30:00Z"); // 12:30 in Seoul, 23:30 the day before in New York
const iso = (ms: number, zone: string): string => printIso(ms, zone);

describe("a range", () => {
  it.each([
    { range: "day", zone: "Asia/Seoul", from: "2026-03-10T00:00:00+09:00", to: "2026-03-11T00:00:00+09:00" },
    {
      range: "day",
      zone: "America/New_York",
      from: "2026-03-09T00:00:00-04:00",
      to: "2026-03-10T00:00:00-04:00",
    },
    { range: "7d", zone: "Asia/Seoul", from: "2026-03-04T00:00:00+09:00", to: "2026-03-11T00:00:00+09:00" },
    { range: "month", zone: "UTC", from: "2026-03-01T00:00:00+00:00", to: "2026-04-01T00:00:00+00:00" },
    { range: "6mo", zone: "UTC", from: "2025-10-01T00:00:00+00:00", to: "2026-04-01T00:00:00+00:00" },
    { range: "year", zone: "UTC", from: "2026-01-01T00:00:00+00:00", to: "2027-01-01T00:00:00+00:00" },
    {
      range: "2026-02-01..2026-02-03",
      zone: "UTC",
      from: "2026-02-01T00:00:00+00:00",
      to: "2026-02-04T00:00:00+00:00",
    },
  ] as const)("$range in $zone is calendar days of the site", ({ range, zone, from, to }) => {
    const period = resolve(range, NOW, zone)!;
    expect([iso(period.start, zone), iso(period.end, zone)]).toEqual([from, to]);
  });

  it("is refused when it is neither a name nor two dates in order", () => {
    expect(RANGES.every(isRange)).toBe(true);
    expect(["", "today", "2026-02-03..2026-02-01", "2026-2-1..2026-2-3"].some(isRange)).toBe(false);
  });
});

describe("buckets", () => {
  it.each([
    { date: "2026-03-08", hours: 23 }, // New York springs forward
    { date: "2026-11-01", hours: 24 }, // and falls back: the doubled hour is one bucket of two hours
    { date: "2026-06-01", hours: 24 },
  ])("of $date in New York cover the day without a gap", ({ date, hours }) => {
    const zone = "America/New_York";
    const period = resolve(`${date}..${date}`, NOW, zone)!;
    const found = buckets(period, "hour", zone).filter(({ start, end }) => end > start);
    expect(found).toHaveLength(hours);
    expect(found[0]!.start).toBe(period.start);
    expect(found.at(-1)!.end).toBe(period.end);
    for (const [i, bucket] of found.slice(1).entries()) expect(bucket.start).toBe(found[i]!.end);
  });

  it("are few enough to read for every range", () => {
    for (const range of RANGES) {
      const period = resolve(range, NOW, "UTC");
      if (period)
        expect(buckets(period, intervalOf(range, period, NOW, undefined), "UTC").length, range).toBeLessThanOrEqual(92);
    }
  });
});

describe("the previous period", () => {
  it.each([
    { range: "day", from: "2026-03-09T00:00", to: "2026-03-10T00:00", toDate: "2026-03-09T03:30" },
    { range: "7d", from: "2026-02-25T00:00", to: "2026-03-04T00:00", toDate: "2026-03-03T04:00" },
    { range: "month", from: "2026-02-01T00:00", to: "2026-03-01T00:00", toDate: "2026-02-10T04:00" },
    { range: "realtime", from: "2026-03-10T02:30", to: "2026-03-10T03:00", toDate: "2026-03-10T03:00" },
    {
      range: "2026-02-01..2026-02-02",
      from: "2026-01-30T00:00",
      to: "2026-02-01T00:00",
      toDate: "2026-02-01T00:00",
    },
  ] as const)(
    "of $range lies right before it, and is compared only as far as now reaches",
    ({ range, from, to, toDate }) => {
      const before = previous(range, resolve(range, NOW, "UTC"), NOW, "UTC")!;
      expect(before.whole).toEqual({ start: at(`${from}Z`), end: at(`${to}Z`) });
      expect(before.toDate).toEqual({ start: at(`${from}Z`), end: at(`${toDate}Z`) });
    },
  );

  it("does not exist for all time", () => {
    expect(previous("all", { start: 0, end: NOW }, NOW, "UTC")).toBeUndefined();
  });
});

describe("the site's clock", () => {
  const zone = fc.constantFrom("UTC", "Asia/Seoul", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland");
  const moment = fc.integer({
    min: at("2020-01-01T00:00:00Z") / 1000,
    max: at("2030-01-01T00:00:00Z") / 1000,
  });

  it("prints times that read back as the same moment", () => {
    fc.assert(
      fc.property(zone, moment, (tz, second) => parseIso(printIso(second * 1000, tz), tz) === second * 1000),
    );
  });

  it("turns a reading back into a moment with that reading", () => {
    fc.assert(
      fc.property(zone, moment, (tz, second) => {
        const wall = wallAt(second * 1000, tz);
        return wallAt(epochAt(wall, tz), tz) === wall;
      }),
    );
  });

  it("clamps to the last day of a shorter month", () => {
    expect(addMonths(at("2026-03-31T05:00:00Z"), -1)).toBe(at("2026-02-28T05:00:00Z"));
    expect(addMonths(at("2026-01-15T00:00:00Z"), 12)).toBe(at("2027-01-15T00:00:00Z"));
  });
});
