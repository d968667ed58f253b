/** Hours and days as clocks on the wall show them, on the days on which those clocks are moved. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDays,
  dayStart,
  hourEnd,
  hourStart,
  isTimeZone,
  localDate,
  monthStart,
  offsetMs,
  weekStart,
} from "../../../processors/model/zone.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ZONES = [
  "UTC",
  "Asia/Seoul",
  "America/New_York",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/Havana",
  "Asia/Beirut",
  "Pacific/Apia",
  "America/Santiago",
];
const iso = (at: number): string => new Date(at).toISOString().slice(0, 16);
const utc = (text: string): number => Date.parse(`${text}Z`);

/** Starts of the hours from one day's start to the next. */
function hoursOf(zone: string, date: string): string[] {
  const end = dayStart(zone, addDays(date, 1));
  const hours: string[] = [];
  for (let at = dayStart(zone, date); at < end; at = hourEnd(zone, at)) hours.push(iso(at));
  return hours;
}

describe("a local day", () => {
  it.each([
    { zone: "UTC", date: "2026-03-29", from: "2026-03-29T00:00", hours: 24, why: "is plain in UTC" },
    {
      zone: "Asia/Seoul",
      date: "2026-03-29",
      from: "2026-03-28T15:00",
      hours: 24,
      why: "begins the evening before",
    },
    {
      zone: "Asia/Kathmandu",
      date: "2026-03-29",
      from: "2026-03-28T18:15",
      hours: 24,
      why: "begins at a quarter past",
    },
    {
      zone: "America/New_York",
      date: "2026-03-08",
      from: "2026-03-08T05:00",
      hours: 23,
      why: "lacks an hour in spring",
    },
    {
      zone: "America/New_York",
      date: "2026-11-01",
      from: "2026-11-01T04:00",
      hours: 25,
      why: "has one more in autumn",
    },
    {
      zone: "Australia/Lord_Howe",
      date: "2026-10-04",
      from: "2026-10-03T13:30",
      hours: 23.5,
      why: "lacks half an hour",
    },
    {
      zone: "Australia/Lord_Howe",
      date: "2026-04-05",
      from: "2026-04-04T13:00",
      hours: 24.5,
      why: "has half an hour more",
    },
    {
      zone: "America/Havana",
      date: "2026-03-08",
      from: "2026-03-08T05:00",
      hours: 23,
      why: "begins at one where midnight is skipped",
    },
    {
      zone: "America/Havana",
      date: "2026-11-01",
      from: "2026-11-01T04:00",
      hours: 25,
      why: "has two midnights and begins at the first",
    },
    {
      zone: "Asia/Beirut",
      date: "2026-03-29",
      from: "2026-03-28T22:00",
      hours: 23,
      why: "begins at one in Beirut",
    },
    {
      zone: "Asia/Beirut",
      date: "2026-10-24",
      from: "2026-10-23T21:00",
      hours: 25,
      why: "goes on when midnight becomes eleven",
    },
  ])("$why ($zone $date)", ({ zone, date, from, hours }) => {
    const start = dayStart(zone, date);
    const end = dayStart(zone, addDays(date, 1));
    expect(iso(start)).toBe(from);
    expect((end - start) / HOUR).toBe(hours);
    expect(localDate(zone, start)).toBe(date);
    expect(localDate(zone, end - 1)).toBe(date);
    expect(localDate(zone, start - 1)).toBe(addDays(date, -1));
  });

  it("may be missing from the calendar: Samoa had no 30 December 2011", () => {
    expect(dayStart("Pacific/Apia", "2011-12-30")).toBe(dayStart("Pacific/Apia", "2011-12-31"));
    expect(localDate("Pacific/Apia", dayStart("Pacific/Apia", "2011-12-31"))).toBe("2011-12-31");
  });
});

describe("a local hour", () => {
  it("begins at a quarter past in Kathmandu", () => {
    expect(iso(hourStart("Asia/Kathmandu", utc("2026-01-05T12:14")))).toBe("2026-01-05T11:15");
    expect(iso(hourEnd("Asia/Kathmandu", utc("2026-01-05T12:14")))).toBe("2026-01-05T12:15");
  });

  it("is there twice in New York when clocks go back, as two hours", () => {
    const hours = hoursOf("America/New_York", "2026-11-01");
    expect(hours).toHaveLength(25);
    expect(hours.slice(0, 3)).toEqual(["2026-11-01T04:00", "2026-11-01T05:00", "2026-11-01T06:00"]);
  });

  it("is cut on Lord Howe Island where clocks go on by half an hour at two", () => {
    expect(hoursOf("Australia/Lord_Howe", "2026-10-04").slice(0, 4)).toEqual([
      "2026-10-03T13:30",
      "2026-10-03T14:30",
      "2026-10-03T15:30", // 2:30, half an hour long
      "2026-10-03T16:00", // 3:00
    ]);
  });

  it("is cut on Lord Howe Island where clocks go back by half an hour at two", () => {
    expect(hoursOf("Australia/Lord_Howe", "2026-04-05").slice(0, 4)).toEqual([
      "2026-04-04T13:00",
      "2026-04-04T14:00",
      "2026-04-04T15:00", // 1:30 again, half an hour long
      "2026-04-04T15:30", // 2:00
    ]);
  });
});

const zone = fc.constantFrom(...ZONES);
/** To the minute, 1990 to 2037; half of them within two days of a change of clocks in some of the zones. */
const instant = fc
  .oneof(
    fc.integer({ min: utc("1990-01-01T00:00"), max: utc("2037-12-31T00:00") }),
    fc
      .tuple(
        fc.constantFrom(
          "2026-03-08",
          "2026-03-29",
          "2026-04-05",
          "2026-10-04",
          "2026-10-25",
          "2026-11-01",
          "2026-09-06",
        ),
        fc.integer({ min: -48 * HOUR, max: 48 * HOUR }),
      )
      .map(([date, by]) => Date.parse(date) + by),
  )
  .map((at) => Math.floor(at / MINUTE) * MINUTE);

describe("hours and days together", () => {
  it("own every instant once: an instant lies in its day and its hour, and the hour in the day", () => {
    fc.assert(
      fc.property(zone, instant, (name, at) => {
        const date = localDate(name, at);
        const [from, to] = [dayStart(name, date), dayStart(name, addDays(date, 1))];
        expect(from <= at && at < to).toBe(true);
        const [start, end] = [hourStart(name, at), hourEnd(name, at)];
        expect(start <= at && at < end && start >= from && end <= to).toBe(true);
        expect(end - start).toBeLessThanOrEqual(HOUR);
        for (const inside of [start, end - 1, Math.floor((start + end) / 2)])
          expect([hourStart(name, inside), hourEnd(name, inside)]).toEqual([start, end]);
        expect(hourStart(name, end)).toBe(end);
      }),
      { numRuns: 500 },
    );
  });

  it("agree with the platform's calendar, but for the hour that clocks show twice around midnight", () => {
    const formats = new Map(
      ZONES.map((name) => [name, new Intl.DateTimeFormat("sv-SE", { timeZone: name })]),
    );
    fc.assert(
      fc.property(zone, instant, (name, at) => {
        const shown = formats.get(name)?.format(at) ?? "";
        expect([shown, addDays(shown, 1)]).toContain(localDate(name, at));
        expect(Math.abs(offsetMs(name, at)) % (15 * MINUTE)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("keep the order of dates", () => {
    fc.assert(
      fc.property(zone, instant, (name, at) => {
        const date = localDate(name, at);
        expect(dayStart(name, addDays(date, 1))).toBeGreaterThanOrEqual(dayStart(name, date));
      }),
    );
  });
});

describe("the calendar", () => {
  it.each([
    ["2026-01-31", 1, "2026-02-01"],
    ["2026-01-31", 0, "2026-01-01"],
    ["2026-01-15", -1, "2025-12-01"],
    ["2026-03-01", -15, "2024-12-01"],
  ] as const)("finds the first of the month: %s and %i months", (date, months, first) => {
    expect(monthStart(date, months)).toBe(first);
  });

  it.each([
    ["2026-03-09", "2026-03-09"],
    ["2026-03-15", "2026-03-09"],
    ["2027-01-01", "2026-12-28"],
  ] as const)("begins weeks on Monday: %s in the week of %s", (date, monday) => {
    expect(weekStart(date)).toBe(monday);
  });

  it("adds days over a leap day", () => {
    expect(addDays("2028-02-28", 2)).toBe("2028-03-01");
  });

  it("knows a time zone when it sees one", () => {
    expect(["Asia/Seoul", "UTC", "Nowhere/Land", ""].map(isTimeZone)).toEqual([true, true, false, false]);
  });
});
