/** Which questions rollups answer, and in whose name they refuse the others. */
import { describe, expect, it } from "vitest";
import { ClickstreamError } from "../../../../processors/errors.ts";
import { beyondRollups, checkMeaning } from "../../../../processors/pipeline/query/answerable.ts";
import { parseRequest } from "../../../../processors/pipeline/query/request.ts";

function check(asked: object): void {
  const request = parseRequest({ site_id: "shop", metrics: ["visitors"], date_range: "7d", ...asked });
  checkMeaning(request);
  const beyond = beyondRollups(request);
  if (beyond !== undefined) throw new ClickstreamError("bad_request", beyond);
}
const page = (operator: string, values: string[], ...more: unknown[]) => [
  operator,
  "event:page",
  values,
  ...more,
];

describe("rollups answer", () => {
  it.each<[string, object]>([
    ["visits of one page", { metrics: ["visits"], filters: [page("is", ["/"])] }],
    [
      "visits of several pages, each by itself",
      { metrics: ["visits"], dimensions: ["event:page"], filters: [page("contains", ["/"])] },
    ],
    [
      "visits of several sources together",
      { metrics: ["visits"], filters: [["is", "visit:source", ["a", "b"]]] },
    ],
    ["a share over time", { metrics: ["percentage"], dimensions: ["time:day"] }],
    [
      "the bounce rate of pages, by the visits that entered there",
      { metrics: ["bounce_rate"], dimensions: ["event:page"] },
    ],
    ["goals among event names", { dimensions: ["event:goal"], filters: [["is", "event:name", ["signup"]]] }],
  ])("%s", (_, asked) => {
    expect(() => check(asked)).not.toThrow();
  });
});

describe("rollups cannot answer", () => {
  it.each<[string, string, object]>([
    [
      "visits of several pages together",
      "metrics[0]",
      { metrics: ["visits"], filters: [page("is", ["/", "/a"])] },
    ],
    // "/A" and "/a" are two rows, and a visit may be in both.
    [
      "visits of one page in any case",
      "metrics[0]",
      { metrics: ["visits"], filters: [page("is", ["/a"], { case_sensitive: false })] },
    ],
    ["visits of all pages but one", "metrics[0]", { metrics: ["visits"], filters: [page("is_not", ["/a"])] }],
    ["a share of nothing", "metrics[1]", { metrics: ["visitors", "percentage"] }],
    ["a conversion by source", "metrics[0]", { metrics: ["conversion_rate"], dimensions: ["visit:source"] }],
    [
      "a conversion over time alone",
      "metrics[0]",
      { metrics: ["conversion_rate"], dimensions: ["time:day"] },
    ],
    [
      "how long people with a property stayed",
      "metrics[0]",
      { metrics: ["visit_duration"], dimensions: ["event:props:plan"] },
    ],
    [
      "which share of a source reached a goal",
      "metrics[0]",
      {
        metrics: ["group_conversion_rate"],
        dimensions: ["time:day"],
        filters: [["is", "event:goal", ["signup"]]],
      },
    ],
    ["versions of browsers", "dimensions", { dimensions: ["visit:browser_version"] }],
    [
      "a version of a system that is filtered",
      "filters",
      { filters: [["not", ["is", "visit:os_version", ["17.4"]]]] },
    ],
    ["money by exit page", "metrics[0]", { metrics: ["total_revenue"], dimensions: ["visit:exit_page"] }],
    [
      "pages of a source",
      "filters",
      { dimensions: ["event:page"], filters: [["is", "visit:source", ["a"]]] },
    ],
    ["pages with sources", "dimensions", { dimensions: ["event:page", "visit:source"] }],
    ["what visits have done", "filters", { filters: [["has_not_done", ["is", "event:goal", ["signup"]]]] }],
    [
      "how long visits with a goal took",
      "metrics[0]",
      { metrics: ["visit_duration"], filters: [["is", "event:goal", ["signup"]]] },
    ],
    [
      "filters on two dimensions",
      "filters",
      { filters: [["or", [page("is", ["/"]), ["is", "visit:source", ["a"]]]]] },
    ],
  ])("%s, and names %s", (_, field, asked) => {
    expect(() => check(asked)).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining(`${field}: `) }),
    );
  });
});
