/** The simulation of a deployment under load. */
import { describe, expect, it } from "vitest";
import { measure } from "../../../../infra/local/cost/measure.ts";
import { monthlyDollars } from "../../../../infra/local/simulate/command.ts";
import { MEASURED, shardsFor, simulate } from "../../../../infra/local/simulate/model.ts";
import { MONTH_SECONDS } from "../../../../infra/prices.ts";
import { runHere } from "../../../kit/command.ts";
import { generate } from "../../../kit/generate.ts";

const seed = 3;

describe("the simulation", () => {
  it("counts within two seconds wherever shards are enough, from ten events a second to a million", () => {
    for (const eventsPerSecond of [10, 1_000, 100_000, 1_000_000]) {
      const { freshness, throttled } = simulate({ eventsPerSecond, seed });
      expect(freshness.p99, `${eventsPerSecond} events/s`).toBeLessThan(2_000);
      expect(throttled).toBeLessThan(0.001);
    }
  });

  it("shows what too few shards do: refused requests, and words that say so", () => {
    const { throttled, limits } = simulate({ eventsPerSecond: 5_000, shards: 2, seed });
    expect(throttled).toBeCloseTo(1 - 2_000 / (5_000 / MEASURED.eventsPerRequest), 1);
    expect(limits.join()).toContain("add shards");
  });

  it("falls behind when counting takes longer than clicks come", () => {
    const slow = simulate({ eventsPerSecond: 800, shards: 1, seed }, { ...MEASURED, eventMs: 1.5 });
    expect(slow.busy).toBeGreaterThan(0.9);
    expect(slow.freshness.p99).toBeGreaterThan(10_000);
  });

  it("needs shards in proportion to the load, and costs grow no faster", () => {
    const [small, large] = [1_000, 1_000_000].map((eventsPerSecond) => simulate({ eventsPerSecond, seed }));
    expect(shardsFor(1_000_000, MEASURED) / shardsFor(100_000, MEASURED)).toBeCloseTo(10, 0);
    expect(monthlyDollars(large!) / monthlyDollars(small!)).toBeLessThan(1_050);
  });

  it("splits every shard: clicks wait until the parents are counted and the halves are open, and none is refused", () => {
    const load = { eventsPerSecond: 2_000, shards: 2, seed };
    const [calm, split] = [simulate(load), simulate({ ...load, splitAt: 20 })];
    expect(calm.freshness.worst).toBeLessThan(2_500);
    expect(split.freshness.worst).toBeGreaterThan(MEASURED.openShardMs);
    expect(split.freshness.worst).toBeLessThan(MEASURED.openShardMs + 4_000);
    expect(split.freshness.p50).toBeLessThan(1_000);
    expect(split.throttled).toBeLessThan(0.01);
    // Two halves carry what one shard would have to refuse.
    const full = { eventsPerSecond: 3_000, shards: 2, seed };
    expect(simulate({ ...full, splitAt: 5 }).throttled).toBeLessThan(simulate(full).throttled / 3);
  });

  it("splits in the very first second as well, and what it says of such a month are numbers", () => {
    const split = simulate({ eventsPerSecond: 100, splitAt: 0, seed });
    expect(split.busy).toBeGreaterThan(0);
    expect(monthlyDollars(split)).toBeGreaterThan(0);
  });

  it("is the same for the same seed", () => {
    expect(simulate({ eventsPerSecond: 100, seed })).toEqual(simulate({ eventsPerSecond: 100, seed }));
  });

  it("agrees at its small end with the real consumer on a recorded stream", async () => {
    const from = Date.UTC(2026, 10, 20);
    const lines = [
      ...generate({
        seed: 5,
        from,
        to: from + 3_600_000,
        events: 2_000,
        duplicates: 0,
        bots: 0,
        late: 0,
        skewed: 0,
      }),
    ];
    const usage = await measure(lines, { viewsPerMonth: 60_000_000, shards: 1 });
    const requestsPerSecond = usage.requests / usage.seconds;
    const simulated = simulate({
      eventsPerSecond: requestsPerSecond * MEASURED.eventsPerRequest,
      shards: 1,
      seconds: Math.ceil(usage.seconds),
      seed,
    });
    expect(usage.seconds).toBeLessThan(MONTH_SECONDS);
    const ratio = (a: number, b: number): number => a / b;
    expect(
      ratio(simulated.invocationsPerSecond, usage.aggregate.invocations / usage.seconds),
    ).toBeGreaterThan(0.7);
    expect(ratio(simulated.invocationsPerSecond, usage.aggregate.invocations / usage.seconds)).toBeLessThan(
      1.4,
    );
    const writes = usage.aggregate.units.writes / usage.seconds;
    expect(ratio(simulated.writeUnitsPerSecond, writes)).toBeGreaterThan(0.6);
    expect(ratio(simulated.writeUnitsPerSecond, writes)).toBeLessThan(1.6);
  });
});

it("refuses to split in a second that its minute does not have, in place of doing nothing", async () => {
  const { code, output } = await runHere(["simulate", "--rps", "10", "--split-at", "60"]);
  expect([code, output.includes("a second of the minute, 0 to 59")]).toEqual([1, true]);
});
