/** The rules of visits, each as a story of a few batches. */
import { describe, expect, it } from "vitest";
import type { WireEvent } from "../../../processors/model/event.ts";
import type { StreamLine } from "../../../processors/model/streamfile.ts";
import { Oracle } from "../../kit/oracle.ts";
import { type ReplayResult, replay } from "../../kit/replay.ts";
import { DAY, HOUR, MINUTE, NOON, post, SECOND, SITE, view } from "./lines.ts";

const sites = [{ id: SITE, timeZone: "UTC" }];

interface Story extends ReplayResult {
  totals(from?: number, to?: number): Promise<Record<string, unknown>>;
  by(dimension: string, metrics?: readonly string[]): Promise<Record<string, unknown[]>>;
}

/** Tells the lines to the pipeline and, as a check on this test, to the oracle. */
async function tell(lines: readonly StreamLine[]): Promise<Story> {
  const replayed = await replay(lines, { sites });
  const oracle = new Oracle(lines, { sites: [SITE] });
  expect(replayed.counters).toEqual(oracle.counters);
  const iso = (at: number): string => new Date(at).toISOString();
  const range = (from = NOON - 2 * DAY, to = NOON + 2 * DAY): string[] => [iso(from), iso(to)];
  return {
    ...replayed,
    async totals(from, to) {
      const metrics = ["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration"];
      const { results } = await replayed.query({ site_id: SITE, metrics, date_range: range(from, to) });
      return Object.fromEntries(metrics.map((name, i) => [name, results[0]?.metrics[i]]));
    },
    async by(dimension, metrics = ["visits"]) {
      const { results } = await replayed.query({
        site_id: SITE,
        metrics,
        date_range: range(),
        dimensions: [dimension],
      });
      return Object.fromEntries(results.map(({ dimensions, metrics: values }) => [dimensions[0], values]));
    },
  };
}

const at = (after: number, ...e: readonly WireEvent[]): StreamLine => post({ at: NOON + after, e });
const signup: WireEvent = { n: "signup" };

describe("a visit", () => {
  it("goes on after exactly 30 minutes", async () => {
    const story = await tell([at(0, view("/")), at(30 * MINUTE, view("/a"))]);
    expect(await story.totals()).toMatchObject({
      visits: 1,
      visitors: 1,
      visit_duration: 1800,
      bounce_rate: 0,
    });
  });

  it("is over one millisecond later", async () => {
    const story = await tell([at(0, view("/")), at(30 * MINUTE + 1, view("/a"))]);
    expect(await story.totals()).toMatchObject({
      visits: 2,
      visitors: 1,
      visit_duration: 0,
      bounce_rate: 100,
    });
  });

  it("is measured from its last event, not from its first", async () => {
    const story = await tell([0, 25, 50, 75].map((minute) => at(minute * MINUTE, view("/"))));
    expect(await story.totals()).toMatchObject({ visits: 1, visit_duration: 75 * 60 });
  });

  it("takes an event that is up to 30 minutes older than its first", async () => {
    const story = await tell([
      at(40 * MINUTE, view("/")),
      at(41 * MINUTE, view("/early", NOON + 10 * MINUTE)),
    ]);
    expect(await story.totals()).toMatchObject({ visits: 1, visit_duration: 30 * 60, pageviews: 2 });
  });

  it("leaves an event that is older still to a visit of its own, in the minute of that event", async () => {
    const story = await tell([
      at(40 * MINUTE, view("/")),
      at(41 * MINUTE, view("/early", NOON + 9 * MINUTE)),
    ]);
    expect(await story.totals()).toMatchObject({ visits: 2, visitors: 1 });
    expect(await story.totals(NOON + 9 * MINUTE, NOON + 10 * MINUTE)).toMatchObject({
      visits: 1,
      pageviews: 1,
    });
  });

  it("is counted in the minute of the event that began it, however long it goes on", async () => {
    const story = await tell([at(0, view("/")), at(10 * MINUTE, view("/a"))]);
    expect(await story.totals(NOON, NOON + MINUTE)).toMatchObject({ visits: 1, visit_duration: 600 });
    expect(await story.totals(NOON + 10 * MINUTE, NOON + 11 * MINUTE)).toMatchObject({
      visits: 0,
      visitors: 1,
      pageviews: 1,
    });
  });

  it("is the newer one of two that an event could join", async () => {
    const story = await tell([
      at(0, view("/")),
      at(50 * MINUTE, view("/b")),
      at(51 * MINUTE, view("/c", NOON + 25 * MINUTE)),
    ]);
    expect(await story.totals(NOON, NOON + MINUTE)).toMatchObject({ visits: 1, visit_duration: 0 });
    expect(await story.totals(NOON + 25 * MINUTE, NOON + 26 * MINUTE)).toMatchObject({
      visits: 1,
      visit_duration: 25 * 60,
    });
    expect(await story.totals(NOON + 50 * MINUTE, NOON + 51 * MINUTE)).toMatchObject({ visits: 0 });
  });

  it("is the newer one also where that was heard of first", async () => {
    const story = await tell([
      at(HOUR, view("/new")),
      at(HOUR + SECOND, view("/old", NOON)),
      at(HOUR + 2 * SECOND, view("/between", NOON + HOUR / 2)),
    ]);
    // What was counted for /new before the visit moved stays there.
    expect(await story.by("visit:entry_page")).toEqual({ "/old": [1], "/between": [1], "/new": [0] });
    expect(await story.by("visit:exit_page")).toEqual({ "/old": [1], "/new": [1] });
  });

  it("moves to where it really began when a later batch overtook the first on the way", async () => {
    const second = post({ at: NOON + 2 * MINUTE, e: [view("/second", NOON + 90_000), signup] });
    const first = post({
      at: NOON + 3 * MINUTE,
      e: [view("/first?utm_source=letter", NOON + 5_000)],
      referrer: "https://news.ycombinator.com/",
    });
    const story = await tell([second, first]);
    expect(await story.totals(NOON, NOON + MINUTE)).toMatchObject({ visits: 1, visit_duration: 115 });
    expect(await story.totals(NOON + MINUTE, NOON + 3 * MINUTE)).toMatchObject({ visits: 0, pageviews: 1 });
    expect(await story.by("visit:entry_page", ["visits", "bounce_rate"])).toMatchObject({ "/first": [1, 0] });
    expect(await story.by("visit:utm_source", ["visits"])).toEqual({ letter: [1] });
    expect((await story.by("visit:entry_page", ["visits"]))["/second"]?.[0] ?? 0).toBe(0);
    expect(await story.by("visit:exit_page", ["visits", "visitors", "pageviews"])).toEqual({
      "/second": [1, 1, 2],
    });
  });

  it("is moved by an event only, not by a report that is older, and a report does not hide where it began", async () => {
    const late = [
      at(10 * MINUTE, view("/late")),
      at(11 * MINUTE, { n: "engagement", t: NOON + 5 * MINUTE, ms: 1_000, u: "https://shop.example/late" }),
    ];
    const story = await tell(late);
    expect(await story.totals(NOON + 10 * MINUTE, NOON + 11 * MINUTE)).toMatchObject({
      visits: 1,
      visit_duration: 0,
    });
    const corrected = await tell([...late, at(12 * MINUTE, view("/first", NOON + 7 * MINUTE))]);
    expect((await corrected.by("visit:entry_page", ["visits"]))["/first"]).toEqual([1]);
  });

  it("keeps the source and entry page of its first event", async () => {
    const first = post({ at: NOON, e: [view("/landing")], referrer: "https://news.ycombinator.com/" });
    const story = await tell([first, at(MINUTE, view("/other"))]);
    expect(await story.by("visit:source", ["visits", "pageviews"])).toEqual({ "Hacker News": [1, 2] });
    expect(await story.by("visit:entry_page", ["visits", "pageviews"])).toEqual({ "/landing": [1, 2] });
  });
});

describe("a bounce", () => {
  it("is a visit with one page view", async () => {
    expect(await (await tell([at(0, view("/"))])).totals()).toMatchObject({ bounce_rate: 100 });
  });

  it("is taken back by a second interactive event, also in a later batch", async () => {
    const story = await tell([at(0, view("/")), at(MINUTE, signup)]);
    expect(await story.totals()).toMatchObject({ visits: 1, bounce_rate: 0, events: 2, pageviews: 1 });
    expect(await story.by("visit:entry_page", ["bounce_rate"])).toEqual({ "/": [0] });
  });

  it("is not taken back by an event that is not interactive", async () => {
    const story = await tell([at(0, view("/")), at(MINUTE, { n: "autoplay", i: false })]);
    expect(await story.totals()).toMatchObject({ bounce_rate: 100, events: 2 });
  });

  it("is not taken back by engagement or vitals", async () => {
    const story = await tell([
      at(0, view("/")),
      at(MINUTE, { n: "engagement", ms: 5_000, sd: 40 }, { n: "vitals", m: { lcp: 900 } }),
    ]);
    expect(await story.totals()).toMatchObject({ bounce_rate: 100, events: 1, visit_duration: 60 });
  });
});

describe("the exit page", () => {
  it("moves with each page view and leaves nothing behind", async () => {
    const story = await tell([at(0, view("/")), at(MINUTE, view("/a")), at(2 * MINUTE, view("/b"))]);
    expect(await story.by("visit:exit_page", ["visits", "visitors", "pageviews"])).toEqual({
      "/b": [1, 1, 3],
    });
  });

  it("does not move for a custom event, nor for a page view that was earlier", async () => {
    const story = await tell([
      at(5 * MINUTE, view("/last")),
      at(6 * MINUTE, { ...signup, u: `https://${SITE}/form` }),
      at(7 * MINUTE, view("/earlier", NOON + 4 * MINUTE)),
    ]);
    expect(await story.by("visit:exit_page")).toEqual({ "/last": [1] });
  });

  it("is that of a page view, though a later custom event came before it and after it no other", async () => {
    const story = await tell([
      at(5 * MINUTE, { ...signup, u: `https://${SITE}/form` }),
      at(6 * MINUTE, view("/viewed", NOON + 4 * MINUTE)),
      at(7 * MINUTE, view("/earlier", NOON + 3 * MINUTE)),
    ]);
    expect(await story.by("visit:exit_page", ["visits", "pageviews"])).toEqual({ "/viewed": [1, 2] });
  });

  it("has one visitor for two visits that end on it", async () => {
    const story = await tell([at(0, view("/")), at(HOUR, view("/"))]);
    expect(await story.by("visit:exit_page", ["visits", "visitors"])).toEqual({ "/": [2, 1] });
  });

  it("has somebody also where a range holds only the second of those visits, and says what it may lack", async () => {
    const { query } = await tell([at(0, view("/")), at(HOUR, view("/"))]);
    const { results, meta } = await query({
      site_id: SITE,
      metrics: ["visits", "visitors"],
      date_range: [new Date(NOON + HOUR).toISOString(), new Date(NOON + 2 * HOUR).toISOString()],
      dimensions: ["visit:exit_page"],
    });
    expect(results).toMatchObject([{ metrics: [1, 1], dimensions: ["/"] }]);
    expect(meta.metric_warnings?.visitors).toMatchObject({ code: "first_exit_only" });
  });

  it("keeps its visitor when only one of the two visits goes on to another page", async () => {
    const story = await tell([at(0, view("/")), at(HOUR, view("/")), at(HOUR + MINUTE, view("/b"))]);
    expect(await story.by("visit:exit_page", ["visits", "visitors"])).toEqual({ "/": [1, 1], "/b": [1, 1] });
  });
});

describe("engagement and vitals", () => {
  it("never begin a visit", async () => {
    const story = await tell([
      at(0, { n: "engagement", ms: 5_000, sd: 50 }, { n: "vitals", m: { lcp: 900 } }),
    ]);
    expect(await story.totals()).toMatchObject({ visits: 0, visitors: 0, events: 0 });
    expect(await story.by("event:page", ["lcp_p75"])).toEqual({ "/": [expect.closeTo(900, -1.5)] });
  });

  it("of one page in one visit are one reading, at its deepest", async () => {
    const story = await tell([
      at(0, view("/")),
      at(MINUTE, { n: "engagement", ms: 4_000, sd: 30 }),
      at(2 * MINUTE, { n: "engagement", ms: 8_000, sd: 80 }),
      at(3 * MINUTE, { n: "engagement", ms: 0, sd: 10 }),
    ]);
    expect(await story.by("event:page", ["time_on_page", "scroll_depth"])).toEqual({ "/": [12, 80] });
  });

  it("that arrive before their page view leave it its visit", async () => {
    const page = { u: `https://${SITE}/a` };
    const story = await tell([
      at(0, view("/")),
      at(2 * MINUTE, { n: "engagement", ms: 4_000, sd: 0, ...page }),
      at(3 * MINUTE, view("/a", NOON + MINUTE)),
    ]);
    expect(await story.by("event:page", ["visits", "scroll_depth"])).toEqual({
      "/": [1, null],
      "/a": [1, 0],
    });
  });

  it("of vitals never make a visit longer", async () => {
    const story = await tell([at(0, view("/")), at(10 * MINUTE, { n: "vitals", m: { inp: 80 } })]);
    expect(await story.totals()).toMatchObject({ visit_duration: 0 });
  });
});

describe("a visitor", () => {
  const midnight = Date.UTC(2026, 0, 16);
  const near = (after: number, path: string): StreamLine => post({ at: midnight + after, e: [view(path)] });

  it("whose visit goes on over midnight stays the same", async () => {
    const story = await tell([near(-10 * MINUTE, "/"), near(10 * MINUTE, "/a"), near(35 * MINUTE, "/b")]);
    expect(await story.totals()).toMatchObject({ visitors: 1, visits: 1, visit_duration: 45 * 60 });
  });

  it("who comes again after midnight is a new one, because yesterday's salt is not used for it", async () => {
    const story = await tell([near(-10 * MINUTE, "/"), near(20 * MINUTE + 1, "/a")]);
    expect(await story.totals()).toMatchObject({ visitors: 2, visits: 2 });
  });

  it("is another one behind another address or agent", async () => {
    const story = await tell([
      at(0, view("/")),
      post({ at: NOON, e: [view("/")], ip: "203.0.113.8" }),
      post({
        at: NOON,
        e: [view("/")],
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
      }),
    ]);
    expect(await story.totals()).toMatchObject({ visitors: 3, visits: 3 });
  });

  it("with an id that the site chose is the same on every address and every day", async () => {
    const story = await tell([
      post({ at: NOON, e: [view("/")], v: "ann" }),
      post({ at: NOON + MINUTE, e: [view("/a")], v: "ann", ip: "198.51.100.1" }),
      post({ at: NOON + DAY, e: [view("/b")], v: "ann", ip: "198.51.100.2" }),
    ]);
    expect(await story.totals()).toMatchObject({ visitors: 1, visits: 2, pageviews: 3 });
  });

  it("with a chosen id is not the one without, nor the one of another site", async () => {
    const lines = [
      post({ at: NOON, e: [view("/")], v: "ann" }),
      at(0, view("/")),
      post({ at: NOON, e: [view("/")], v: "ann", site: "other.example" }),
    ];
    const replayed = await replay(lines, { sites: [...sites, { id: "other.example", timeZone: "UTC" }] });
    const visitors = async (site: string) =>
      (await replayed.query({ site_id: site, metrics: ["visitors"], date_range: "day" })).results[0]
        ?.metrics[0];
    expect(await visitors(SITE)).toBe(2);
    expect(await visitors("other.example")).toBe(1);
  });
});

describe("a repeated batch", () => {
  it("with a client id is counted once, whatever the request", async () => {
    const story = await tell([
      post({ at: NOON, e: [view("/")], b: "batch-1" }),
      post({ at: NOON + 5 * SECOND, e: [view("/")], b: "batch-1" }),
    ]);
    expect(await story.totals()).toMatchObject({ pageviews: 1 });
    expect(story.counters.rejects).toEqual({ duplicate: 1 });
  });

  it("without a client id is recognised by the edge's id of the request", async () => {
    const line = post({ at: NOON, e: [view("/")], id: "request" });
    const story = await tell([line, line]);
    expect(await story.totals()).toMatchObject({ pageviews: 1 });
  });

  it("without any id is counted as often as it comes, because two equal clicks are two clicks", async () => {
    const line = post({ at: NOON, e: [view("/")], id: "" });
    const story = await tell([line, line]);
    expect(await story.totals()).toMatchObject({ pageviews: 2 });
  });

  it("of another site is no repeat", async () => {
    const story = await tell([
      post({ at: NOON, e: [view("/")], b: "batch-1", site: "other.example" }),
      post({ at: NOON, e: [view("/")], b: "batch-1" }),
    ]);
    expect(await story.totals()).toMatchObject({ pageviews: 1 });
    expect(story.counters.rejects).toEqual({ unknown_site: 1 });
  });
});

describe("what is refused", () => {
  const whole = (e: unknown): Record<string, unknown> => ({ s: SITE, c: { u: `https://${SITE}/` }, e: [e] });
  const bad: { reason: string; line: StreamLine; events: number }[] = [
    { reason: "malformed", line: post({ at: NOON, e: [], body: "{not json" }), events: 0 },
    {
      reason: "unknown_site",
      line: post({ at: NOON, e: [view("/"), view("/")], site: "who.example" }),
      events: 0,
    },
    {
      reason: "too_large",
      line: post({ at: NOON, e: [view("/"), { n: "x".repeat(121) }] }),
      events: 1,
    },
    { reason: "too_old", line: post({ at: NOON, e: [view("/"), view("/", NOON - 7 * DAY - 1)] }), events: 1 },
    {
      reason: "from_future",
      line: post({ at: NOON, e: [view("/"), view("/", NOON + 2 * MINUTE)] }),
      events: 1,
    },
    { reason: "bot", line: post({ at: NOON, e: [view("/")], agent: "Googlebot/2.1" }), events: 0 },
    {
      reason: "invalid_url",
      line: post({ at: NOON, e: [], body: whole({ n: "pageview", u: "ftp://x" }) }),
      events: 0,
    },
    { reason: "invalid_name", line: post({ at: NOON, e: [view("/"), { n: "a\u0007b" }] }), events: 1 },
    {
      reason: "invalid_props",
      line: post({ at: NOON, e: [], body: whole({ n: "a", p: { b: {} } }) }),
      events: 0,
    },
    {
      reason: "invalid_revenue",
      line: post({ at: NOON, e: [view("/"), { n: "a", $: { amount: "ten", currency: "USD" } }] }),
      events: 1,
    },
  ];

  it.each(bad)(
    "is counted by its reason ($reason), and what came with it by what it is",
    async ({ line, reason, events }) => {
      const story = await tell([line, at(MINUTE, view("/"))]);
      const refused = reason === "unknown_site" ? 2 : 1;
      expect(story.counters.rejects).toEqual({ [reason]: refused });
      expect(await story.totals()).toMatchObject({ events: events + 1 });
    },
  );

  it("is a batch that the edge says it received long after the stream took it", async () => {
    const ahead = { ...post({ at: NOON + HOUR, e: [view("/")] }), arrival: NOON };
    const story = await tell([ahead, at(MINUTE, view("/"))]);
    expect(story.counters.rejects).toEqual({ from_future: 1 });
    expect(await story.totals()).toMatchObject({ events: 1 });
    const { meta } = await story.query({ site_id: SITE, metrics: ["events"], date_range: "day" });
    expect(meta.complete_until).toBe(NOON);
  });

  it("never stops what follows, not even a record that is no envelope at all", async () => {
    const line = { arrival: NOON, envelope: { ...at(0).envelope, at: 0 } };
    const micros = { arrival: NOON, envelope: { ...at(0, view("/")).envelope, at: NOON * 1000 } };
    const story = await tell([line, micros, at(MINUTE, view("/"))]);
    expect(story.counters.rejects).toEqual({ malformed: 2 });
    expect(await story.totals()).toMatchObject({ events: 1 });
  });
});

describe("a late event", () => {
  it("is one whose minute ended longer than a minute before it was received", async () => {
    const late = await tell([at(2 * MINUTE, view("/", NOON + MINUTE - 1))]);
    expect(late.counters.late).toBe(1);
    const inTime = await tell([at(2 * MINUTE - 1, view("/", NOON + MINUTE - 1))]);
    expect(inTime.counters.late).toBe(0);
  });

  it("is counted where it belongs", async () => {
    const story = await tell([at(0, view("/")), at(5 * HOUR, view("/", NOON + 2 * MINUTE))]);
    expect(story.counters.late).toBe(1);
    expect(await story.totals(NOON, NOON + 3 * MINUTE)).toMatchObject({ visits: 1, pageviews: 2 });
  });
});
