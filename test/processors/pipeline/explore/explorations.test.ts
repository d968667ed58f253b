/** Funnels, retention and paths over a handful of visits that can be counted by hand. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileSchema } from "../../../../infra/local/gateway/schema.ts";
import { responseSchemas } from "../../../../infra/responses.ts";
import { ClickstreamError } from "../../../../processors/errors.ts";
import type { StreamLine } from "../../../../processors/model/streamfile.ts";
import type { Reader } from "../../../../processors/pipeline/access.ts";
import { StillRunning } from "../../../../processors/pipeline/explore/running.ts";
import { keepSite } from "../../../../processors/pipeline/sites.ts";
import { type Archived, archived } from "./kit.ts";

const SITE = "shop.example";
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NOON = Date.UTC(2026, 10, 9, 12);
/** A page as no site has one, but anybody may report it. */
const LONG = `/${"a".repeat(500)}`;
const ANYBODY = { grant: undefined, check: () => {} } as unknown as Reader;
const RANGE = ["2026-11-09", "2026-11-22"];

interface Seen {
  readonly who: string;
  readonly at: number;
  /** "/a" is a page view, "signup" an event on "/". */
  readonly what: readonly string[];
  readonly country?: string;
}

/** One batch for each visit, its events a minute apart; owners' own ids, so that people come again. */
function lines(visits: readonly Seen[]): StreamLine[] {
  return visits.map(({ who, at, what, country = "KR" }, i) => {
    const sentAt = at + what.length * MINUTE;
    const body = {
      s: SITE,
      b: `batch ${i}`,
      t: sentAt,
      v: who,
      e: what.map((one, k) => ({
        n: one.startsWith("/") ? "pageview" : one,
        u: `https://shop.example${one.startsWith("/") ? one : "/"}`,
        t: at + k * MINUTE,
      })),
    };
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    return {
      arrival: sentAt,
      envelope: {
        route: "/v1/events",
        id: `request ${i}`,
        at: sentAt,
        ip: "192.0.2.1",
        ua64: base64("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"),
        country,
        trace64: "",
        origin64: "",
        body64: base64(JSON.stringify(body)),
      },
    };
  });
}

let data: Archived;
beforeAll(async () => {
  data = await archived(
    lines([
      { who: "fay", at: NOON - 2 * DAY, what: [LONG, "/done"] },
      { who: "ada", at: NOON, what: ["/", "/blog/one", "/pricing", "signup"] },
      { who: "bob", at: NOON + 1, what: ["/", "/", "/blog/two", "/pricing"], country: "US" },
      { who: "cyd", at: NOON + 2, what: ["/pricing", "/blog/one", "/"] },
      { who: "dan", at: NOON + 3, what: ["/", "/about"] },
      // In a second visit of the same day.
      { who: "dan", at: NOON + 90 * MINUTE, what: ["/blog/three", "/pricing", "signup"] },
      { who: "ada", at: NOON + DAY, what: ["/"] },
      { who: "bob", at: NOON + 2 * DAY, what: ["/"], country: "US" },
      { who: "eve", at: NOON + 2 * DAY + 1, what: ["signup"] },
      { who: "ada", at: NOON + 8 * DAY, what: ["/"] },
    ]),
    { site: SITE },
  );
  data.clock.advanceTo(NOON + 9 * DAY);
});
afterAll(() => data.close());

const funnel = (more: object) =>
  data.explorations.funnel(ANYBODY, {
    site_id: SITE,
    date_range: RANGE,
    steps: [{ page: "/" }, { page: "/blog/*" }, { page: "/pricing" }, { goal: "signup" }],
    ...more,
  });

describe("a funnel", () => {
  it("counts visitors who took the steps one after the other within a visit", async () => {
    const { steps, meta } = await funnel({});
    expect(steps).toEqual([
      { label: "/", visitors: 4, conversion_rate: 100, drop_off: 0 },
      { label: "/blog/*", visitors: 2, conversion_rate: 50, drop_off: 2 },
      { label: "/pricing", visitors: 2, conversion_rate: 50, drop_off: 0 },
      { label: "signup", visitors: 1, conversion_rate: 25, drop_off: 1 },
    ]);
    expect(meta.source).toBe("archive");
  });

  it("joins the visits of a day where that is asked for", async () => {
    const { steps } = await funnel({ within: "day" });
    expect(steps.map(({ visitors }) => visitors)).toEqual([4, 3, 3, 2]);
  });

  it("takes no event for two steps", async () => {
    const { steps } = await funnel({ steps: [{ page: "/" }, { page: "/" }] });
    expect(steps.map(({ visitors }) => visitors)).toEqual([4, 1]);
  });

  it("keeps to the visits that its filters let pass", async () => {
    const { steps } = await funnel({ filters: [["is", "visit:country", ["US"]]] });
    expect(steps.map(({ visitors }) => visitors)).toEqual([1, 1, 1, 0]);
  });

  it("takes a percent sign or an underscore as it stands", async () => {
    const { steps } = await funnel({ steps: [{ page: "/%*" }, { page: "/_bout*" }] });
    expect(steps.map(({ visitors }) => visitors)).toEqual([0, 0]);
  });

  it("take a star for any characters, as many stars as there are and however long the address", async () => {
    const date_range = ["2026-11-07", "2026-11-07"];
    const many = `/${"*a".repeat(40)}`;
    const { steps } = await funnel({ date_range, steps: [{ page: `${many}*` }, { page: "/*d*o*n*e*" }] });
    expect(steps.map(({ visitors }) => visitors)).toEqual([1, 1]);
    const none = await funnel({ date_range, steps: [{ page: `${many}*b` }, { page: "/d.n*" }] });
    expect(none.steps.map(({ visitors }) => visitors)).toEqual([0, 0]);
  });
});

describe("retention", () => {
  it("follows those who first came in an interval through the later ones", async () => {
    const { cohorts, meta } = await data.explorations.retention(ANYBODY, {
      site_id: SITE,
      date_range: ["2026-11-09", "2026-11-11"],
      interval: "day",
    });
    expect(cohorts).toEqual([
      { start: "2026-11-09", visitors: 4, returned: [4, 1, 1] },
      { start: "2026-11-10", visitors: 0, returned: [0, 0] },
      { start: "2026-11-11", visitors: 1, returned: [1] },
    ]);
    expect(meta.warnings?.[0]?.code).toBe("visitor_days");
  });

  it("counts a visitor once a week, and shows no week that has not begun", async () => {
    const { cohorts } = await data.explorations.retention(ANYBODY, {
      site_id: SITE,
      date_range: ["2026-11-09", "2026-12-06"],
      interval: "week",
    });
    expect(cohorts).toEqual([
      { start: "2026-11-09", visitors: 5, returned: [5, 1] },
      { start: "2026-11-16", visitors: 0, returned: [0] },
    ]);
  });
});

const paths = (more: object) =>
  data.explorations.paths(ANYBODY, { site_id: SITE, date_range: ["2026-11-09", "2026-11-09"], ...more });

describe("paths", () => {
  it("follow the pages of each visit, a page loaded anew only once, to where it ends", async () => {
    const { steps, links } = await paths({ from: "/", depth: 2 });
    expect(steps).toEqual([
      { depth: 0, pages: [{ page: "/", visits: 4, percentage: 100 }] },
      {
        depth: 1,
        pages: [
          { page: "/about", visits: 1, percentage: 25 },
          { page: "/blog/one", visits: 1, percentage: 25 },
          { page: "/blog/two", visits: 1, percentage: 25 },
          { page: "(exit)", visits: 1, percentage: 25 },
        ],
      },
      {
        depth: 2,
        pages: [
          { page: "/pricing", visits: 2, percentage: 50 },
          { page: "(exit)", visits: 1, percentage: 25 },
        ],
      },
    ]);
    expect(links).toContainEqual({ depth: 2, from: "/blog/two", to: "/pricing", visits: 1 });
    expect(links.reduce((sum, { depth, visits }) => sum + (depth === 1 ? visits : 0), 0)).toBe(4);
  });

  it("begin with the first page of each visit where none is named, and put rare pages together", async () => {
    const { steps } = await paths({ depth: 1, limit: 1 });
    expect(steps).toEqual([
      {
        depth: 0,
        pages: [
          { page: "/", visits: 3, percentage: 60 },
          { page: "(other)", visits: 2, percentage: 40 },
        ],
      },
      {
        depth: 1,
        pages: [
          { page: "/blog/one", visits: 2, percentage: 40 },
          { page: "(other)", visits: 3, percentage: 60 },
        ],
      },
    ]);
  });
});

describe("an answer", () => {
  it("has the fields that the API document gives it, and no others", async () => {
    const shared = { site_id: SITE, date_range: RANGE };
    for (const [name, answer] of [
      ["FunnelResult", await funnel({})],
      ["RetentionResult", await data.explorations.retention(ANYBODY, { ...shared, interval: "week" })],
      ["PathsResult", await paths({ from: "/" })],
      ["StillRunning", new StillRunning({ done: 0.5, elapsedMs: 7 }).told],
    ] as const)
      expect(compileSchema(responseSchemas[name]!, responseSchemas)(answer), name).toBeUndefined();
  });
});

describe("a question", () => {
  it.each([
    ["steps", { steps: [{ page: "/" }] }],
    ["steps[1]", { steps: [{ page: "/" }, { path: "/" }] }],
    ["steps[0].goal", { steps: [{ goal: "" }, { page: "/" }] }],
    ["steps[0].goal", { steps: [{ goal: "pageview" }, { page: "/" }] }],
    ["within", { within: "week" }],
    ["filters[0]", { filters: [["is", "event:page", ["/"]]] }],
    ["site_id", { site_id: "" }],
    ["date_range", { date_range: "soon" }],
    ['"step"', { step: [] }],
  ])("is refused with the name of the field: %s", async (field, more) => {
    await expect(funnel(more)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(new RegExp(`^${field.replace(/[[\]]/g, "\\$&")}:`)),
    });
  });

  it.each([
    ["interval", "retention", { interval: "hour" }],
    ["interval", "retention", { interval: "day", date_range: "12mo" }],
    ["depth", "paths", { depth: 6 }],
    ["limit", "paths", { limit: 0 }],
    ["from", "paths", { from: 7 }],
  ] as const)("is refused with the name of the field: %s of %s", async (field, kind, more) => {
    const body = { site_id: SITE, date_range: "7d", ...more };
    await expect(data.explorations[kind](ANYBODY, body)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(`^${field}:`),
    });
  });

  it("is answered to nobody whose key is for another site", async () => {
    const check = (site: string): void => {
      throw new ClickstreamError("forbidden", `not ${site}`);
    };
    const other = { grant: undefined, check } as unknown as Reader;
    await expect(data.explorations.paths(other, { site_id: SITE, date_range: "7d" })).rejects.toMatchObject({
      code: "forbidden",
    });
  });
});

// Last, because it takes from what the others ask of.
it("what the archive keeps no longer is in no answer from the next moment on, though its files are there", async () => {
  const query = (body: object = {}) =>
    data.engine.query({
      site_id: SITE,
      date_range: RANGE,
      metrics: ["visitors", "visits"],
      dimensions: ["visit:country", "visit:device"],
      ...body,
    });
  expect((await query()).results.map(({ metrics }) => metrics[1])).toEqual([7, 2]);
  await keepSite(data.store, data.clock, SITE, { archive: 7 });
  data.clock.advance(5_000);
  const keptFrom = Date.UTC(2026, 10, 11);
  const { results, meta, query: understood } = await query();
  // Of the visits of the 11th and 17th, one is Bob's from the US.
  expect(results.map(({ metrics }) => metrics[1])).toEqual([2, 1]);
  expect(meta.kept_from).toBe(keptFrom);
  expect(understood.date_range).toEqual(["2026-11-11T00:00:00+00:00", "2026-11-22T23:59:59+00:00"]);
  const { steps, meta: told } = await funnel({});
  expect(steps.map(({ visitors }) => visitors)).toEqual([2, 0, 0, 0]);
  expect(told).toMatchObject({ kept_from: keptFrom });
  expect((await query({ date_range: ["2026-11-09", "2026-11-10"] })).results).toEqual([]);
  // Counts are kept for ever still.
  const counts = await query({ dimensions: [] });
  expect([counts.results[0]?.metrics[1], counts.meta.kept_from]).toEqual([9, undefined]);
});
