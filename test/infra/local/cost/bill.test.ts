import { describe, expect, it } from "vitest";
import { ASSUMED, bill, renderBill } from "../../../../infra/local/cost/bill.ts";
import { measure } from "../../../../infra/local/cost/measure.ts";
import { MONTH_SECONDS, PRICES } from "../../../../infra/prices.ts";
import { PAGEVIEW } from "../../../../processors/model/event.ts";
import { generate } from "../../../kit/generate.ts";

const from = Date.UTC(2026, 10, 20);
const lines = [...generate({ seed: 11, from, to: from + 3_600_000, events: 600, duplicates: 0, bots: 0 })];
const at = (viewsPerMonth: number) => measure(lines, { viewsPerMonth, shards: 1 });

describe("the cost of a stream", () => {
  it("counts every request and put of the recording, and its page views", async () => {
    const usage = await at(30_000_000);
    const views = lines
      .map(
        ({ envelope }) =>
          JSON.parse(Buffer.from(envelope.body64, "base64").toString()) as { e?: { n: string }[] },
      )
      .flatMap(({ e = [] }) => e)
      .filter(({ n }) => n === PAGEVIEW).length;
    expect(usage).toMatchObject({ requests: lines.length, putUnits: lines.length, pageviews: views });
    expect(usage.seconds).toBeCloseTo((views / 30_000_000) * MONTH_SECONDS);
    expect(usage.aggregate.units.writes).toBeGreaterThan(usage.aggregate.invocations);
  });

  it("has fewer invocations and writes a view where many views share a second", async () => {
    const [slow, fast] = [await at(1_000_000), await at(100_000_000)];
    expect(fast.aggregate.invocations).toBeLessThan(slow.aggregate.invocations / 5);
    expect(fast.aggregate.units.writes).toBeLessThan(slow.aggregate.units.writes / 2);
  });

  it("adds up its lines, and grows with views but for what is due anyway", async () => {
    const usage = await at(10_000_000);
    const [one, ten] = [bill(usage, 10_000_000), bill(usage, 100_000_000)];
    expect(one.lines.reduce((sum, { dollars }) => sum + dollars, 0)).toBeCloseTo(one.dollars);
    expect(ten.dollars).toBeGreaterThan(one.dollars * 5);
    expect(ten.perMillionViews).toBeLessThan(one.perMillionViews);
    const requests = one.lines.find(({ what }) => what === "API Gateway, clicks")!;
    expect(requests.quantity).toBeCloseTo((lines.length / usage.pageviews) * 10_000_000, 0);
    expect(requests.dollars).toBeCloseTo(requests.quantity * PRICES.apiRequest);
    expect(bill(usage, 10_000_000, { ...ASSUMED, shards: 3 }).fixed - one.fixed).toBeCloseTo(
      2 * 730 * PRICES.shardHour,
    );
  });

  it("leaves out what is deployed without: CloudFront before the clicks, and a trace of each batch", async () => {
    const usage = await at(10_000_000);
    const priced = (assumed = ASSUMED) =>
      new Map(bill(usage, 10_000_000, assumed).lines.map((one) => [one.what, one]));
    const [usual, lean] = [priced(), priced({ ...ASSUMED, direct: true, tracing: "clicks" })];
    expect([...usual.keys()].filter((what) => !lean.has(what))).toEqual([
      "CloudFront, clicks",
      "X-Ray, counting",
    ]);
    // Fewer than one batch a second: Lambda records every one.
    const traces = usual.get("X-Ray, counting")!.quantity;
    expect(traces).toBeCloseTo(usual.get("Lambda, counting: invocations")!.quantity, 3);
  });

  it("says what it assumed", async () => {
    const text = renderBill(bill(await at(10_000_000), 10_000_000), ASSUMED);
    for (const name of Object.keys(ASSUMED)) expect(text).toContain(name);
  });

  it("refuses a recording that holds no page view", async () => {
    await expect(measure([], { viewsPerMonth: 1, shards: 1 })).rejects.toThrow("no page view");
  });
});
