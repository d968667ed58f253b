/** Late events, wrong clocks, midnights and clock changes, from the envelope to the answer of a query. */
import { describe, expect, it } from "vitest";
import type { ReplayOptions, ReplayResult } from "../../kit/replay.ts";
import { replay } from "../../kit/replay.ts";
import { DAY, HOUR, MINUTE, NOON, post, SECOND, SITE, view } from "./lines.ts";
import { recordsOf, rig } from "./rig.ts";

/** What Intl says a wall clock in the zone shows, e.g. `2026-03-08 01`; the code under test must agree with it. */
function wallHour(zone: string, at: number): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    hourCycle: "h23",
  }).formatToParts(at);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? "";
  return `${of("year")}-${of("month")}-${of("day")} ${of("hour")}`;
}

const tally = (keys: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
};

/** Page views by the first `chars` characters of the bucket's label. */
async function byLabel(
  result: ReplayResult,
  dimension: string,
  range: readonly [string, string],
  chars: number,
): Promise<Record<string, number>> {
  const { results } = await result.query({
    site_id: SITE,
    metrics: ["pageviews"],
    date_range: range,
    dimensions: [dimension],
  });
  const counts: Record<string, number> = {};
  for (const { metrics, dimensions } of results) {
    const key = dimensions[0]?.slice(0, chars) ?? "";
    counts[key] = (counts[key] ?? 0) + Number(metrics[0]);
  }
  return counts;
}

describe("local days and hours", () => {
  const cases = [
    { zone: "Asia/Seoul", what: "midnight", at: "2026-01-14T15:00Z" },
    { zone: "Asia/Kathmandu", what: "midnight, at a quarter to the hour", at: "2026-01-14T18:15Z" },
    { zone: "America/New_York", what: "clocks go forward at 2:00", at: "2026-03-08T07:00Z" },
    { zone: "America/New_York", what: "clocks go back at 2:00", at: "2026-11-01T06:00Z" },
    { zone: "Australia/Lord_Howe", what: "clocks go back by half an hour", at: "2026-04-04T15:00Z" },
    { zone: "Australia/Lord_Howe", what: "clocks go forward by half an hour", at: "2026-10-03T15:30Z" },
  ];
  it.each(cases)("of $zone hold what happened in them: $what", async ({ zone, at }) => {
    const change = Date.parse(at);
    const times: number[] = [];
    // Two days around it, denser near it, with the very edges.
    for (let t = change - 26 * HOUR; t < change + 26 * HOUR; t += 23 * MINUTE) times.push(t);
    for (let t = change - 2 * HOUR; t < change + 2 * HOUR; t += 5 * MINUTE) times.push(t);
    for (const edge of [-DAY, -HOUR, -HOUR / 2, 0, HOUR / 2, HOUR, DAY])
      times.push(change + edge - 1, change + edge);
    times.sort((a, b) => a - b);
    const lines = times.map((t, i) => post({ at: t, ip: `10.0.0.${i % 200}`, e: [view("/")] }));
    // A day later everything is compacted and the days in the middle are derived from their hours.
    const end = change + 3 * DAY;
    const last = post({ at: end, e: [view("/last")] });
    const result = await replay([...lines, last], { sites: [{ id: SITE, timeZone: zone }] });
    expect([...(await result.rollups()).keys()].some((key) => key.startsWith("day"))).toBe(true);

    const hours = [...times, end].map((t) => wallHour(zone, t));
    const dates = hours.map((hour) => hour.slice(0, 10));
    const range = [dates[0] ?? "", dates.at(-1) ?? ""] as const;
    expect(await byLabel(result, "time:day", range, 10)).toEqual(tally(dates));
    expect(await byLabel(result, "time:hour", range, 13)).toEqual(tally(hours));
  });
});

/** A batch that says when it was sent by the client's clock. */
const sent = (at: number, sentAt: number, e: ReturnType<typeof view>[]) =>
  post({ at, e, body: { s: SITE, t: sentAt, e } });

describe("late and early", () => {
  const run = (lines: Parameters<typeof replay>[0], options: ReplayOptions = {}): Promise<ReplayResult> =>
    replay(lines, { sites: [{ id: SITE, timeZone: "UTC" }], ...options });
  const hoursOf = (result: ReplayResult): Promise<Record<string, number>> =>
    byLabel(result, "time:hour", ["2026-01-09", "2026-01-16"], 13);

  it("lands a batch that was offline for hours in the windows where it happened, and says that it was late", async () => {
    const offline = sent(NOON, NOON - SECOND, [
      view("/a", NOON - 5 * HOUR),
      view("/b", NOON - 3 * HOUR),
      view("/c", NOON - 2 * SECOND),
    ]);
    const result = await run([offline]);
    expect(await hoursOf(result)).toEqual({ "2026-01-15 07": 1, "2026-01-15 09": 1, "2026-01-15 11": 1 });
    expect(result.counters.late).toBe(2);
    const ask = { site_id: SITE, metrics: ["events"], date_range: "day" };
    expect((await result.query(ask)).meta.late).toBe(2);
    const morning = { ...ask, date_range: ["2026-01-15T06:00", "2026-01-15T08:00"] };
    expect((await result.query(morning)).meta.late).toBe(1);
  });

  it.each([
    { clock: "a day fast", skew: DAY },
    { clock: "a day slow", skew: -DAY },
    { clock: "ten years slow", skew: -3652 * DAY },
  ])("puts a clock right that is $clock, from the time of sending", async ({ skew }) => {
    const result = await run([sent(NOON, NOON + skew, [view("/", NOON + skew - 20 * MINUTE)])]);
    expect(await hoursOf(result)).toEqual({ "2026-01-15 11": 1 });
    expect(result.counters.rejects).toEqual({});
  });

  it("refuses by name what cannot be put right", async () => {
    const result = await run([
      // No time of sending: the clock is taken at its word.
      post({ at: NOON, e: [view("/", NOON + DAY), view("/", NOON - DAY)] }),
      // Later than it was sent, older than a week.
      sent(NOON, NOON, [view("/", NOON + 2 * MINUTE), view("/", NOON - 8 * DAY)]),
    ]);
    expect(result.counters.rejects).toEqual({ from_future: 2, too_old: 1 });
    expect(await hoursOf(result)).toEqual({ "2026-01-14 12": 1 });
  });

  it("never counts an event later than it was received", async () => {
    const result = await run([post({ at: NOON, e: [view("/", NOON + 30 * SECOND)] })]);
    const rows = await byLabel(result, "time:minute", ["2026-01-15", "2026-01-15"], 16);
    expect(rows).toEqual({ "2026-01-15 12:00": 1 });
  });

  it.each([
    { allowedLatenessMs: MINUTE, late: 2 },
    { allowedLatenessMs: 5 * MINUTE, late: 1 },
    { allowedLatenessMs: HOUR, late: 0 },
  ])(
    "waits for as long as it is told: $allowedLatenessMs ms make $late late",
    async ({ allowedLatenessMs, late }) => {
      const e = [view("/", NOON), view("/", NOON + 5 * MINUTE), view("/", NOON + 8 * MINUTE)];
      const at = NOON + 10 * MINUTE - 1;
      const result = await run([post({ at, e })], { allowedLatenessMs });
      // The minutes ended 9, 4 and 1 minutes before, each less a millisecond.
      expect(result.counters.late).toBe(late);
      const { meta } = await result.query({
        site_id: SITE,
        metrics: ["events"],
        date_range: ["2026-01-15T12:00", "2026-01-15T12:10"],
        dimensions: ["time:minute"],
        include: { time_labels: true },
      });
      expect(meta.complete_until).toBe(at - allowedLatenessMs);
      const final = Math.max(0, Math.min(10, Math.floor((meta.complete_until - NOON) / MINUTE)));
      expect(meta.provisional).toEqual(meta.time_labels?.slice(final));
    },
  );

  it("calls nothing final before its time after a clock that ran ahead was set back", async () => {
    const { worker, engine } = await rig({ start: NOON });
    await worker().process(recordsOf([post({ at: NOON + 5 * HOUR, e: [view("/", NOON + 5 * HOUR)] })]));
    const { complete_until } = await engine().live(SITE);
    expect(complete_until).toBe(NOON - MINUTE);
  });

  it("calls no window final that an event in time could still change", async () => {
    const lines = Array.from({ length: 30 }, (_, i) =>
      post({
        at: NOON + i * 20 * SECOND,
        ip: `10.0.0.${i}`,
        e: [view("/", NOON + i * 20 * SECOND - 50 * SECOND)],
      }),
    );
    const final = new Map<string, number>();
    let checked = 0;
    for (let upTo = 1; upTo <= lines.length; upTo++) {
      const result = await run(lines.slice(0, upTo));
      const { results, meta } = await result.query({
        site_id: SITE,
        metrics: ["events"],
        date_range: ["2026-01-15T11:55", "2026-01-15T12:15"],
        dimensions: ["time:minute"],
        include: { time_labels: true },
      });
      expect(meta.late).toBe(0);
      const open = new Set(meta.provisional);
      for (const { dimensions, metrics } of results) {
        const label = dimensions[0] ?? "";
        if (open.has(label)) continue;
        const count = Number(metrics[0]);
        expect(final.get(label) ?? count, label).toBe(count);
        final.set(label, count);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(50);
  });
});
