/** Attributes of visits that only single events tell, beside a count of the same stream by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AGENT_DIMENSIONS } from "../../../../processors/model/dimensions.ts";
import type { ResultRow } from "../../../../processors/pipeline/query/answer.ts";
import { generate } from "../../../kit/generate.ts";
import { metricOf, Oracle } from "../../../kit/oracle.ts";
import { type Archived, archived } from "./kit.ts";

const HOUR = 3_600_000;
const SITE = "shop.example";
const FROM = Date.UTC(2026, 2, 10);
const METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "events",
  "bounce_rate",
  "visit_duration",
  "engaged_time",
];

let data: Archived;
let oracle: Oracle;
beforeAll(async () => {
  const lines = [
    ...generate({ seed: 7, from: FROM, to: FROM + 6 * HOUR, events: 600, sites: [SITE], pages: 10 }),
  ];
  oracle = new Oracle(lines, { sites: [SITE] });
  data = await archived(lines, { site: SITE });
}, 60_000);
afterAll(() => data?.close());

const range = (from: number, to: number) => [new Date(from).toISOString(), new Date(to).toISOString()];
const asked = (dimensions: string[], filters: unknown[] = []) => ({
  site_id: SITE,
  metrics: METRICS,
  date_range: range(FROM + 2 * HOUR, FROM + 4 * HOUR),
  dimensions,
  filters,
});

describe("an attribute that rollups do not hold", () => {
  it.each(AGENT_DIMENSIONS)("%s has the rows that plain loops count", async (dimension) => {
    const { results, meta } = await data.engine.query(asked([dimension]));
    const tallies = oracle.tally({ site: SITE, from: FROM + 2 * HOUR, to: FROM + 4 * HOUR, dimension });
    const wanted = [...tallies].map(([key, tally]) => [
      (JSON.parse(key) as string[])[1],
      METRICS.map((metric) => metricOf(metric, tally, tally, 0)),
    ]);
    expect(meta.source).toBe("archive");
    expect(wanted.length).toBeGreaterThan(2);
    expect(new Map(results.map((row) => [row.dimensions[0], row.metrics]))).toEqual(
      new Map(wanted as [string, number[]][]),
    );
  });

  it("goes together with others, as a dimension, as a filter and in an export", async () => {
    const counts = new Map<string, { visitors: Set<string>; events: number }>();
    for (const row of data.rows) {
      const isReport = row.name === "engagement" || row.name === "vitals";
      if (row.rejected !== null || isReport || row.at < FROM + 2 * HOUR || row.at >= FROM + 4 * HOUR)
        continue;
      if (row.visit_os !== "iOS" || row.visit_os_version === "") continue;
      const key = JSON.stringify([row.visit_os_version, row.page]);
      const count = counts.get(key) ?? { visitors: new Set(), events: 0 };
      counts.set(key, count);
      count.visitors.add(row.visitor ?? "");
      count.events++;
    }
    const body = {
      ...asked(["visit:os_version", "event:page"], [["is", "visit:os", ["iOS"]]]),
      metrics: ["visitors", "events"],
    };
    const { portions } = await data.engine.queryAll(body);
    const rows: ResultRow[] = [];
    for await (const portion of portions) rows.push(...portion);
    expect(rows.length).toBeGreaterThan(2);
    expect(new Map(rows.map(({ dimensions, metrics }) => [JSON.stringify(dimensions), metrics]))).toEqual(
      new Map([...counts].map(([key, { visitors, events }]) => [key, [visitors.size, events]])),
    );
    const version = rows[0]!.dimensions[0]!;
    const { results } = await data.engine.query({
      ...body,
      dimensions: ["event:page"],
      filters: [...body.filters, ["is", "visit:os_version", [version]]],
    });
    expect(results.map(({ dimensions, metrics }) => [[version, ...dimensions], metrics]).sort()).toEqual(
      rows
        .filter(({ dimensions }) => dimensions[0] === version)
        .map(({ dimensions, metrics }) => [dimensions, metrics])
        .sort(),
    );
  });
});
