/** What is written for Athena is Trino's SQL: every shape of statement goes through a parser of that language. */
// The package as a whole brings the parsers of six other languages, which take ten seconds to load.
import { TrinoSQL } from "dt-sql-parser/dist/parser/trino/index.js";
import { describe, expect, it } from "vitest";
import type { Source, Statement } from "../../../../processors/explorers/explorer.ts";
import {
  AGENT_DIMENSIONS,
  ENTRY_HOSTNAME,
  EXIT_HOSTNAME,
  PLACE_DIMENSIONS,
  VISIT_DIMENSIONS,
} from "../../../../processors/model/dimensions.ts";
import { totalsStatement } from "../../../../processors/pipeline/explore/archive.ts";
import { breakdownStatement } from "../../../../processors/pipeline/explore/breakdown.ts";
import { funnelStatement } from "../../../../processors/pipeline/explore/funnel.ts";
import { pathsStatement } from "../../../../processors/pipeline/explore/paths.ts";
import { planOf } from "../../../../processors/pipeline/explore/plan.ts";
import {
  parseFunnel,
  parsePaths,
  parseRetention,
} from "../../../../processors/pipeline/explore/questions.ts";
import { retentionStatement } from "../../../../processors/pipeline/explore/retention.ts";
import { cut } from "../../../../processors/pipeline/query/range.ts";
import { parseRequest } from "../../../../processors/pipeline/query/request.ts";

const trino = new TrinoSQL();
const SOURCE: Source = { text: '"rivulet"."events"', values: [], mayRepeat: true };
const SITE = { id: "it's", timeZone: "Europe/Berlin", createdAt: 0 };
const RANGE = { from: Date.UTC(2026, 2, 1), to: Date.UTC(2026, 3, 1) };
const DAYS = cut("time:day", RANGE, SITE.timeZone);
const WHOLE = [{ label: "", ...RANGE }];
const ALL_METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "events",
  "bounce_rate",
  "visit_duration",
  "engaged_time",
  "time_on_page",
  "scroll_depth",
  "total_revenue",
  "lcp_p75",
  "cls_p95",
];
const HOSTILE = `'; DROP TABLE "events" --`;
const FILTERS: readonly unknown[][] = [
  ["is", "visit:country", ["KR", HOSTILE]],
  ["is_not", "event:page", [HOSTILE], { case_sensitive: false }],
  ["contains", "event:props:plan", ["a", "b"]],
  ["matches", "event:goal", ["^a.*"], { case_sensitive: false }],
  [
    "not",
    [
      "or",
      [
        ["matches_not", "visit:exit_page", ["x"]],
        ["contains_not", "event:hostname", ["y"]],
      ],
    ],
  ],
  ["has_not_done", ["is", `event:props:${HOSTILE}`, ["z"]]],
];

const query = (body: Record<string, unknown>) => {
  const request = parseRequest({
    site_id: SITE.id,
    metrics: ALL_METRICS,
    date_range: ["2026-03-01", "2026-03-31"],
    ...body,
  });
  const question = { site: SITE, request, range: RANGE, buckets: request.time ? DAYS : WHOLE, keptFrom: 0 };
  return breakdownStatement(question, planOf(question), SOURCE, "trino");
};
const shared = { site_id: SITE.id, date_range: "28d", filters: [["is", "visit:country", ["KR", HOSTILE]]] };
const scope = { site: SITE.id, range: RANGE, days: DAYS, buckets: DAYS };
const funnel = (within: string) =>
  funnelStatement(
    parseFunnel({
      ...shared,
      within,
      steps: [{ page: "/a" }, { page: `/b/*${HOSTILE}` }, { goal: "signup" }],
    }),
    scope,
    SOURCE,
    "trino",
  );

const statements: readonly (readonly [string, Statement])[] = [
  ["totals", totalsStatement(SITE.id, RANGE, SOURCE, "trino")],
  ["a sum of everything", query({})],
  ["a series by day", query({ dimensions: ["time:day"] })],
  ...[
    ...[
      ...VISIT_DIMENSIONS,
      ...AGENT_DIMENSIONS,
      ...PLACE_DIMENSIONS,
      ENTRY_HOSTNAME,
      EXIT_HOSTNAME,
      "visit:exit_page",
    ],
    ...["event:page", "event:goal", "event:props:it's"],
  ].map(
    (dimension) =>
      [
        `by ${dimension}`,
        query({
          dimensions: [dimension],
          metrics: dimension.startsWith("event:")
            ? ALL_METRICS.filter((name) => !["bounce_rate", "visit_duration", "engaged_time"].includes(name))
            : ALL_METRICS,
        }),
      ] as const,
  ),
  [
    "pages with entries",
    query({ dimensions: ["event:page"], metrics: ["bounce_rate", "visits"], filters: FILTERS }),
  ],
  [
    "several dimensions",
    query({ dimensions: ["time:day", "visit:source", "visit:device", "visit:exit_page"] }),
  ],
  [
    "two properties",
    query({
      dimensions: ["event:props:a", "event:props:b", "visit:source"],
      metrics: ["visits", "total_revenue"],
    }),
  ],
  ...FILTERS.map(
    (filter) => [`filtered by ${JSON.stringify(filter)}`, query({ filters: [filter] })] as const,
  ),
  [
    "a version of a browser that is filtered",
    query({
      dimensions: ["visit:browser", "visit:browser_version"],
      filters: [["is_not", "visit:os_version", [HOSTILE]]],
    }),
  ],
  [
    "pages of visits that began on a host",
    query({
      dimensions: ["event:page", EXIT_HOSTNAME],
      metrics: ["bounce_rate", "total_revenue", "lcp_p75", "time_on_page"],
      filters: [["contains", ENTRY_HOSTNAME, [HOSTILE]], FILTERS[5]],
    }),
  ],
  ["all filters", query({ dimensions: ["visit:browser"], filters: FILTERS })],
  ["a funnel within visits", funnel("visit")],
  ["a funnel within days", funnel("day")],
  ["retention", retentionStatement(parseRetention({ ...shared, interval: "day" }), scope, SOURCE, "trino")],
  ["paths", pathsStatement(parsePaths({ ...shared, depth: 5 }), scope, SOURCE, "trino")],
  ["paths from a page", pathsStatement(parsePaths({ ...shared, from: HOSTILE }), scope, SOURCE, "trino")],
];

/** The text without what stands in quotes. */
const bare = (text: string): string => text.replace(/'(?:[^']|'')*'|"[^"]*"/g, "");

describe("a statement for Athena", () => {
  it.each(statements)(
    "%s: parses, and binds every text of the request in a condition",
    (_, { text, values }) => {
      // The parser takes no question marks; the service puts the values there itself.
      const errors = trino.validate(text.replace(/\?/g, "'v'"));
      expect(errors.map(({ message }) => message)).toEqual([]);
      expect(text).not.toContain("DROP");
      expect(bare(text).match(/\?/g)?.length ?? 0).toBe(values.length);
      expect(outsideOfWhere(bare(text))).toBe(0);
    },
  );

  // Trino puts the text of a table of WITH wherever it is named: https://trino.io/docs/current/sql/select.html#with-clause
  it.each(statements.filter(([title]) => /^(a funnel|retention|paths)/.test(title)))(
    "%s: reads the archive once, because Athena reads it for every mention of a table and bills each",
    (_, { text }) => {
      const tables = [...text.matchAll(/"(\w+)" AS \(SELECT/g)].map(([, name]) => name);
      expect(tables).toContain("e");
      for (const name of tables)
        expect(text.match(new RegExp(`(?:FROM|JOIN) "${name}"`, "g")) ?? [], name).toHaveLength(1);
    },
  );

  it("reads as somebody would write it", () => {
    const { text, values } = query({
      metrics: ["visitors"],
      dimensions: ["visit:source"],
      filters: [["is", "visit:device", ["Mobile"]]],
    });
    expect({ text, values }).toMatchInlineSnapshot(`
      {
        "text": "WITH "e" AS (SELECT "visitor", "visit", "at", "name", "engaged_ms", "visit_source", "visit_device" FROM (SELECT "visitor", "visit", "at", "name", "engaged_ms", "visit_source", "visit_device", "shard", "sequence", "index", row_number() OVER (PARTITION BY "shard", "sequence", "index" ORDER BY "at") AS "copy" FROM "rivulet"."events" WHERE "site" = ? AND "dt" BETWEEN ? AND ? AND ("dt" > ? OR "hour" >= ?) AND ("dt" < ? OR "hour" <= ?) AND "at" >= ? AND "at" < ? AND "rejected" IS NULL) AS "t" WHERE "copy" = 1) SELECT "b", "d0", sum("events") AS "events", sum("pageviews") AS "pageviews", sum("visitors") AS "visitors", sum("visits") AS "visits", sum("bounces") AS "bounces", sum("duration_ms") AS "duration_ms", sum("engaged_ms") AS "engaged_ms", sum("reads") AS "reads", sum("scroll_sum") AS "scroll_sum", sum("scrolls") AS "scrolls", sum("entry_visits") AS "entry_visits", sum("entry_bounces") AS "entry_bounces", sum("entry_duration_ms") AS "entry_duration_ms", sum("amount_minor") AS "amount_minor", sum("amounts") AS "amounts", sum("currencies") AS "currencies", max("currency") AS "currency" FROM (SELECT "b", "d0", count(*) FILTER (WHERE "name" NOT IN ('engagement', 'vitals')) AS "events", count(*) FILTER (WHERE "name" = 'pageview') AS "pageviews", count(DISTINCT "visitor") FILTER (WHERE "name" NOT IN ('engagement', 'vitals')) AS "visitors", 0 AS "visits", 0 AS "bounces", 0 AS "duration_ms", coalesce(sum("engaged_ms"), 0) AS "engaged_ms", 0 AS "reads", 0 AS "scroll_sum", 0 AS "scrolls", 0 AS "entry_visits", 0 AS "entry_bounces", 0 AS "entry_duration_ms", 0 AS "amount_minor", 0 AS "amounts", 0 AS "currencies", CAST(NULL AS VARCHAR) AS "currency" FROM (SELECT 0 AS "b", "visit_source" AS "d0", "e".* FROM "e" WHERE ("at" >= 1772323200000 AND "at" < 1775001600000) AND (("visit_device" <> '' AND "visit_device" IN (?))) AND (("name" NOT IN ('engagement', 'vitals')) OR ("name" = 'engagement')) AND ("visit_source" <> '')) AS "rows" GROUP BY "b", "d0") AS "parts" GROUP BY "b", "d0" LIMIT 50001",
        "values": [
          "it's",
          "2026-03-01",
          "2026-03-31",
          "2026-03-01",
          "00",
          "2026-03-31",
          "23",
          1772323200000,
          1775001600000,
          "Mobile",
        ],
      }
    `);
  });
});

/** Athena takes parameters in WHERE only: question marks whose own SELECT has not come to its WHERE. */
function outsideOfWhere(text: string): number {
  let outside = 0;
  const inWhere: boolean[] = [false];
  for (const [token] of text.matchAll(/[()?]|\b(?:SELECT|WHERE|GROUP|UNION)\b/g)) {
    const last = inWhere.length - 1;
    if (token === "(") inWhere.push(inWhere[last] ?? false);
    else if (token === ")") inWhere.pop();
    else if (token === "?") outside += inWhere[last] ? 0 : 1;
    else inWhere[last] = token === "WHERE";
  }
  return outside;
}
