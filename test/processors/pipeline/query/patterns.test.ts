/** Patterns of filters: whose syntax they have, and how long they may take. */
import { describe, expect, it } from "vitest";
import { predicate } from "../../../../processors/pipeline/query/filter.ts";
import { checkPatterns } from "../../../../processors/pipeline/query/patterns.ts";
import type { Filter } from "../../../../processors/pipeline/query/request.ts";

const matches = (values: string[], more: Partial<Filter> = {}): Filter[] => [
  {
    kind: "test",
    operator: "matches",
    dimension: "event:page",
    values,
    caseSensitive: true,
    ...more,
  } as Filter,
];

async function passes(filters: Filter[], value: string): Promise<boolean> {
  await checkPatterns(filters);
  return predicate(filters)(value);
}

describe("a pattern", () => {
  it.each([
    ["^/blog/.*", "/blog/a", "/a/blog/"],
    ["/(a|b)/[a-z+*]+", "/b/c+", "/c/b"],
    ["\\.html?$", "/a.htm", "/a.html5"],
    ["^/\\p{L}+$", "/가격", "/1"],
    ["^(?:en|ko)?/docs", "ko/docs", "de/docs"],
    ["(ab)+c", "xababc", "xabac"],
    ["^/a b$", "/a b", "/A B"],
  ])("%s is found in %s and not in %s", async (pattern, yes, no) => {
    expect([await passes(matches([pattern]), yes), await passes(matches([pattern]), no)]).toEqual([
      true,
      false,
    ]);
  });

  it("may ignore case, and be one of several", async () => {
    const filters = matches(["^/x$", "^/straße$"], { caseSensitive: false });
    expect(await passes(filters, "/STRAßE")).toBe(true);
    expect(await passes(filters, "/y")).toBe(false);
  });

  it.each([["("], ["(.)\\1"], ["(?=a)"], ["a**"], ["(?:a{1000}){1000}"], [".{0,1000}.{0,1000}.{0,1000}"]])(
    "%s is refused",
    async (pattern) => {
      await expect(checkPatterns([{ kind: "not", filter: matches([pattern])[0]! }])).rejects.toMatchObject({
        code: "bad_request",
        message: expect.stringMatching(/^filters: /),
      });
    },
  );

  /** Each of them takes an engine that backtracks minutes, and most of them longer than anybody lives. */
  it.each([
    [".*.*.*x"],
    [`^${"a?".repeat(60)}b`],
    [`${"(a|a)".repeat(30)}b`],
    ["(a+)+b"],
    ["(a|aa)+b"],
    ["a*a*a*a*b"],
  ])("%s takes no time with the longest address", async (pattern) => {
    const began = performance.now();
    expect(await passes(matches([pattern]), "a".repeat(2_000))).toBe(false);
    // A hundred times what it takes, for a machine that is busy with other things.
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
