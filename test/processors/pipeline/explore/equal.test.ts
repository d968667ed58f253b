/**
 * Whatever rollups can answer, the archive of the same stream answers alike: random questions, asked both ways. Counts
 * must be equal, visitors too (the tables here are far below where sketches begin to estimate), and percentiles, because
 * both fill the same bins.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Measures } from "../../../../processors/model/measures.ts";
import { valuesOf } from "../../../../processors/pipeline/query/answer.ts";
import { MergedTally, type MetricValue } from "../../../../processors/pipeline/query/metrics.ts";
import { cut, parseRange, resolveTime } from "../../../../processors/pipeline/query/range.ts";
import { parseRequest } from "../../../../processors/pipeline/query/request.ts";
import { generate } from "../../../kit/generate.ts";
import { DIMENSIONS } from "../../../kit/questions.ts";
import { type Archived, archived } from "./kit.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_329);
const QUERIES = Number(process.env.RIVULET_QUERIES ?? 10);
const EVENTS = Number(process.env.RIVULET_EVENTS ?? 1_000);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SITE = "shop.example";
const ZONE = "Europe/Berlin";
/** The clocks go forward in these days: one has 23 hours. */
const FROM = Date.UTC(2026, 2, 28, 11);
const LENGTH = 30 * HOUR;

let data: Archived;
const known = new Map<string, string[]>();

const ASKED = [...DIMENSIONS, "event:props:plan"];

beforeAll(async () => {
  const lines = [
    ...generate({ seed: SEED, from: FROM, to: FROM + LENGTH, events: EVENTS, sites: [SITE], pages: 15 }),
  ];
  data = await archived(lines, { site: SITE, zone: ZONE, repeats: true });
  data.clock.advanceTo(FROM + 5 * DAY);
  for (const dimension of ASKED) {
    const { results } = await data.engine.query({
      site_id: SITE,
      metrics: ["events"],
      date_range: ["2026-03-27", "2026-04-01"],
      dimensions: [dimension],
    });
    known.set(
      dimension,
      results.map((row) => row.dimensions[0] ?? ""),
    );
  }
}, 60_000);

afterAll(() => data?.close());

const COUNTS = ["pageviews", "events", "visitors", "visits"];
const OF_VISITS = ["bounce_rate", "visit_duration", "views_per_visit", "engaged_time"];
const OF_PAGES = ["time_on_page", "scroll_depth"];
const MONEY = ["total_revenue", "average_revenue"];
const VITALS = ["lcp_p75", "inp_p95", "cls_p75"];

/** What rollups keep of a dimension, as docs/query.md says it. */
function metricsOf(shown: string | undefined): string[] {
  if (!shown) return [...COUNTS, ...OF_VISITS, ...OF_PAGES, ...MONEY, ...VITALS];
  if (shown === "visit:exit_page") return ["pageviews", "events", "visits", ...OF_VISITS];
  if (shown === "event:page")
    return [...COUNTS, "bounce_rate", "visit_duration", ...OF_PAGES, ...MONEY, ...VITALS, "conversion_rate"];
  if (shown.startsWith("event:")) return [...COUNTS, ...MONEY, "conversion_rate"];
  const vitals = shown === "visit:device" || shown === "visit:country" ? VITALS : [];
  return [...COUNTS, ...OF_VISITS, ...OF_PAGES, ...MONEY, ...vitals, "percentage"];
}

const filterOf = (dimension: string): fc.Arbitrary<unknown[]> => {
  const value = fc.constantFrom(...(known.get(dimension) ?? []), "nothing", "it's");
  const some = fc.array(value, { minLength: 1, maxLength: 3 });
  const cased = fc.constantFrom<unknown[]>([], [{ case_sensitive: false }]);
  const plain = fc.oneof(
    fc.tuple(
      fc.constantFrom("is", "is_not", "contains", "contains_not"),
      fc.constant(dimension),
      some,
      cased,
    ),
    fc.tuple(
      fc.constantFrom("matches", "matches_not"),
      fc.constant(dimension),
      some.map((texts) =>
        texts.map((text) => `^${text.slice(0, 4).replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&")}`),
      ),
      cased,
    ),
  );
  const flat = plain.map(([operator, name, values, more]): unknown[] => [operator, name, values, ...more]);
  return fc.oneof(
    flat,
    flat.map((one) => ["not", one]),
    fc
      .tuple(fc.constantFrom("and", "or"), fc.array(flat, { minLength: 2, maxLength: 2 }))
      .map((pair) => [...pair]),
    fc.array(flat, { minLength: 2, maxLength: 2 }).map((both) => ["not", ["and", both]]),
  );
};

const asked = fc
  .record({
    dimension: fc.option(fc.constantFrom(...ASKED), { nil: undefined }),
    time: fc.option(fc.constantFrom("time:minute", "time:hour", "time:day", "time:week", "time:month"), {
      nil: undefined,
    }),
    filtered: fc.option(fc.constantFrom(...ASKED), { nil: undefined }),
    start: fc.integer({ min: -2 * 60, max: 29 * 60 }),
    minutes: fc.integer({ min: 1, max: 32 * 60 }),
    isWhole: fc.boolean(),
  })
  .chain((one) => {
    const shown = one.dimension ?? one.filtered;
    // Rollups filter by the dimension that they break down.
    const filtered = one.filtered && shown;
    const metrics = metricsOf(shown).filter(
      // Over several values of an event a rollup would count a visit once for each.
      (metric) => !(metric === "visits" && !one.dimension && filtered?.startsWith("event:")),
    );
    return fc.record({
      one: fc.constant(one),
      metrics: fc.uniqueArray(fc.constantFrom(...metrics), { minLength: 1, maxLength: 6 }),
      filters: filtered ? fc.array(filterOf(filtered), { minLength: 1, maxLength: 2 }) : fc.constant([]),
    });
  })
  .map(({ one, metrics, filters }) => {
    const from = FROM + one.start * MINUTE;
    return {
      site_id: SITE,
      metrics,
      date_range: one.isWhole
        ? ["2026-03-28", "2026-03-29"]
        : [new Date(from).toISOString(), new Date(from + one.minutes * MINUTE).toISOString()],
      dimensions: [one.time, one.dimension].filter((name) => name !== undefined),
      filters,
    };
  });

type Asked = ReturnType<typeof plainly>;
const plainly = (value: {
  metrics: string[];
  date_range: string[];
  dimensions: string[];
  filters: unknown[][];
}) => value;

interface Answer {
  readonly dimensions: readonly string[];
  readonly metrics: readonly MetricValue[];
}

/** The same question put to the archive, made into numbers by the engine's own means. */
async function fromArchive(body: Asked): Promise<{ rows: Answer[]; late: number }> {
  const request = parseRequest({ ...body, site_id: SITE });
  const now = data.clock.now();
  const range = parseRange(request.dateRange, ZONE, now, now);
  const site = { id: SITE, timeZone: ZONE, createdAt: 0 };
  const time = request.time && resolveTime(request.time, range, request.dateRange);
  const buckets = time ? cut(time, range, ZONE) : [{ label: "", ...range }];
  const { rows, allVisitors, late } = await data.archive.answer({
    site,
    request,
    range,
    buckets,
    keptFrom: 0,
  });
  const all = new MergedTally(new Measures());
  const counted = { all: Object.defineProperty(all, "visitors", { value: allVisitors }) };
  const isTotal = body.dimensions.length === 0 && rows.length === 0;
  const empty = { at: 0, values: [], tally: new MergedTally(new Measures()) };
  const answers = (isTotal ? [empty] : rows).map((row) =>
    valuesOf(
      { ...row, entry: "entry" in row ? row.entry : undefined, bucket: buckets[row.at]! } as never,
      counted as never,
      { site, request, time } as never,
    ),
  );
  return { rows: answers, late };
}

const inOrder = (rows: readonly Answer[]): Answer[] =>
  rows
    .map(({ dimensions, metrics }) => ({ dimensions, metrics }))
    .sort((a, b) => (JSON.stringify(a.dimensions) < JSON.stringify(b.dimensions) ? -1 : 1));

describe("a question that both can answer", () => {
  it("has the same rows from rollups and from the archive", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constant(null).chain(() => asked),
        async (body) => {
          const { results, meta } = await data.engine.query(body);
          if (meta.source !== "rollup") return;
          const { rows, late } = await fromArchive(body as Asked);
          expect(inOrder(rows)).toEqual(inOrder(results));
          expect(late).toBe(meta.late);
        },
      ),
      { seed: SEED, numRuns: QUERIES, interruptAfterTimeLimit: 50_000 },
    );
  }, 60_000);
});

describe("a conversion rate under filters", () => {
  const visitors = async (filters: unknown[]): Promise<number> =>
    Number((await ask({ metrics: ["visitors"], filters })).results[0]?.metrics[0]);
  const ask = (more: object) =>
    data.engine.query({ site_id: SITE, date_range: ["2026-03-28", "2026-03-29"], ...more });
  const chrome = ["is", "visit:browser", ["Chrome"]];
  const bought = ["has_done", ["is", "event:goal", ["purchase"]]];
  const page = ["is", "event:page", ["/"]];

  it.each<[string, unknown[], unknown[]]>([
    ["visits are those whom they leave", [chrome], [chrome]],
    ["visits, within one and, are those whom they leave", [["and", [chrome, page]]], [chrome]],
    ["behaviour are those who behaved so", [["not", bought], chrome], [["not", bought], chrome]],
    ["events are all", [page], []],
    ["visits or events are all", [["or", [chrome, page]]], []],
  ])("is a share of visitors: of %s", async (_, filters, eligible) => {
    const asked = { metrics: ["visitors", "conversion_rate"], dimensions: ["event:goal"], filters };
    const { results, meta } = await ask(asked);
    const all = await visitors(eligible);
    expect(meta.source).toBe("archive");
    expect(results.length).toBeGreaterThan(1);
    for (const { metrics } of results)
      expect(metrics[1]).toBe(Math.round((Number(metrics[0]) * 1_000) / all) / 10);
  });
});

describe("a conversion within a group", () => {
  it.each<[string, { dimensions: string[]; filters: unknown[][] }]>([
    [
      "a source and a browser that is filtered",
      {
        dimensions: ["visit:source"],
        filters: [
          ["is", "event:goal", ["signup"]],
          ["is", "visit:browser", ["Chrome"]],
        ],
      },
    ],
    ["a device with each goal", { dimensions: ["event:goal", "visit:device"], filters: [] }],
    ["an hour", { dimensions: ["time:hour"], filters: [["contains", "event:goal", ["s"]]] }],
  ])("is a share of all visitors of %s", async (_, { dimensions, filters }) => {
    const ask = async (of: string[], passing: unknown[][]) =>
      data.engine.query({
        site_id: SITE,
        metrics: ["visitors", ...(of === dimensions ? ["group_conversion_rate"] : [])],
        date_range: ["2026-03-28", "2026-03-29"],
        dimensions: of,
        filters: passing,
        pagination: { limit: 1_000 },
      });
    const { results, meta } = await ask(dimensions, filters);
    const isGoal = (name: unknown): boolean => name === "event:goal";
    const groups = await ask(
      dimensions.filter((name) => !isGoal(name)),
      filters.filter(([, name]) => !isGoal(name)),
    );
    const visitorsOf = new Map(
      groups.results.map((row) => [JSON.stringify(row.dimensions), Number(row.metrics[0])]),
    );
    expect(meta.source).toBe("archive");
    expect(results.length).toBeGreaterThan(2);
    for (const row of results) {
      const group = row.dimensions.filter((__, i) => !isGoal(dimensions[i]));
      const all = visitorsOf.get(JSON.stringify(group)) ?? 0;
      expect(row.metrics[1]).toBe(Math.round((Number(row.metrics[0]) * 1_000) / all) / 10);
    }
  });
});
