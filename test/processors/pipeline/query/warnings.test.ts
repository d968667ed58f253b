/** Where a number means something special, and that nothing is remarked where it does not. */
import { describe, expect, it } from "vitest";
import { responseSchemas } from "../../../../infra/responses.ts";
import { OTHER } from "../../../../processors/model/dimensions.ts";
import { Measures } from "../../../../processors/model/measures.ts";
import { Rollup } from "../../../../processors/model/rollup.ts";
import { keeps } from "../../../../processors/pipeline/query/breakdown.ts";
import { MergedTable } from "../../../../processors/pipeline/query/merged.ts";
import { MergedTally } from "../../../../processors/pipeline/query/metrics.ts";
import { parseRequest, type QueryRequest } from "../../../../processors/pipeline/query/request.ts";
import { WARNING_CODES, warningsOf } from "../../../../processors/pipeline/query/warnings.ts";
import { KeptWindow } from "../../../../processors/pipeline/query/windows.ts";

const NOON = Date.UTC(2026, 2, 9, 12);
const HOUR = 3_600_000;

interface Case {
  readonly metrics: string[];
  readonly dimension?: string;
  readonly hours?: number;
  readonly currencies?: string[];
  readonly metOther?: boolean;
}

function codes({
  metrics,
  dimension,
  hours = 1,
  currencies = [],
  metOther = false,
}: Case): Record<string, string> {
  const request = parseRequest({
    site_id: "shop",
    metrics,
    date_range: "day",
    dimensions: dimension ? [dimension] : [],
  });
  const measures = new Measures();
  for (const currency of currencies) measures.addRevenue(currency, 100);
  const range = { from: NOON, to: NOON + hours * HOUR };
  const tally = new MergedTally(measures);
  const row = { at: 0, bucket: { label: "", ...range }, values: [], tally, entry: undefined };
  const found = warningsOf({ request, dimension, rows: [row], range, metOther, isArchived: false });
  return Object.fromEntries(Object.entries(found).map(([metric, { code }]) => [metric, code]));
}

describe("a remark", () => {
  it.each<[string, Case, Record<string, string>]>([
    ["nothing about a day", { metrics: ["visitors", "visits"] }, {}],
    ["nothing until midnight UTC", { metrics: ["visitors"], hours: 12 }, {}],
    [
      "that days are added up beyond it",
      { metrics: ["visitors", "visits"], hours: 13 },
      { visitors: "visitor_days" },
    ],
    ["nothing of one currency", { metrics: ["total_revenue"], currencies: ["EUR"] }, {}],
    [
      "that other currencies are left out",
      { metrics: ["total_revenue", "average_revenue", "events"], currencies: ["EUR", "KRW"] },
      { total_revenue: "other_currencies", average_revenue: "other_currencies" },
    ],
    [
      "that vitals are not kept",
      { metrics: ["lcp_p75"], dimension: "visit:source" },
      { lcp_p75: "vitals_not_kept" },
    ],
    ["nothing where they are", { metrics: ["lcp_p75"], dimension: "visit:device" }, {}],
    [
      "that a filter does not see all",
      { metrics: ["events"], dimension: "event:page", metOther: true },
      { events: "values_beyond_table" },
    ],
  ])("says %s", (_, asked, expected) => {
    expect(codes(asked)).toEqual(expected);
  });

  it("has the codes that the published document names", () => {
    const text = JSON.stringify(responseSchemas.QueryMeta);
    expect(text).toContain(JSON.stringify({ type: "string", enum: WARNING_CODES }));
  });
});

describe("a filter", () => {
  const hides = (value: string, request: QueryRequest): boolean => {
    const rollup = new Rollup();
    rollup.row("event:page", value)!.events = 1;
    const bound = new Map();
    const window = new KeptWindow("hour", { from: NOON, to: NOON + HOUR }, { rollup, bound });
    const table = new MergedTable("event:page", [window], keeps(request));
    table.addBase(window, { table: rollup.readTable("event:page"), bound });
    return table.hidesOther;
  };
  const filtered = (...filter: unknown[]) =>
    parseRequest({ site_id: "shop", metrics: ["events"], date_range: "day", filters: [filter] });

  it.each([
    [OTHER, filtered("is", "event:page", ["/"]), true],
    ["/", filtered("is", "event:page", ["/"]), false],
    [OTHER, filtered("is", "event:page", [OTHER]), false],
    // What it excludes is not in (other), so all of (other) passes.
    [OTHER, filtered("is_not", "event:page", ["/"]), false],
  ])("over %s: %#", (value, request, expected) => {
    expect(hides(value, request)).toBe(expected);
  });
});
