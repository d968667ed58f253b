/** What a query may ask: every refusal names its field, and nothing that a client sends is an error of ours. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClickstreamError } from "../../../../processors/errors.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { PLAIN_METRICS, parseRequest } from "../../../../processors/pipeline/query/request.ts";
import { registerSites } from "../../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import { manualClock } from "../../../kit/clock.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_207);
const good = { site_id: "shop", metrics: ["visitors"], date_range: "7d" };
const nested = (depth: number): unknown =>
  depth === 0 ? ["is", "event:page", ["/"]] : ["not", nested(depth - 1)];

/** A filter on so many pages. */
const pages = (count: number) => ["is", "event:page", Array.from({ length: count }, (_, i) => `/${i}`)];

describe("a request", () => {
  it.each<[string, unknown]>([
    ["body", []],
    ["body", null],
    ["body", "visitors"],
    ["site_id", { ...good, site_id: undefined }],
    ["site_id", { ...good, site_id: 7 }],
    ["site_id", { ...good, site_id: "" }],
    ["site_id", { ...good, site_id: "x".repeat(300) }],
    ["metrics", { ...good, metrics: undefined }],
    ["metrics", { ...good, metrics: [] }],
    ["metrics", { ...good, metrics: "visitors" }],
    ["metrics[1]", { ...good, metrics: ["visitors", "joy"] }],
    ["metrics[0]", { ...good, metrics: [["visitors"]] }],
    ["metrics", { ...good, metrics: Array(33).fill("visitors") }],
    ["date_range", { ...good, date_range: undefined }],
    ["date_range", { ...good, date_range: ["2026-01-01"] }],
    ["date_range", { ...good, date_range: [1, 2] }],
    ["dimensions", { ...good, dimensions: "event:page" }],
    ["dimensions[0]", { ...good, dimensions: ["page"] }],
    ["dimensions[0]", { ...good, dimensions: ["event:props:"] }],
    ["dimensions", { ...good, dimensions: ["time", "time:day"] }],
    ["dimensions", { ...good, dimensions: ["time", "event:page", "visit:source", "visit:os", "event:name"] }],
    ["filters", { ...good, filters: {} }],
    ["filters[0]", { ...good, filters: ["is"] }],
    ["filters[0][0]", { ...good, filters: [["equals", "event:page", ["/"]]] }],
    ["filters[0][1]", { ...good, filters: [["is", "event:colour", ["/"]]] }],
    ["filters[0][1]", { ...good, filters: [["is", "time:day", ["/"]]] }],
    ["filters[0][2]", { ...good, filters: [["is", "event:page", "/"]] }],
    ["filters[0][2]", { ...good, filters: [["is", "event:page", []]] }],
    ["filters[0][2][0]", { ...good, filters: [["is", "event:page", [3]]] }],
    ["filters[0][1]", { ...good, filters: [["and", []]] }],
    ["filters[0]", { ...good, filters: [nested(20)] }],
    ["filters[0][2][0]", { ...good, filters: [["matches", "event:page", ["a".repeat(201)]]] }],
    ["order_by", { ...good, order_by: "visitors" }],
    ["order_by[0][0]", { ...good, order_by: [["visits", "asc"]] }],
    ["order_by[0][1]", { ...good, order_by: [["visitors", "up"]] }],
    ["include", { ...good, include: [] }],
    ["include.imports", { ...good, include: { imports: "all" } }],
    ["include.time_labels", { ...good, include: { time_labels: "yes" } }],
    ["pagination", { ...good, pagination: 3 }],
    ["pagination.limit", { ...good, pagination: { limit: 0 } }],
    ["pagination.limit", { ...good, pagination: { limit: 10_001 } }],
    ["pagination.offset", { ...good, pagination: { offset: -1 } }],
    ["period", { ...good, period: "7d" }],
  ])("names %s when that is wrong: %j", (field, body) => {
    expect(() => parseRequest(body)).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining(field) }),
    );
  });

  it("lists every operator that it takes when one is unknown", () => {
    const filtered = (operator: string) => () => parseRequest({ ...good, filters: [[operator, pages(1)]] });
    expect(filtered("did")).toThrow(
      /known are and, or, not, is, is_not, contains, contains_not, matches, matches_not, has_done, has_not_done$/,
    );
    for (const operator of ["not", "has_done", "has_not_done"]) expect(filtered(operator)).not.toThrow();
  });

  it("is refused, not failed on, however deep it is nested", () => {
    // JSON.parse takes deeper lists than JSON.stringify.
    const deep: unknown = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
    for (const wrong of [{ metrics: [deep] }, { dimensions: [deep] }, { filters: [[deep]] }])
      expect(() => parseRequest({ ...good, ...wrong })).toThrow(
        expect.objectContaining({ code: "bad_request", message: expect.stringContaining("a list") }),
      );
  });

  it("takes a thousand values of filters and no more, however they are nested", () => {
    const asked = (more: number) => ({
      ...good,
      filters: [["not", ["or", [pages(600), pages(400)]]], ...(more ? [pages(more)] : [])],
    });
    expect(() => parseRequest(asked(0))).not.toThrow();
    expect(() => parseRequest(asked(1))).toThrow(/^filters: at most 1000 values/);
  });
});

describe("a query", () => {
  const clock = manualClock();
  const store = memoryStore({ clock });
  const engine = new QueryEngine({ store, clock });
  const ready = registerSites(store, clock, [{ id: "shop", timeZone: "America/New_York" }]);

  it.each<[string, unknown]>([
    ["metrics[0]: percentage needs a dimension or a filter", { ...good, metrics: ["percentage"] }],
    [
      "metrics[0]: conversion_rate needs a dimension or a filter of event:",
      { ...good, metrics: ["conversion_rate"], dimensions: ["visit:source"] },
    ],
    ["metrics[0]", { ...good, metrics: ["bounce_rate"], dimensions: ["event:goal"] }],
    ["event:goal", { ...good, metrics: ["group_conversion_rate"], dimensions: ["visit:source"] }],
    ["beside it", { ...good, metrics: ["group_conversion_rate"], dimensions: ["event:goal"] }],
    // Its minutes are gone, and the message says what is kept.
    ["date_range", { ...good, date_range: ["2025-01-01T10:20", "2025-01-01T10:50"] }],
  ])("that the caller has to change names %s", async (field, body) => {
    await ready;
    await expect(engine.query(body)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringContaining(field),
    });
  });

  it.each([
    ["metrics[0]", { ...good, metrics: ["scroll_depth"], dimensions: ["visit:exit_page"] }],
    ["filters", { ...good, dimensions: ["event:page"], filters: [["is", "visit:source", ["Google"]]] }],
    [
      "filters",
      {
        ...good,
        filters: [
          ["is", "event:page", ["/"]],
          ["is", "visit:source", ["Google"]],
        ],
      },
    ],
    ["metrics[0]", { ...good, metrics: ["visits"], filters: [["contains", "event:page", ["/"]]] }],
  ])("that rollups cannot answer names %s", async (field, body) => {
    await ready;
    await expect(engine.query(body)).rejects.toMatchObject({
      code: "no_archive",
      message: expect.stringContaining(field),
    });
  });

  it("of a site that is not registered is not found", async () => {
    await expect(engine.query({ ...good, site_id: "nobody" })).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("site_id"),
    });
  });

  const word = fc.oneof(
    fc.constantFrom(
      "time",
      "time:hour",
      "event:page",
      "visit:source",
      "visit:exit_page",
      "event:goal",
      "is",
      "not",
    ),
    fc.constantFrom(
      "matches",
      "7d",
      "all",
      "realtime",
      "999d",
      "12mo",
      "2026-01-01",
      "2026-01-05T10:00",
      "9999-12-31",
    ),
    fc.constantFrom("asc", "desc", "event:props:plan", "(a", "__proto__", "constructor"),
    fc.constantFrom(...PLAIN_METRICS),
    fc.string({ maxLength: 12 }),
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      word,
      fc.jsonValue({ maxDepth: 2 }),
      fc.array(tie("any"), { maxLength: 4 }),
    ),
  })).any;
  const filter = fc.oneof(
    fc.tuple(word, word, fc.array(word, { minLength: 1, maxLength: 3 })),
    fc.tuple(fc.constantFrom("not"), fc.tuple(fc.constantFrom("is", "contains"), word, fc.array(word))),
    value,
  );
  /** Mostly right, so that the wrong field is not always the first one. */
  const mostly = (right: fc.Arbitrary<unknown>, ...wrong: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 6, arbitrary: right }, ...wrong, value);
  const metrics = fc.array(fc.constantFrom("visitors", "visits", "pageviews", "events"), {
    minLength: 1,
    maxLength: 3,
  });
  const right = fc.record({
    site_id: fc.constant("shop"),
    metrics: fc.uniqueArray(fc.constantFrom("visitors", "visits", "pageviews", "events"), {
      minLength: 1,
      maxLength: 3,
    }),
    date_range: fc.constantFrom("day", "7d", "30d", "24h"),
    dimensions: fc.constantFrom([], ["time"], ["event:page"], ["time:hour", "visit:source"]),
  });
  const anything = fc.record(
    {
      site_id: mostly(fc.constant("shop")),
      metrics: mostly(metrics, fc.array(fc.constantFrom(...PLAIN_METRICS), { maxLength: 4 })),
      date_range: mostly(
        fc.constantFrom("day", "7d", "realtime", "all", "999d", "24h"),
        fc.tuple(word, word),
      ),
      dimensions: mostly(
        fc.constantFrom([], ["time"], ["event:page"], ["time:hour", "visit:source"]),
        fc.array(word),
      ),
      filters: mostly(fc.constant([]), fc.array(filter, { maxLength: 2 })),
      order_by: mostly(fc.constant([]), fc.array(fc.tuple(word, fc.constantFrom("asc", "desc")))),
      include: mostly(fc.record({ time_labels: fc.boolean() })),
      pagination: mostly(fc.constant({}), fc.record({ limit: fc.integer(), offset: fc.integer() })),
    },
    { requiredKeys: ["site_id", "metrics", "date_range"] },
  );
  const body = fc.oneof(right, { weight: 3, arbitrary: anything });

  it(`is answered or refused by name, whatever a client sends (RIVULET_SEED=${SEED})`, async () => {
    await ready;
    let answered = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        try {
          const { results } = await engine.query(sent);
          expect(Array.isArray(results)).toBe(true);
          answered++;
        } catch (error) {
          if (!(error instanceof ClickstreamError)) throw error;
          refused++;
          expect(["bad_request", "not_found"]).toContain(error.code);
          expect(error.message).toMatch(/^["\w.[\]]+.*: /);
        }
      }),
      { numRuns: 300, seed: SEED },
    );
    // A quarter of what is sent is right on purpose, and most of the rest is wrong somewhere.
    expect(answered).toBeGreaterThan(30);
    expect(refused).toBeGreaterThan(30);
  });
});
