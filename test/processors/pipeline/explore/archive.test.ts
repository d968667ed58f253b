import { describe, expect, it } from "vitest";
import type { Found, Outcome } from "../../../../processors/explorers/explorer.ts";
import { ExploredArchive } from "../../../../processors/pipeline/explore/archive.ts";
import { SUMS } from "../../../../processors/pipeline/explore/breakdown.ts";
import type { Plan } from "../../../../processors/pipeline/explore/plan.ts";
import { StillRunning } from "../../../../processors/pipeline/explore/running.ts";
import { archivedRowsOf } from "../../../../processors/pipeline/explore/tally.ts";
import { manualClock } from "../../../kit/clock.ts";

const NOON = Date.UTC(2026, 10, 9, 12);
const EXTENT = { site: "example.com", from: 0, to: NOON };

/** An archive that gets another file each time that somebody looks, and answers what it is told to. */
function growing(outcomes: Outcome[], looks: Found[] = []) {
  const clock = manualClock(NOON);
  const ran: string[] = [];
  let files = 0;
  const archive = new ExploredArchive({
    clock,
    waitMs: 5_000,
    archivedUntil: async () => NOON + files,
    explorer: {
      dialect: "duckdb",
      source: async () =>
        looks.shift() ?? { source: { text: "?", values: [`file ${++files}`], mayRepeat: false } },
      async run({ values }) {
        ran.push(String(values[0]));
        return outcomes.shift() ?? { rows: [["1"]] };
      },
      close: async () => {},
    },
  });
  return { archive, clock, ran, ask: () => archive.rows(EXTENT, ({ text, values }) => ({ text, values })) };
}

const RUNNING: Outcome = { rows: undefined, progress: { done: 0.5, elapsedMs: 5_000 } };

describe("a question that takes longer than a request waits", () => {
  it("is asked again of the same files, and says how far those reached", async () => {
    const { ask, ran } = growing([RUNNING, RUNNING]);
    await expect(ask()).rejects.toThrow(StillRunning);
    await expect(ask()).rejects.toThrow(StillRunning);
    expect(await ask()).toEqual({ rows: [["1"]], archivedUntil: NOON });
    expect(await ask()).toEqual({ rows: [["1"]], archivedUntil: NOON + 1 });
    expect(ran).toEqual(["file 1", "file 1", "file 1", "file 2"]);
  });

  it("may be one that is still looking for its files", async () => {
    const { ask, ran } = growing([], [{ progress: { done: undefined, elapsedMs: 5_000 } }]);
    await expect(ask()).rejects.toThrow(StillRunning);
    expect(await ask()).toEqual({ rows: [["1"]], archivedUntil: NOON });
    expect(ran).toEqual(["file 1"]);
  });

  it("is a new question when nobody came back for it", async () => {
    const { ask, ran, clock } = growing([RUNNING]);
    await expect(ask()).rejects.toThrow(StillRunning);
    clock.advance(15_000);
    await ask();
    expect(ran).toEqual(["file 1", "file 2"]);
  });
});

describe("the sums of an archive's rows", () => {
  const plan = { request: { breakdown: [] }, vitals: [], needsEntry: false } as unknown as Plan;
  const rowOf = (sums: Record<string, string>) => ["0", ...SUMS.map((name) => sums[name] ?? "0"), "EUR"];

  it("stand still where those of rollups do: absurd prices are answered, too", () => {
    const [row] = archivedRowsOf([rowOf({ amount_minor: `1${"0".repeat(16)}`, amounts: "10000" })], plan);
    expect(row?.tally.revenue).toEqual(new Map([["EUR", { minor: 2 ** 51, count: 10_000 }]]));
  });

  it("are whole numbers", () => {
    expect(() => archivedRowsOf([rowOf({ events: "1.5" })], plan)).toThrow("whole number");
  });
});
