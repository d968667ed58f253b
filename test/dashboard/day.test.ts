/** Two days beside each other, also where clocks change, and the mean of their minutes. */
import { describe, expect, it } from "vitest";
import { beside, daysAt, isKept, means } from "../../dashboard/day.ts";
import { wallAt } from "../../dashboard/wallclock.ts";

const at = (iso: string): number => Date.parse(iso);
const MINUTE = 60_000;

describe("the two days", () => {
  it.each([
    {
      zone: "UTC",
      now: "2026-03-10T03:30:00Z",
      today: "2026-03-10T00:00:00Z",
      hours: 24,
      before: "2026-03-03T00:00:00Z",
    },
    {
      zone: "Asia/Seoul",
      now: "2026-03-10T15:00:00Z",
      today: "2026-03-10T15:00:00Z",
      hours: 24,
      before: "2026-03-03T15:00:00Z",
    },
    // The clocks of New York go forward on 8 March: the day has 23 hours, a week before it had 24.
    {
      zone: "America/New_York",
      now: "2026-03-08T12:00:00Z",
      today: "2026-03-08T05:00:00Z",
      hours: 23,
      before: "2026-03-01T05:00:00Z",
    },
  ])("are the site's own, in $zone", ({ zone, now, today, hours, before }) => {
    const days = daysAt(at(now), zone);
    expect(new Date(days.today.start)).toEqual(new Date(today));
    expect(days.today.end - days.today.start).toBe(hours * 60 * MINUTE);
    expect(new Date(days.before.start)).toEqual(new Date(before));
  });
});

it.each([
  { now: "2026-11-29T23:58:00Z", zone: "UTC", kept: true },
  // Clocks went back on 25 October: in the week after it a day a week ago has begun an hour longer ago.
  { now: "2026-10-27T22:30:00Z", zone: "Europe/Berlin", kept: false },
  { now: "2026-10-27T21:30:00Z", zone: "Europe/Berlin", kept: true },
])("the minutes of a week ago are kept at $now in $zone: $kept", ({ now, zone, kept }) => {
  expect(isKept(daysAt(at(now), zone).before, at(now))).toBe(kept);
});

describe("the day before beside today", () => {
  it.each([
    { what: "are as long", now: "2026-06-20T12:00:00Z", length: 96, night: 9 },
    { what: "differ as clocks went back today", now: "2026-10-25T12:00:00Z", length: 100, night: 9 },
    { what: "differ as clocks went back a week ago", now: "2026-11-01T12:00:00Z", length: 96, night: 9 },
    {
      what: "differ as clocks went forward today",
      now: "2026-03-29T12:00:00Z",
      length: 92,
      night: undefined,
    },
  ])("has each time of the clock beside the same one where they $what", ({ now, length, night }) => {
    const zone = "Europe/Berlin";
    const days = daysAt(at(now), zone);
    // The number of quarters of an hour on the clock.
    const quarters = Array.from({ length: (days.before.end - days.before.start) / (15 * MINUTE) }, (_, i) => {
      const wall = wallAt(days.before.start + i * 15 * MINUTE, zone);
      return (wall % (24 * 60 * MINUTE)) / (15 * MINUTE);
    });
    const points = beside(quarters, days, zone);
    expect(points).toHaveLength(length);
    expect(points.find((point) => point === 9)).toBe(night);
    for (const [i, point] of points.entries())
      expect(point).toBe((wallAt(days.today.start + i * 15 * MINUTE, zone) / (15 * MINUTE)) % 96);
  });
});

describe("visitors per minute over a day", () => {
  const day = { start: 0, end: 24 * 60 * MINUTE };
  const minutes = new Map(Array.from({ length: 30 }, (_, i) => [i * MINUTE, i < 15 ? 4 : 1] as const));

  it("are the mean of each quarter of an hour, and nothing where no minute is over yet", () => {
    const line = means(minutes, day, 45 * MINUTE);
    expect(line).toHaveLength(96);
    expect(line.slice(0, 4)).toEqual([4, 1, 0, undefined]);
  });

  it("are the last fifteen whole minutes for the newest point, so that it does not jump with each of them", () => {
    expect(means(minutes, day, 18 * MINUTE)[1]).toBe((12 * 4 + 3 * 1) / 15);
    expect(means(minutes, day, 3 * MINUTE)[0]).toBe(4);
  });

  it("leave out the minute that has only begun, and count a minute without anything as none", () => {
    expect(means(minutes, day, 15.9 * MINUTE)[1]).toBeUndefined();
    expect(means(new Map([[0, 6]]), day, 15 * MINUTE)[0]).toBe(0.4);
  });
});
