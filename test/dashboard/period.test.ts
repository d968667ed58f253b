/** Ranges, buckets and what they are compared with, in the time zones that are not simple. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addMonths,
  apiRange,
  buckets,
  intervalOf,
  intervalsOf,
  isRange,
  previous,
  RANGES,
  rangeBetween,
  resolve,
  shifted,
} from "../../dashboard/period.ts";
import { epochAt, offsetIfTwice, parseIso, printIso, wallAt } from "../../dashboard/wallclock.ts";

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
    { range: "yesterday", zone: "UTC", from: "2026-03-09T00:00:00+00:00", to: "2026-03-10T00:00:00+00:00" },
    { range: "lastmonth", zone: "UTC", from: "2026-02-01T00:00:00+00:00", to: "2026-03-01T00:00:00+00:00" },
    {
      range: "2026-03-09T10:00..2026-03-09T12:30",
      zone: "Asia/Seoul",
      from: "2026-03-09T10:00:00+09:00",
      to: "2026-03-09T12:30:00+09:00",
    },
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
    expect(
      [
        "",
        "today",
        "2026-02-03..2026-02-01",
        "2026-2-1..2026-2-3",
        "2026-02-01T10:00..2026-02-01",
        "2026-02-01T10:00..2026-02-01T10:00",
        "2026-02-30..2026-03-01",
        "2026-13-01..2026-13-02",
        "2026-02-01T24:30..2026-02-02T10:00",
        "2026-01-01..9999-12-31",
      ].some(isRange),
    ).toBe(false);
  });
});

describe("buckets", () => {
  it.each([
    { date: "2026-03-08", hours: 23 }, // New York springs forward
    { date: "2026-11-01", hours: 25 }, // and falls back
    { date: "2026-06-01", hours: 24 },
  ])("of $date in New York cover the day without a gap", ({ date, hours }) => {
    const zone = "America/New_York";
    const period = resolve(`${date}..${date}`, NOW, zone)!;
    const found = buckets(period, "hour", zone);
    expect(found).toHaveLength(hours);
    expect(found[0]!.start).toBe(period.start);
    expect(found.at(-1)!.end).toBe(period.end);
    for (const [i, bucket] of found.slice(1).entries()) expect(bucket.start).toBe(found[i]!.end);
  });

  it("of the hour that Berlin's clock shows twice are two, told apart by the offset, and lead back to their labels", () => {
    const zone = "Europe/Berlin";
    const found = buckets(resolve("2026-10-25..2026-10-25", NOW, zone)!, "hour", zone);
    const told = found.map(
      ({ wall, start }) =>
        `${wallAt(start, zone) === wall ? iso(start, zone).slice(11, 16) : "?"}${offsetIfTwice(start, zone)}`,
    );
    expect(told.slice(1, 5)).toEqual(["01:00", "02:00 UTC+02:00", "02:00 UTC+01:00", "03:00"]);
    expect(found.slice(1, 5).map(({ start }) => start)).toEqual(
      ["01:00:00", "02:00:00+02:00", "02:00:00+01:00", "03:00:00"].map((time) =>
        parseIso(`2026-10-25 ${time}`, zone),
      ),
    );
    expect(resolve("2026-10-25T02:00..2026-10-25T03:00", NOW, zone)).toEqual({
      start: at("2026-10-25T02:00:00+02:00"),
      end: at("2026-10-25T03:00:00+01:00"),
    });
  });

  it("are few enough to read for every range", () => {
    for (const range of RANGES) {
      const period = resolve(range, NOW, "UTC");
      if (period)
        expect(
          buckets(period, intervalOf(range, period, NOW, undefined), "UTC").length,
          range,
        ).toBeLessThanOrEqual(92);
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
      const before = previous(range, resolve(range, NOW, "UTC")!, NOW, "UTC")!;
      expect(before.whole).toEqual({ start: at(`${from}Z`), end: at(`${to}Z`) });
      expect(before.toDate).toEqual({ start: at(`${from}Z`), end: at(`${toDate}Z`) });
    },
  );

  it("is none where the site's clock shows the midnight that began it once more", () => {
    const [zone, again] = ["America/Havana", at("2026-11-01T05:00Z")];
    for (const range of ["day", "month"] as const) {
      expect(previous(range, resolve(range, again, zone)!, again, zone)).toBeUndefined();
      expect(previous(range, resolve(range, again, zone)!, again + 60_000, zone)).toBeDefined();
    }
  });

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

describe("stepping through time", () => {
  it.each([
    { range: "day", back: "yesterday", forth: undefined },
    { range: "yesterday", back: "2026-03-08..2026-03-08", forth: "day" },
    { range: "7d", back: "2026-02-25..2026-03-03", forth: undefined },
    { range: "month", back: "lastmonth", forth: undefined },
    { range: "lastmonth", back: "2026-01-01..2026-01-31", forth: "month" },
    { range: "2026-01-01..2026-01-31", back: "2025-12-01..2025-12-31", forth: "lastmonth" },
    { range: "2024-02-01..2024-02-29", back: "2024-01-01..2024-01-31", forth: "2024-03-01..2024-03-31" },
    { range: "year", back: "2025-01-01..2025-12-31", forth: undefined },
    {
      range: "2026-03-09T10:00..2026-03-09T12:00",
      back: "2026-03-09T08:00..2026-03-09T10:00",
      forth: "2026-03-09T12:00..2026-03-09T14:00",
    },
    { range: "realtime", back: undefined, forth: undefined },
    { range: "all", back: undefined, forth: undefined },
  ] as const)("from $range leads back to $back and on to $forth", ({ range, back, forth }) => {
    expect(shifted(range, -1, NOW, "UTC")).toBe(back);
    expect(shifted(range, 1, NOW, "UTC")).toBe(forth);
  });

  it("the period before ends where this one begins, whatever was chosen", () => {
    const date = fc.date({ min: new Date("2020-01-01"), max: new Date("2025-12-01"), noInvalidDate: true });
    fc.assert(
      fc.property(date, fc.integer({ min: 0, max: 60 }), (from, days) => {
        const start = Math.floor(from.getTime() / 86_400_000) * 86_400_000;
        const range = rangeBetween(start, start + (days + 1) * 86_400_000);
        expect(isRange(range)).toBe(true);
        const back = shifted(range, -1, NOW, "UTC")!;
        expect(isRange(back)).toBe(true);
        expect(resolve(back, NOW, "UTC")!.end).toBe(start);
      }),
    );
  });
});

describe("what the API is asked", () => {
  it.each([
    { range: "7d", asked: "7d" },
    { range: "yesterday", asked: ["2026-03-09", "2026-03-09"] },
    { range: "lastmonth", asked: ["2026-02-01", "2026-02-28"] },
    { range: "2026-03-09T10:00..2026-03-09T12:30", asked: ["2026-03-09T10:00:00", "2026-03-09T12:30:00"] },
  ] as const)("for $range is $asked", ({ range, asked }) => {
    expect(apiRange(range, NOW, "Asia/Seoul")).toEqual(asked);
  });
});

describe("the buckets on offer", () => {
  it.each([
    { range: "realtime", offered: ["minute"] },
    { range: "day", offered: ["minute", "hour"] },
    { range: "7d", offered: ["hour", "day"] },
    { range: "28d", offered: ["hour", "day", "week"] },
    { range: "91d", offered: ["day", "week", "month"] },
    { range: "2026-01-01..2026-01-01", offered: ["hour"] }, // its minutes are gone
  ] as const)("of $range are $offered", ({ range, offered }) => {
    expect(intervalsOf(resolve(range, NOW, "UTC")!, NOW)).toEqual(offered);
  });

  it("of weeks begin on Monday", () => {
    const found = buckets(resolve("28d", NOW, "UTC")!, "week", "UTC");
    expect(found.every(({ wall }) => new Date(wall).getUTCDay() === 1)).toBe(true);
    expect(found).toHaveLength(5);
  });

  it("is never one that was chosen for another range", () => {
    expect(intervalOf("12mo", resolve("12mo", NOW, "UTC")!, NOW, "minute")).toBe("month");
    expect(intervalOf("12mo", resolve("12mo", NOW, "UTC")!, NOW, "week")).toBe("week");
  });
});

describe("a year ago", () => {
  it("is the same dates, by whole hours, and nothing where only minutes could say", () => {
    const of = (range: Parameters<typeof resolve>[0]) =>
      previous(range, resolve(range, NOW, "UTC")!, NOW, "UTC", "year");
    expect(iso(of("month")!.whole.start, "UTC")).toBe("2025-03-01T00:00:00+00:00");
    expect(iso(of("day")!.toDate.end, "UTC")).toBe("2025-03-10T04:00:00+00:00");
    expect(of("realtime")).toBeUndefined();
  });
});

it("what has passed of a period ends on a whole hour of the site's clock, and is nothing before the period begins", () => {
  const of = (range: Parameters<typeof resolve>[0], zone: string) =>
    previous(range, resolve(range, NOW, zone)!, NOW, zone)?.toDate.end;
  for (const zone of ["UTC", "Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu"])
    expect(wallAt(of("28d", zone)!, zone) % 3_600_000, zone).toBe(0);
  expect(of("2026-04-01..2026-04-02", "UTC")).toBeUndefined();
});
