/** The parts that measurements are made of: verdicts, blocks, the corpus and curves. */
import { describe, expect, it } from "vitest";
import { type Benchmark, verdict } from "./benchmark.ts";
import { makeCorpus, parseLines } from "./corpus.ts";
import { exponent } from "./curves.ts";
import { worse } from "./guard.ts";
import { exactly, median, sideBySide } from "./measure.ts";
import { resultOf } from "./report.ts";

const row = (better: "lower" | "higher"): Benchmark => ({
  id: "row",
  what: "",
  against: "",
  unit: "",
  better,
  floor: better === "lower" ? 1.2 : 0.5,
  aim: better === "lower" ? 0.6 : 0.7,
  run: async () => undefined,
});

describe("a row of the performance table", () => {
  it.each([
    ["lower", 0.6, "aim"],
    ["lower", 0.7, "floor"],
    ["lower", 1.3, "missed"],
    ["higher", 0.7, "aim"],
    ["higher", 0.6, "floor"],
    ["higher", 0.4, "missed"],
  ] as const)("says of a ratio for which %s is better, %f: %s", (better, ratio, said) => {
    expect(verdict(resultOf({ benchmark: row(better), measured: exactly(ratio, 1) }))).toBe(said);
  });

  it("takes at least five pairs of blocks and leaves out the first, which warms up", async () => {
    const measured = await sideBySide(
      { subject: (block) => (block === 0 ? 99 : 3), baseline: () => 2, runs: 5 },
      0,
    );
    expect(measured).toMatchObject({ value: 3, baseline: 2, ratio: 1.5, spread: [1.5, 1.5] });
    expect(median([3, 1, 2, 4])).toBe(2.5);
  });

  it.each([
    ["lower", 3.1, 1],
    ["lower", 2.9, 0],
    ["higher", 1.3, 1],
    ["higher", 1.4, 0],
  ] as const)(
    "is guarded at 1.5 times its recorded ratio of 2 (%s is better, now %f)",
    (better, ratio, found) => {
      const rows = [{ benchmark: row(better), measured: exactly(ratio, 1) }];
      expect(worse(rows, new Map([["row", 2]]))).toHaveLength(found);
      expect(worse(rows, new Map())).toEqual([]);
    },
  );
});

describe("the corpus", () => {
  it("is the same for the same seed: full batches, and one line for each event", () => {
    const [one, two] = [makeCorpus({ seed: 1, events: 500 }), makeCorpus({ seed: 1, events: 500 })];
    expect(one.events).toBe(500);
    expect(one).toEqual(two);
    expect(parseLines(one.lines, 0, one.events)).toBe(one.lines.length + 1);
    expect(makeCorpus({ seed: 2, events: 500 }).lines).not.toEqual(one.lines);
  });
});

describe("the exponent of a curve", () => {
  it.each([0, 0.5, 1, 2])("is the power %f with which it grows", (power) => {
    expect(exponent([10, 100, 1_000, 1e6].map((x) => [x, 7 * x ** power]))).toBeCloseTo(power, 9);
  });
});
