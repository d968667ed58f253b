/** Attributes of visits that only single events tell, beside a count of the same stream by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ArchiveRow, compareRows } from "../../../../processors/model/archive.ts";
import {
  AGENT_DIMENSIONS,
  ENTRY_HOSTNAME,
  EXIT_HOSTNAME,
  PLACE_DIMENSIONS,
} from "../../../../processors/model/dimensions.ts";
import { NOWHERE, type Place } from "../../../../processors/model/place.ts";
import type { StreamLine } from "../../../../processors/model/streamfile.ts";
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
/** Three regions of two cities each, and some addresses that no table knows. */
function place(ip: string): Place {
  const last = Number(ip.split(".").at(-1)) % 7;
  if (Number.isNaN(last) || last === 6) return NOWHERE;
  const region = last % 3;
  return { region: `KR-${region}`, regionName: `Region ${region}`, city: `City ${last}` };
}

/** Gives the pages of a recording one of three hosts each time that somebody sends something. */
function onHosts(lines: StreamLine[]): void {
  const hosts = [SITE, `www.${SITE}`, `blog.${SITE}`];
  for (const [i, line] of lines.entries()) {
    const body = Buffer.from(line.envelope.body64, "base64").toString();
    const moved = body.replaceAll(`https://${SITE}`, `https://${hosts[i % 3]}`);
    lines[i] = { ...line, envelope: { ...line.envelope, body64: Buffer.from(moved).toString("base64") } };
  }
}

beforeAll(async () => {
  const lines: StreamLine[] = [
    ...generate({ seed: 7, from: FROM, to: FROM + 6 * HOUR, events: 600, sites: [SITE], pages: 10 }),
  ];
  onHosts(lines);
  oracle = new Oracle(lines, {
    sites: [SITE],
    placeOf: (ip) => {
      const { region, regionName, city } = place(ip);
      return { "visit:region": region, "visit:region_name": regionName, "visit:city": city };
    },
  });
  data = await archived(lines, { site: SITE, place });
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
  it.each([...AGENT_DIMENSIONS, ...PLACE_DIMENSIONS, ENTRY_HOSTNAME, EXIT_HOSTNAME])(
    "%s has the rows that plain loops count",
    async (dimension) => {
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
    },
  );

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

  it("says on which hosts visits began and ended, of pages with all that is known of them", async () => {
    const [from, to] = [FROM + 2 * HOUR, FROM + 4 * HOUR];
    const isReport = (row: ArchiveRow) => row.name === "engagement" || row.name === "vitals";
    const events = data.rows.filter((row) => row.visit !== null && !isReport(row)).sort(compareRows);
    const visits = new Map<string, ArchiveRow[]>();
    for (const row of events) {
      const key = `${row.visitor} ${row.visit}`;
      visits.set(key, [...(visits.get(key) ?? []), row]);
    }
    const pairs = new Map<string, number>();
    const pages = new Map<string, number>();
    for (const rows of visits.values()) {
      const first = rows.reduce((one, row) => (row.at < one.at ? row : one));
      const exit = rows.reduce((one, row) => (row.name === "pageview" && row.at >= one.at ? row : one));
      if (first.at >= from && first.at < to) {
        const key = JSON.stringify([first.hostname, exit.hostname]);
        pairs.set(key, (pairs.get(key) ?? 0) + 1);
      }
      if (first.hostname !== SITE) continue;
      for (const { page, at } of rows)
        if (at >= from && at < to) pages.set(page ?? "", (pages.get(page ?? "") ?? 0) + 1);
    }
    const both = await data.engine.query({ ...asked([ENTRY_HOSTNAME, EXIT_HOSTNAME]), metrics: ["visits"] });
    expect(pairs.size).toBeGreaterThan(3);
    expect(new Map(both.results.map((row) => [JSON.stringify(row.dimensions), row.metrics[0]]))).toEqual(
      pairs,
    );
    const metrics = ["events", "visits", "bounce_rate", "scroll_depth", "total_revenue", "lcp_p75"];
    const filters = [
      ["is", ENTRY_HOSTNAME, [SITE]],
      ["has_not_done", ["is", "event:goal", ["never"]]],
    ];
    const { results } = await data.engine.query({ ...asked(["event:page"], filters), metrics });
    expect(pages.size).toBeGreaterThan(3);
    expect(
      new Map(results.filter(({ metrics: [n] }) => n).map((row) => [row.dimensions[0], row.metrics[0]])),
    ).toEqual(pages);
  });

  it("calls a city by two names", async () => {
    const cities = async (dimension: string) => {
      const filters = [["is", "visit:city_name", ["City 1", "City 2"]]];
      const { results } = await data.engine.query({ ...asked([dimension], filters), metrics: ["events"] });
      return results.map(({ dimensions, metrics }) => [...dimensions, ...metrics]);
    };
    expect((await cities("visit:city_name")).map(([city]) => city).sort()).toEqual(["City 1", "City 2"]);
    expect(await cities("visit:city_name")).toEqual(await cities("visit:city"));
  });
});
