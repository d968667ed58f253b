/** Comparison: which range is compared, and that each counterpart is what the same query over that range answers. */
import { beforeAll, describe, expect, it } from "vitest";
import { changeOf, comparisonRange } from "../../../../processors/pipeline/query/compare.ts";
import { parseInclude } from "../../../../processors/pipeline/query/include.ts";
import { isoLocal, parseRange } from "../../../../processors/pipeline/query/range.ts";
import { parseRequest, type QueryRequest } from "../../../../processors/pipeline/query/request.ts";
import { generate } from "../../../kit/generate.ts";
import { type ReplayResult, replay } from "../../../kit/replay.ts";

const DAY = 86_400_000;
const HOUR = DAY / 24;
/** Wednesday. */
const NOW = Date.parse("2026-03-18T10:20:30Z");
const KEPT = (at: number): boolean => at > NOW - 8 * DAY;

type Dates = string | readonly [string, string];
function compared(
  name: Dates,
  compare: unknown,
  options: { zone?: string; match?: boolean; now?: number } = {},
) {
  const { zone = "UTC", match = false, now = NOW } = options;
  const { comparison } = parseInclude({ compare, compare_match_day_of_week: match });
  const range = parseRange(name, zone, now, now);
  const { from, to } = comparisonRange(comparison!, range, name, { zone, now, isKept: KEPT });
  return [isoLocal(zone, from).slice(0, 16), isoLocal(zone, to).slice(0, 16)];
}

describe("the range compared with", () => {
  it.each<[string, Dates, unknown, { zone?: string; match?: boolean; now?: number }, string, string]>([
    [
      "as many days before",
      ["2026-03-01", "2026-03-10"],
      "previous_period",
      {},
      "2026-02-19T00:00",
      "2026-03-01T00:00",
    ],
    [
      "a year before",
      ["2026-03-01", "2026-03-10"],
      "year_over_year",
      {},
      "2025-03-01T00:00",
      "2025-03-11T00:00",
    ],
    [
      "28 February for a leap day",
      ["2024-02-29", "2024-02-29"],
      "year_over_year",
      {},
      "2023-02-28T00:00",
      "2023-03-01T00:00",
    ],
    ["yesterday up to the same minute", "day", "previous_period", {}, "2026-03-17T00:00", "2026-03-17T10:21"],
    [
      "seven days up to the same minute, while minutes are kept",
      "7d",
      "previous_period",
      {},
      "2026-03-05T00:00",
      "2026-03-11T11:00",
    ],
    [
      "the days of this month that have begun, moved before it",
      "month",
      "previous_period",
      {},
      "2026-02-11T00:00",
      "2026-02-28T11:00",
    ],
    [
      "a year before, up to the same hour",
      "month",
      "year_over_year",
      {},
      "2025-03-01T00:00",
      "2025-03-18T11:00",
    ],
    [
      "the day of the week before",
      "day",
      "year_over_year",
      { match: true },
      "2025-03-19T00:00",
      "2025-03-19T11:00",
    ],
    [
      "the same weekday, never the day itself",
      ["2026-03-16", "2026-03-16"],
      "previous_period",
      { match: true },
      "2026-03-09T00:00",
      "2026-03-10T00:00",
    ],
    ["the 30 minutes before", "realtime", "previous_period", {}, "2026-03-18T09:21", "2026-03-18T09:51"],
    ["the 24 hours before, up to now", "24h", "previous_period", {}, "2026-03-16T11:00", "2026-03-17T10:21"],
    ["two dates, as given", "7d", ["2026-01-01", "2026-01-07"], {}, "2026-01-01T00:00", "2026-01-08T00:00"],
    [
      "local days, though one is an hour short",
      ["2026-03-09", "2026-03-09"],
      "previous_period",
      { zone: "America/New_York" },
      "2026-03-08T00:00",
      "2026-03-09T00:00",
    ],
    [
      "a part of a day, by its length",
      ["2026-03-17T03:00", "2026-03-17T05:30"],
      "previous_period",
      {},
      "2026-03-17T00:30",
      "2026-03-17T03:00",
    ],
  ])("is %s", (_, name, compare, options, from, to) => {
    expect(compared(name, compare, options)).toEqual([from, to]);
  });

  it.each<[string, Dates, unknown]>([
    ["include.compare", "all", "previous_period"],
    ["include.compare[0]", "7d", ["2026-02-30", "2026-03-01"]],
    ["include.compare", "7d", ["2026-03-02", "2026-03-01"]],
    ["include.compare", ["1970-06-01", "1970-06-02"], "year_over_year"],
  ])("names %s when there is none for %j and %j", (field, name, compare) => {
    expect(() => compared(name, compare)).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining(field) }),
    );
  });

  it("is the same in both forms of asking", () => {
    const short = parseInclude({ compare: "year_over_year", compare_match_day_of_week: true });
    const long = parseInclude({ comparisons: { mode: "year_over_year", match_day_of_week: true } });
    expect(long).toEqual(short);
    expect(
      parseInclude({ comparisons: { mode: "custom", date_range: ["2026-01-01", "2026-01-02"] } }),
    ).toEqual(parseInclude({ compare: ["2026-01-01", "2026-01-02"] }));
  });

  it.each<[string, unknown]>([
    ["include.compare", { compare: "last_week" }],
    ["include.compare", { compare: 7 }],
    ["include.compare", { compare: "year_over_year", comparisons: { mode: "previous_period" } }],
    ["include.comparisons", { comparisons: "previous_period" }],
    ["include.comparisons.mode", { comparisons: {} }],
    ["include.comparisons.date_range", { comparisons: { mode: "custom" } }],
    ["include.comparisons.date_range", { comparisons: { mode: "previous_period", date_range: ["a", "b"] } }],
    [
      "include.comparisons.match_day_of_week",
      { comparisons: { mode: "previous_period", match_day_of_week: 1 } },
    ],
    ["include.comparisons.period", { comparisons: { mode: "previous_period", period: "7d" } }],
    ["include.compare_match_day_of_week", { compare_match_day_of_week: "yes" }],
  ])("is refused naming %s: %j", (field, include) => {
    expect(() => parseInclude(include)).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining(field) }),
    );
  });
});

describe("the change", () => {
  const money = (value: number, currency = "EUR") => ({ value, currency, short: "", long: "" });
  it.each<[string, Parameters<typeof changeOf>, number | null]>([
    ["whole percent", ["visitors", 4, 3], 33],
    ["less", ["visitors", 1, 3], -67],
    ["nothing after nothing", ["visitors", 0, 0], 0],
    ["100 for something after nothing", ["visitors", 7, 0], 100],
    ["points of a bounce rate", ["bounce_rate", 40, 55], -15],
    ["no change of a bounce rate without visits", ["bounce_rate", 40, 0], null],
    ["points of a conversion rate", ["conversion_rate", 2.5, 1.2], 1.3],
    ["unknown before", ["scroll_depth", 40, null], null],
    ["unknown now", ["scroll_depth", null, 40], null],
    ["money of one currency", ["total_revenue", money(15), money(10)], 50],
    ["a rise from what refunds had left below nothing", ["total_revenue", money(50), money(-100)], 150],
    ["a fall of what refunds had left below nothing", ["total_revenue", money(-150), money(-100)], -50],
    ["a fall from nothing by refunds", ["total_revenue", money(-5), money(0)], -100],
    ["money of two currencies", ["total_revenue", money(15), money(10, "KRW")], null],
  ])("is %s", (_, args, expected) => {
    expect(changeOf(...args)).toBe(expected);
  });
});

describe("a comparison over recorded data", () => {
  const SEED = Number(process.env.RIVULET_SEED ?? 20_260_318);
  const from = Date.UTC(2026, 2, 9, -9);
  let replayed: ReplayResult;
  beforeAll(async () => {
    const lines = [
      ...generate({ seed: SEED, from, to: from + 100 * HOUR, events: 2_000, sites: ["shop"], pages: 15 }),
    ];
    replayed = await replay(lines, { seed: SEED, sites: [{ id: "shop", timeZone: "Asia/Seoul" }] });
  });

  const metrics = ["visitors", "visits", "pageviews", "bounce_rate", "total_revenue", "percentage"];
  const range = ["2026-03-11", "2026-03-12"];
  const before = ["2026-03-09", "2026-03-10"];

  it.each([
    [[]],
    [["visit:source"]],
    [["visit:entry_page"]],
    [["time:day"]],
    [["time:hour"]],
    [["time:day", "visit:device"]],
  ])(`answers for %j what the same query answers over the other range (seed ${SEED})`, async (dimensions) => {
    const asked = {
      site_id: "shop",
      dimensions,
      metrics: metrics.filter((name) => dimensions.length > 0 || name !== "percentage"),
    };
    const labels = async (date_range: unknown): Promise<string[]> =>
      (await replayed.query({ ...asked, date_range, include: { time_labels: true } })).meta.time_labels ?? [];
    const isSeries = dimensions[0]?.startsWith("time") ?? false;
    const [now, past] = isSeries ? [await labels(range), await labels(before)] : [[], []];
    const plain = await replayed.query({ ...asked, date_range: before });
    const known = new Map(plain.results.map((row) => [JSON.stringify(row.dimensions), row.metrics]));

    const { results, query } = await replayed.query({
      ...asked,
      date_range: range,
      include: { compare: "previous_period" },
    });
    expect(query.comparison_date_range).toEqual(plain.query.date_range);
    let compared = 0;
    for (const { dimensions: names, metrics: values, comparison } of results) {
      const counterpart = names.map((name, i) => (isSeries && i === 0 ? past[now.indexOf(name)]! : name));
      expect(comparison?.dimensions).toEqual(counterpart);
      const there = known.get(JSON.stringify(counterpart));
      if (there) {
        expect(comparison?.metrics).toEqual(there);
        compared++;
      } else expect(comparison?.metrics.slice(0, 3)).toEqual([0, 0, 0]);
      expect(comparison?.change).toEqual(
        asked.metrics.map((name, i) =>
          changeOf(name as QueryRequest["metrics"][number], values[i]!, comparison!.metrics[i]!),
        ),
      );
    }
    expect(compared).toBeGreaterThan(0);
    if (dimensions.length === 1 && isSeries) expect(results.map((row) => row.dimensions[0])).toEqual(now);
  });

  it("keeps to the rows of the page, and refuses minutes that are gone in its own name", async () => {
    const asked = { site_id: "shop", metrics: ["visitors"], dimensions: ["event:page"], date_range: range };
    const whole = await replayed.query({ ...asked, include: { compare: "previous_period" } });
    const second = await replayed.query({
      ...asked,
      include: { compare: "previous_period" },
      pagination: { limit: 3, offset: 3 },
    });
    expect(second.results).toEqual(whole.results.slice(3, 6));
    await expect(
      replayed.query({
        ...asked,
        dimensions: ["time:minute"],
        date_range: "realtime",
        include: { compare: ["2026-01-01T10:10", "2026-01-01T10:40"] },
      }),
    ).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/^include\.compare: .*minutes/),
    });
  });

  it("says what it understood", async () => {
    const { query } = await replayed.query({
      site_id: "shop",
      metrics: ["visitors"],
      date_range: range,
      include: { compare: ["2026-03-09", "2026-03-09"] },
    });
    expect(query.include).toMatchObject({ comparisons: { mode: "custom" } });
    expect(query.comparison_date_range).toEqual(["2026-03-09T00:00:00+09:00", "2026-03-09T23:59:59+09:00"]);
  });
});

describe("a request's filters and extras", () => {
  const good = { site_id: "shop", metrics: ["visitors"], date_range: "7d" };
  it.each<[string, RegExp, unknown]>([
    ["filters[0][1]", /event:/, { filters: [["has_done", ["is", "visit:source", ["Google"]]]] }],
    [
      "filters[0][1]",
      /no other behaviour/,
      { filters: [["has_done", ["has_done", ["is", "event:goal", ["signup"]]]]] },
    ],
    ["filters[0]", /at most/, { filters: [["has_not_done", ["is", "event:goal", ["signup"]], {}]] }],
    ["filters[0][1]", /segment/, { filters: [["is", "segment", [1]]] }],
    ["filters[0][1]", /date_range/, { filters: [["is", "time:day", ["2026-01-01"]]] }],
    ["filters[0][1]", /unknown dimension/, { filters: [["is", "visit:street", ["1"]]] }],
    [
      "filters[0][3].case_sensitive",
      /true or false/,
      { filters: [["is", "event:page", ["/"], { case_sensitive: 1 }]] },
    ],
    [
      "filters[0][3].accents",
      /case_sensitive/,
      { filters: [["is", "event:page", ["/"], { accents: true }]] },
    ],
    ["filters[0]", /at most/, { filters: [["not", ["is", "event:page", ["/"]], {}]] }],
    ["dimensions[0]", /unknown dimension/, { dimensions: ["visit:street"] }],
    ["dimensions[1]", /twice/, { dimensions: ["time:day", "time:day"] }],
    ["metrics[1]", /twice/, { metrics: ["visitors", "visitors"] }],
    ["include.time_labels", /time dimension/, { include: { time_labels: true } }],
    ["pagination.page", /limit, offset/, { pagination: { page: 2 } }],
  ])("name %s and say %s", (field, says, change) => {
    const refusal = expect.objectContaining({ code: "bad_request", message: expect.stringMatching(says) });
    expect(() => parseRequest({ ...good, ...(change as object) })).toThrow(refusal);
    expect(() => parseRequest({ ...good, ...(change as object) })).toThrow(field);
  });
});
