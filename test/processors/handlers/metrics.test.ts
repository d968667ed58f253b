import { afterEach, describe, expect, it, vi } from "vitest";
import { ENV } from "../../../processors/env.ts";
import { tellBatch } from "../../../processors/handlers/metrics.ts";
import type { CommitSummary } from "../../../processors/pipeline/aggregate.ts";
import type { Counters } from "../../../processors/pipeline/state.ts";

const counters = (events: number, late: number, rejects: Counters["rejects"]): Counters =>
  ({ events, late, rejects }) as Counters;
const summary = { conflicts: 0 } as CommitSummary;

afterEach(() => vi.restoreAllMocks());

/** The values of each line that one batch tells. */
function told(before: Counters, after: Counters): Record<string, unknown>[] {
  process.env[ENV.table] = "clicks";
  const lines: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((line) => lines.push(String(line)) > 0);
  tellBatch(before, after, summary, { at: 5, delayMs: 7 });
  return lines.map((line) => {
    const { _aws, Table, ...values } = JSON.parse(line);
    expect(Table).toBe("clicks");
    return values;
  });
}

describe("what a batch tells its operator", () => {
  it("is what it added, and nothing that it did not", () => {
    expect(told(counters(10, 1, {}), counters(13, 1, {}))).toEqual([{ Events: 3, Delay: 7 }]);
    expect(told(counters(10, 1, {}), counters(10, 4, {}))).toEqual([{ Events: 0, Delay: 7, Late: 3 }]);
  });

  it("counts refusals by reason, and as faulty those that are a mistake of somebody's", () => {
    const before = counters(1, 0, { bot: 5, malformed: 1 });
    const after = counters(1, 0, { bot: 9, malformed: 3, duplicate: 2, unknown_site: 1 });
    expect(told(before, after)).toEqual([
      { Events: 0, Delay: 7, Faulty: 3 },
      { Rejects: 4, Reason: "bot" },
      { Rejects: 2, Reason: "malformed" },
      { Rejects: 2, Reason: "duplicate" },
      { Rejects: 1, Reason: "unknown_site" },
    ]);
  });
});
