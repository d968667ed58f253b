/** What `rivulet import` says in the end. */
import { describe, expect, it } from "vitest";
import { summaryOf, totalsSummary } from "../../../infra/local/importsummary.ts";
import type { ImportResult } from "../../../processors/pipeline/import/importer.ts";
import { type ImportCounts, NO_COUNTS } from "../../../processors/pipeline/import/ledger.ts";

const SITE = "example.com";

function summary(
  counts: Partial<ImportCounts>,
  { events = 0, from = 0, position = 100, lines = 1 } = {},
): string {
  const entry = { position, lines, counts: { ...NO_COUNTS, ...counts } } as ImportResult["entry"];
  return summaryOf("a.log", SITE, { entry, events, from, isFinished: true }, 2);
}

describe("the end of an import says", () => {
  it.each([
    ["one event", summary({ events: 1 }, { events: 1 }), "a.log: 1 event of example.com"],
    [
      "no robots among events",
      summary({ events: 5, bots: 3 }, { events: 2 }),
      "a.log: 2 events of example.com",
    ],
    [
      "how fast, where that tells something",
      summary({ events: 3_000 }, { events: 3_000 }),
      "a.log: 3,000 events of example.com in 2.0 s (1,500 a second)",
    ],
    ["that there was none", summary({ bots: 1, events: 1 }), "a.log: no event of example.com"],
    [
      "that none of it could be used",
      summary({ bad: 2 }),
      "a.log: no event of example.com: none of its lines could be used. Is it of another --format?",
    ],
    [
      "what is new of a file that has grown",
      summary({ events: 3 }, { events: 1, from: 50 }),
      "a.log: 1 new event of example.com; what was imported before is not counted again",
    ],
    [
      "that nothing is new of it",
      summary({ events: 3 }, { from: 50 }),
      "a.log: no new event of example.com; what was imported before is not counted again",
    ],
    [
      "that all of it was counted before",
      summary({ events: 3 }, { from: 100 }),
      "a.log has been imported into example.com before: nothing is counted twice. What came of it then:",
    ],
  ])("%s", (_, text, first) => expect(text.split("\n")[0]).toBe(first));

  it("how much of it nobody is shown, because the site keeps nothing so old", () => {
    const entry = {
      position: 1,
      lines: 3,
      counts: { ...NO_COUNTS, events: 3, unkept: 2 },
    } as ImportResult["entry"];
    const result = { entry, events: 3, from: 0, isFinished: true, keptSince: "2026-02-18" };
    expect(summaryOf("a.log", SITE, result, 2)).toContain(
      "  counted    3\n  bots       0\n  not shown  2  (of these: example.com keeps nothing from before 2026-02-18)\n",
    );
  });

  it("what became of every line", () => {
    const counts = { events: 4, bots: 1, bad: 2, skipped: { asset: 1_000, method: 1 } };
    expect(summary(counts, { events: 3, lines: 1_007 }).split("\n").slice(1)).toEqual([
      "  lines      1,007",
      "  counted    3",
      "  bots       1  (set apart: counted as rejects, not as visitors)",
      "  left out   1,001  (asset 1,000, method 1)",
      "  bad        2  (each with its line and reason in a.log.report.ndjson)",
    ]);
    expect(summary({ events: 1 }).split("\n").slice(3)).toEqual([
      "  bots       0",
      "  left out   0",
      "  bad        0",
    ]);
  });
});

it("the end of an import of totals says what became of rows and days", () => {
  const days = { counted: 1, known: 1, taken: 0, open: 2, unkept: 3 };
  const tables = [{ name: "pages", rows: 1, counted: 1, days, bad: [{ line: 3, reason: "x" }] }];
  expect(totalsSummary("t.csv", SITE, tables)).toBe(
    [
      "t.csv: totals of example.com",
      "  pages  1 of 1 row, 1 day; 1 day counted before, 2 days that are not over, 3 days left alone, older than what the site keeps, 1 bad row",
      "bad rows are named in t.csv.report.ndjson",
    ].join("\n"),
  );
});
