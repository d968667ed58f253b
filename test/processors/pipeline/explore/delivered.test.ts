import { describe, expect, it } from "vitest";
import { archiveStore } from "../../../../processors/pipeline/archive.ts";
import { deliveredUntil } from "../../../../processors/pipeline/explore/delivered.ts";
import { encodeJson } from "../../../../processors/pipeline/json.ts";
import { generate } from "../../../kit/generate.ts";
import { SITE } from "../lines.ts";
import { recordsOf, rig, SHARD } from "../rig.ts";

const MINUTE = 60_000;
const FROM = Date.UTC(2026, 10, 9, 12);
const WITHIN = 11 * MINUTE;

/** Counted as far as `counted` records, handed to the archive as far as `handed`; both at once when they arrived. */
async function reach(
  counted: number,
  handed: number,
  laterMs: number,
  waiting?: Readonly<Record<string, number>>,
  together = false,
): Promise<{ until: number; now: number; arrivals: number[] }> {
  const lines = [
    ...generate({
      seed: 3,
      from: FROM,
      to: FROM + 30 * MINUTE,
      events: 60,
      sites: [SITE],
      late: 0,
      duplicates: 0,
      skewed: 0,
    }),
  ];
  const { clock, store, worker } = await rig({ start: FROM });
  const records = recordsOf(lines).map((record) =>
    together ? { ...record, arrivalAt: FROM + MINUTE } : record,
  );
  const arrivals = records.map(({ arrivalAt }) => arrivalAt);
  clock.advanceTo(arrivals[Math.max(counted, handed) - 1]!);
  await worker().process(records.slice(0, counted));
  const archive = archiveStore(store);
  if (handed > 0) await worker(undefined, archive).process(records.slice(0, handed));
  clock.advance(laterMs);
  if (waiting) {
    const value = encodeJson({ at: clock.now(), waiting });
    await store.put({ pk: "freshness", sk: "stream", value }, 0);
  }
  const until = await deliveredUntil({ store, archive, clock, withinMs: WITHIN });
  return { until, now: clock.now(), arrivals };
}

describe("how far a delivered archive reaches", () => {
  it("is now less the time that delivery may take, once everything counted was handed over and nothing waits", async () => {
    const { until, now, arrivals } = await reach(20, 20, 30 * MINUTE, {});
    // As long after its newest record as the commit came, the archive may be behind.
    const delay = now - 30 * MINUTE - arrivals[19]!;
    expect(until).toBe(now - delay - WITHIN);
  });

  it("is no later than the newest record that was handed over, where counting is further", async () => {
    const { until, arrivals } = await reach(20, 10, 60 * MINUTE);
    expect(until).toBe(arrivals[9]! - WITHIN);
  });

  it("is no later than that when the records which are not handed over came in the same millisecond", async () => {
    const { until } = await reach(20, 10, 60 * MINUTE, {}, true);
    expect(until).toBe(FROM + MINUTE - WITHIN);
  });

  it("is no later than what waits to be counted, where both consumers are behind alike", async () => {
    const stalled = FROM + 15 * MINUTE;
    for (const shard of [SHARD.id, "shard-1"]) {
      const { until, arrivals } = await reach(20, 20, 60 * MINUTE, { [shard]: stalled });
      expect(arrivals[19], shard).toBeLessThan(stalled);
      expect(until, shard).toBe(stalled - WITHIN);
    }
    const { until, arrivals } = await reach(20, 20, 60 * MINUTE);
    expect(until, "nobody has asked the stream").toBe(arrivals[19]! - WITHIN);
  });

  it("is nowhere before the archive has begun", async () => {
    expect((await reach(20, 0, MINUTE)).until).toBe(0);
  });
});
