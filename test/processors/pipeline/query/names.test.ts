/** Countries by name: the rows of the same rollups under other words. */
import { describe, expect, it } from "vitest";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { stored } from "../../../../processors/pipeline/query/names.ts";
import { parseRequest } from "../../../../processors/pipeline/query/request.ts";
import { generate } from "../../../kit/generate.ts";
import { replay } from "../../../kit/replay.ts";

const HOUR = 3_600_000;
const SITE = "shop.example";
const FROM = Date.UTC(2026, 2, 10);
const lines = [
  ...generate({ seed: 3, from: FROM, to: FROM + 6 * HOUR, events: 400, sites: [SITE], pages: 5 }),
];
const replayed = replay(lines, { seed: 3, sites: [{ id: SITE, timeZone: "UTC" }] });

const ask = async (more: object) => {
  const { store, clock } = await replayed;
  const asked = {
    site_id: SITE,
    metrics: ["visitors", "pageviews"],
    date_range: ["2026-03-10", "2026-03-10"],
  };
  return new QueryEngine({ store, clock }).query({ ...asked, pagination: { limit: 300 }, ...more });
};
const nameOf = (code: string) => new Intl.DisplayNames("en", { type: "region" }).of(code) ?? code;

describe("countries by name", () => {
  it("have the numbers of their codes, from rollups, in the order of the names", async () => {
    const byCode = await ask({ dimensions: ["visit:country"] });
    const byName = await ask({
      dimensions: ["visit:country_name"],
      order_by: [["visit:country_name", "asc"]],
      include: { compare: "previous_period" },
    });
    expect(byName.meta.source).toBe("rollup");
    expect(byName.results.length).toBeGreaterThan(3);
    expect(byName.results.map(({ dimensions, metrics }) => [...dimensions, metrics])).toEqual(
      byCode.results
        .map(({ dimensions: [code = ""], metrics }) => [nameOf(code), metrics] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    for (const { dimensions, comparison } of byName.results)
      expect(comparison?.dimensions).toEqual(dimensions);
  });

  it("stand beside their codes", async () => {
    const { results } = await ask({ dimensions: ["visit:country_name", "visit:country"] });
    expect(results.length).toBeGreaterThan(3);
    for (const { dimensions } of results) expect(dimensions[0]).toBe(nameOf(dimensions[1] ?? ""));
  });

  it.each<[unknown[], (name: string) => boolean]>([
    [["is", "visit:country_name", ["South Korea", "Nowhere"]], (name) => name === "South Korea"],
    [["is_not", "visit:country_name", ["South Korea"]], (name) => name !== "South Korea"],
    [["is", "visit:country_name", ["KR", "south korea"]], () => false],
    [
      ["is", "visit:country_name", ["south korea"], { case_sensitive: false }],
      (name) => name === "South Korea",
    ],
    [["contains", "visit:country_name", ["United"]], (name) => name.includes("United")],
    [["contains_not", "visit:country_name", ["an"]], (name) => !name.includes("an")],
    [["matches", "visit:country_name", ["^[A-G]"]], (name) => /^[A-G]/.test(name)],
    [["not", ["matches_not", "visit:country_name", ["a$"]]], (name) => name.endsWith("a")],
    [
      [
        "or",
        [
          ["is", "visit:country", ["KR"]],
          ["contains", "visit:country_name", ["Germany"]],
        ],
      ],
      (name) => name === "South Korea" || name === "Germany",
    ],
  ])("are filtered by %j", async (filter, passes) => {
    const all = await ask({ dimensions: ["visit:country_name"] });
    const some = await ask({ dimensions: ["visit:country"], filters: [filter] });
    expect(some.meta.source).toBe("rollup");
    expect(some.results.map(({ dimensions }) => nameOf(dimensions[0] ?? "")).sort()).toEqual(
      all.results
        .map(({ dimensions }) => dimensions[0] ?? "")
        .filter(passes)
        .sort(),
    );
  });

  it("are asked of whatever else answers as codes, within other filters too", async () => {
    const request = await stored(
      parseRequest({
        site_id: SITE,
        metrics: ["visitors"],
        date_range: "7d",
        dimensions: ["visit:country_name", "visit:source"],
        filters: [["and", [["not", ["is", "visit:country_name", ["Japan"]]]]]],
      }),
    );
    expect(request.breakdown).toEqual(["visit:country", "visit:source"]);
    expect(request.filters).toEqual([
      { kind: "and", filters: [{ kind: "not", filter: expect.objectContaining({ values: ["JP"] }) }] },
    ]);
  });
});
