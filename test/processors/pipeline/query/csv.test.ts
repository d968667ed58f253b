/** CSV: read back by a reader of RFC 4180, it says what the answer said, and nothing in it is a formula. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bodyOf,
  csvLines,
  disposition,
  fileName,
  type TableRow,
  type Tabular,
} from "../../../../processors/pipeline/query/csv.ts";
import { collected } from "../../../kit/collected.ts";
import { anyText } from "../../../kit/texts.ts";

/** Records of RFC 4180, by its grammar. */
function parse(text: string): string[][] {
  const records: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const record: string[] = [];
    for (;;) {
      let cell = "";
      if (text[at] === '"') {
        for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
          if (text[at] === '"') at++;
          if (at >= text.length) throw new Error("a quote that is not closed");
          cell += text[at];
        }
        at++;
      } else
        while (at < text.length && text[at] !== "," && text[at] !== "\r") {
          if (text[at] === '"' || text[at] === "\n") throw new Error(`bare ${JSON.stringify(text[at])}`);
          cell += text[at++];
        }
      record.push(cell);
      if (text[at] === ",") {
        at++;
        continue;
      }
      if (text.slice(at, at + 2) !== "\r\n") throw new Error("a record that does not end in CRLF");
      at += 2;
      break;
    }
    records.push(record);
  }
  return records;
}

const table = (
  names: readonly string[],
  metrics: readonly string[],
  results: readonly TableRow[],
): Tabular => ({
  portions: [results],
  query: {
    site_id: "shop",
    dimensions: names,
    metrics,
    date_range: ["2026-01-01T00:00:00+00:00", "2026-01-31T23:59:59+00:00"],
  },
});
const csv = async (answer: Tabular): Promise<string> => (await collected(csvLines(answer))).join("");

describe("CSV of an answer", () => {
  it("has dimensions, then metrics, and a currency beside money", async () => {
    const money = { currency: "KRW", value: 12_000, short: "", long: "" };
    const answer = table(
      ["visit:source"],
      ["visitors", "total_revenue"],
      [
        { dimensions: ["Google"], metrics: [3, money] },
        { dimensions: ["a,b"], metrics: [1, null] },
      ],
    );
    expect(await csv(answer)).toBe(
      'visit:source,visitors,total_revenue,total_revenue_currency\r\nGoogle,3,12000,KRW\r\n"a,b",1,,\r\n',
    );
  });

  it("says the same when it is read back, and keeps every text from being a formula", async () => {
    const text = fc.oneof(
      anyText(),
      fc.string({ unit: fc.constantFrom('"', ",", "\r", "\n", "=", "+", "-", "@", "\t", "a", "'") }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, fc.integer()), { maxLength: 8 }), async (rows) => {
        const results = rows.map(([value, count]) => ({ dimensions: [value], metrics: [count] }));
        const [header, ...lines] = parse(await csv(table(["event:page"], ["visitors"], results)));
        expect(header).toEqual(["event:page", "visitors"]);
        expect(lines).toHaveLength(rows.length);
        for (const [i, [value, count]] of rows.entries()) {
          const cell = lines[i]?.[0] ?? "";
          expect(cell).not.toMatch(/^[=+\-@\t\r\n]/);
          expect(cell === value || cell === `'${value}`).toBe(true);
          expect(lines[i]?.[1]).toBe(String(count));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("leaves negative numbers numbers", async () => {
    expect(await csv(table([], ["events"], [{ dimensions: [], metrics: [-3] }]))).toBe("events\r\n-3\r\n");
  });

  it("is made while it is read, some lines at a time", async () => {
    let asked = 0;
    const rows = Array.from({ length: 1_000 }, () => ({ dimensions: ["/".repeat(100)], metrics: [1] }));
    const portions = (function* () {
      for (; asked < 3; asked++) yield rows;
    })();
    const lines = csvLines({ ...table(["event:page"], ["visitors"], []), portions });
    expect((await lines.next()).value).toBe("event:page,visitors\r\n");
    expect(asked).toBe(0);
    const pieces = await collected(lines);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(17_000);
    expect(pieces.join("").split("\r\n")).toHaveLength(3_001);
  });
});

describe("the name of the file", () => {
  it("has no characters that a file system or a header could mind", () => {
    fc.assert(
      fc.property(anyText({ minLength: 1 }), (site) => {
        const answer = { ...table([], [], []), query: { ...table([], [], []).query, site_id: site } };
        const name = fileName(answer);
        expect(name).toMatch(/^[^.\s][\p{L}\p{N}._ -]* 2026-01-01 2026-01-31\.csv$|^_ ?2026/u);
        expect(disposition(name)).toMatch(
          /^attachment; filename="[\x20\x21\x23-\x7e]*"; filename\*=UTF-8''[\x21-\x7e]*$/,
        );
      }),
    );
  });
});

describe("the address of an export", () => {
  it("asks what the same query asks", () => {
    expect(
      bodyOf({
        site_id: "shop",
        date_range: "2026-01-01,2026-01-31",
        metrics: "visitors,pageviews",
        dimensions: '["event:props:a,b"]',
        filters: '[["is","event:props:a,b",["x"]]]',
        order_by: '[["visitors","asc"]]',
        share: "rvs_1",
      }),
    ).toEqual({
      site_id: "shop",
      date_range: ["2026-01-01", "2026-01-31"],
      metrics: ["visitors", "pageviews"],
      dimensions: ["event:props:a,b"],
      filters: [["is", "event:props:a,b", ["x"]]],
      order_by: [["visitors", "asc"]],
    });
  });

  it.each([
    ["filters", { filters: "[" }],
    ["order_by", { order_by: "visitors" }],
    ["period", { period: "7d" }],
    ["pagination", { pagination: "{}" }],
    ["__proto__", JSON.parse('{"__proto__":"x"}') as Record<string, string>],
  ])("names %s when that is wrong", (field, parameters) => {
    expect(() => bodyOf(parameters)).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining(field) }),
    );
  });
});
