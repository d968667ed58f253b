/** Named and custom ranges in the site's own time zone, and how they are cut. */
import { describe, expect, it } from "vitest";
import { cut, isoLocal, parseRange, resolveTime } from "../../../../processors/pipeline/query/range.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NEW_YORK = "America/New_York";
/** Half past nine in the evening of 10 March in New York, two days after its clocks went on. */
const now = Date.parse("2026-03-11T01:30:20Z");
const first = Date.parse("2025-12-24T12:00Z");

const shown = (value: string | [string, string], zone = NEW_YORK): string[] => {
  const { from, to } = parseRange(value, zone, now, first);
  return [isoLocal(zone, from), isoLocal(zone, to)];
};

describe("a named range", () => {
  it.each([
    ["day", "2026-03-10T00:00:00-04:00", "2026-03-11T00:00:00-04:00"],
    ["24h", "2026-03-09T22:00:00-04:00", "2026-03-10T22:00:00-04:00"],
    ["realtime", "2026-03-10T21:01:00-04:00", "2026-03-10T21:31:00-04:00"],
    ["1d", "2026-03-10T00:00:00-04:00", "2026-03-11T00:00:00-04:00"],
    ["7d", "2026-03-04T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
    ["28d", "2026-02-11T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
    ["30d", "2026-02-09T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
    ["91d", "2025-12-10T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
    ["month", "2026-03-01T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
    ["6mo", "2025-10-01T00:00:00-04:00", "2026-03-11T00:00:00-04:00"],
    ["12mo", "2025-04-01T00:00:00-04:00", "2026-03-11T00:00:00-04:00"],
    ["year", "2026-01-01T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
    ["all", "2025-12-24T00:00:00-05:00", "2026-03-11T00:00:00-04:00"],
  ])("%s is local to the site", (name, from, to) => {
    expect(shown(name)).toEqual([from, to]);
  });

  it("of 7 days over the change of clocks is an hour short", () => {
    const { from, to } = parseRange("7d", NEW_YORK, now, first);
    expect(to - from).toBe(7 * DAY - HOUR);
  });

  it("is today's where it is today: already the 11th in Seoul", () => {
    expect(shown("day", "Asia/Seoul")).toEqual(["2026-03-11T00:00:00+09:00", "2026-03-12T00:00:00+09:00"]);
  });

  it("of 24 hours ends with the hour, also where hours begin at a quarter past", () => {
    expect(shown("24h", "Asia/Kathmandu")[1]).toBe("2026-03-11T08:00:00+05:45");
  });
});

describe("a custom range", () => {
  it.each<[[string, string], string, string]>([
    [["2026-03-08", "2026-03-08"], "2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"],
    [["2026-03-01T09:00", "2026-03-01T10:30"], "2026-03-01T09:00:00-05:00", "2026-03-01T10:30:00-05:00"],
    [
      ["2026-03-01 09:00:30", "2026-03-01 10:30:01"],
      "2026-03-01T09:00:00-05:00",
      "2026-03-01T10:31:00-05:00",
    ],
    [
      ["2026-03-01T09:00:00Z", "2026-03-01T10:00:00+0000"],
      "2026-03-01T04:00:00-05:00",
      "2026-03-01T05:00:00-05:00",
    ],
    [
      ["2026-07-01T00:00:00+09:00", "2026-07-01T01:00:00+09:00"],
      "2026-06-30T11:00:00-04:00",
      "2026-06-30T12:00:00-04:00",
    ],
  ])("%j is read in the site's time zone unless it says its own", (value, from, to) => {
    expect(shown(value)).toEqual([from, to]);
  });

  it.each([
    "yesterday",
    "0d",
    "-3d",
    "7 d",
    "99999d",
    "",
    ["2026-02-30", "2026-03-01"],
    ["2026-03-02", "2026-03-01"],
    ["2026-03-01T10:00", "2026-03-01T10:00"],
    ["2026-03-01", "tomorrow"],
    ["2026-03-01T25:00", "2026-03-02T00:00"],
    ["2026-03-01T10:00+99:99", "2026-03-02T00:00"],
    ["0001-01-01", "2026-01-01"],
    ["2026-01-01", "9999-12-31"],
    ["1969-12-31T00:00Z", "2026-01-01T00:00Z"],
    "999mo",
  ] as (string | [string, string])[])("%j is refused by name", (value) => {
    expect(() => parseRange(value, NEW_YORK, now, first)).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining("date_range") }),
    );
  });
});

describe("a cut range", () => {
  const day = (date: string, zone = NEW_YORK) => parseRange([date, date], zone, now, first);

  it("covers the whole without gap or overlap, on the longest and the shortest days too", () => {
    for (const zone of [NEW_YORK, "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut"]) {
      for (const date of [
        "2026-03-08",
        "2026-03-29",
        "2026-04-05",
        "2026-10-04",
        "2026-10-24",
        "2026-11-01",
      ]) {
        for (const time of ["time:minute", "time:hour", "time:day", "time:week", "time:month"] as const) {
          const range = day(date, zone);
          const buckets = cut(time, range, zone);
          expect([buckets[0]?.from, buckets.at(-1)?.to]).toEqual([range.from, range.to]);
          for (const [i, { from, to }] of buckets.entries()) {
            expect(to).toBeGreaterThan(from);
            if (i > 0) expect(from).toBe(buckets[i - 1]?.to);
          }
        }
      }
    }
  });

  it("has 23 hours, and none called two, on the day that clocks go on", () => {
    const labels = cut("time:hour", day("2026-03-08"), NEW_YORK).map(({ label }) => label);
    expect(labels.slice(0, 4)).toEqual([
      "2026-03-08 00:00:00",
      "2026-03-08 01:00:00",
      "2026-03-08 03:00:00",
      "2026-03-08 04:00:00",
    ]);
    expect(labels).toHaveLength(23);
  });

  it("tells the two hours by their offsets that clocks show alike", () => {
    const labels = cut("time:hour", day("2026-11-01"), NEW_YORK).map(({ label }) => label);
    expect(labels.slice(0, 4)).toEqual([
      "2026-11-01 00:00:00",
      "2026-11-01 01:00:00-04:00",
      "2026-11-01 01:00:00-05:00",
      "2026-11-01 02:00:00",
    ]);
    expect(new Set(labels).size).toBe(25);
    const minutes = cut("time:minute", day("2026-10-25", "Europe/Berlin"), "Europe/Berlin");
    expect(new Set(minutes.map(({ label }) => label)).size).toBe(25 * 60);
  });

  it("begins with the first of two times that clocks show alike, and goes on after a time that they skip", () => {
    const range = (from: string, to: string, zone: string) => {
      const { from: start, to: end } = parseRange([from, to], zone, now, first);
      return [isoLocal(zone, start), isoLocal(zone, end)];
    };
    expect(range("2026-10-25T02:00", "2026-10-25T03:00", "Europe/Berlin")).toEqual([
      "2026-10-25T02:00:00+02:00",
      "2026-10-25T03:00:00+01:00",
    ]);
    expect(range("2026-11-01T01:30", "2026-11-01T02:00", NEW_YORK)[0]).toBe("2026-11-01T01:30:00-04:00");
    expect(range("2026-03-08T02:30", "2026-03-08T04:00", NEW_YORK)[0]).toBe("2026-03-08T03:30:00-04:00");
  });

  it("names weeks by their Monday and months by their first, also where the range begins amid them", () => {
    const range = parseRange(["2026-02-25", "2026-03-04"], NEW_YORK, now, first);
    expect(cut("time:week", range, NEW_YORK).map(({ label }) => label)).toEqual(["2026-02-23", "2026-03-02"]);
    expect(cut("time:month", range, NEW_YORK).map(({ label }) => label)).toEqual([
      "2026-02-01",
      "2026-03-01",
    ]);
  });

  it("is refused where it would give more rows than anybody reads, before any is made", () => {
    const decades = parseRange(["1971-01-01", "2199-12-30"], "UTC", now, first);
    for (const time of ["time:minute", "time:hour", "time:day"] as const)
      expect(() => cut(time, decades, "UTC")).toThrow(expect.objectContaining({ code: "bad_request" }));
  });

  it.each([
    ["realtime", "time:minute"],
    ["day", "time:hour"],
    ["24h", "time:hour"],
    ["7d", "time:day"],
    ["91d", "time:day"],
    ["12mo", "time:month"],
    ["year", "time:month"],
  ])("of %s is by %s when plain time is asked for", (name, time) => {
    expect(resolveTime("time", parseRange(name, NEW_YORK, now, first), name)).toBe(time);
  });
});
