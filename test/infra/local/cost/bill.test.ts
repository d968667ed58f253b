/** What `rivulet cost` measures of a recording, and the bill that it makes of it. */
import { beforeAll, describe, expect, it } from "vitest";
import { ASSUMED, bill, renderBill } from "../../../../infra/local/cost/bill.ts";
import { measure } from "../../../../infra/local/cost/measure.ts";
import { ALWAYS_FREE, MONTH_SECONDS, PRICES } from "../../../../infra/prices.ts";
import { PAGEVIEW } from "../../../../processors/model/event.ts";
import { runHere } from "../../../kit/command.ts";
import { generate } from "../../../kit/generate.ts";

const from = Date.UTC(2026, 10, 20);
const lines = [...generate({ seed: 11, from, to: from + 3_600_000, events: 600, duplicates: 0, bots: 0 })];
const at = (viewsPerMonth: number) => measure(lines, { viewsPerMonth, shards: 1 });
/** A day as `rivulet cost` makes one up, only shorter. */
const day = [...generate({ seed: 1, from, to: from + 86_400_000, events: 1_500, handsOver: 0.75 })];
let tenMillion: ReturnType<typeof measure>;
beforeAll(() => {
  tenMillion = measure(day, { viewsPerMonth: 10_000_000, shards: 1 });
});

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

  it("is that of one month's page views, however many further months the recording would fill", async () => {
    const usage = await at(1);
    expect(usage).toMatchObject({ pageviews: 1, seconds: MONTH_SECONDS });
    expect(usage.compact.invocations).toBeCloseTo(MONTH_SECONDS / 60, -1);
  });

  it("has fewer invocations and writes a view where many views share a second", async () => {
    const [slow, fast] = [await at(1_000_000), await at(100_000_000)];
    expect(fast.aggregate.invocations).toBeLessThan(slow.aggregate.invocations / 5);
    expect(fast.aggregate.units.writes).toBeLessThan(slow.aggregate.units.writes / 2);
  });

  it("has every commit deleted that was written, though the recording ends before its hour is over", async () => {
    const { aggregate, compact, seconds } = await tenMillion;
    expect(seconds).toBeLessThan(3_600);
    // A commit takes a unit at least, to write and to delete; rollups alone take a third of that.
    expect(compact.units.writes).toBeGreaterThan(aggregate.invocations);
  });

  it("adds up its lines, and grows with views but for what is due anyway", async () => {
    const usage = await tenMillion;
    const [one, ten] = [bill(usage, 10_000_000), bill(usage, 100_000_000)];
    expect(one.lines.reduce((sum, { dollars }) => sum + dollars, 0)).toBeCloseTo(one.dollars);
    expect(ten.dollars).toBeGreaterThan(one.dollars * 5);
    expect(ten.perMillionViews).toBeLessThan(one.perMillionViews);
    const requests = one.lines.find(({ what }) => what === "API Gateway, clicks")!;
    expect(requests.quantity).toBeCloseTo((day.length / usage.pageviews) * 10_000_000, 0);
    expect(requests.dollars).toBeCloseTo(requests.quantity * PRICES.apiRequest);
    expect(bill(usage, 10_000_000, { ...ASSUMED, shards: 3 }).fixed - one.fixed).toBeCloseTo(
      2 * 730 * PRICES.shardHour,
    );
  });

  it("has what is deployed besides: CloudFront before the clicks, and a trace of each batch", async () => {
    const usage = await tenMillion;
    const priced = (assumed = ASSUMED) =>
      new Map(bill(usage, 10_000_000, assumed).lines.map((one) => [one.what, one]));
    const [usual, more] = [priced(), priced({ ...ASSUMED, direct: false, tracing: "all" })];
    expect([...more.keys()].filter((what) => !usual.has(what))).toEqual([
      "CloudFront, clicks",
      "CloudFront, data out",
      "X-Ray, counting",
    ]);
    // Fewer than one batch a second: Lambda records every one.
    const traces = more.get("X-Ray, counting")!.quantity;
    expect(traces).toBeCloseTo(more.get("Lambda, counting: invocations")!.quantity, 3);
  });

  it("takes off what every account has without charge, once for all lines that share it", async () => {
    const usage = await tenMillion;
    const { lines, dollars, free, due, perMillionViews } = bill(usage, 10_000_000);
    const used = Object.entries(ALWAYS_FREE).map(([name, allowed]) => {
      const those = lines.filter(({ allowance }) => allowance === name);
      const quantity = those.reduce((sum, one) => sum + one.quantity, 0);
      return { quantity, allowed, price: those[0] ? those[0].dollars / those[0].quantity : 0 };
    });
    expect(free).toBeCloseTo(
      used.reduce((sum, { quantity, allowed, price }) => sum + Math.min(quantity, allowed) * price, 0),
    );
    expect(used.some(({ quantity, allowed }) => quantity > allowed)).toBe(true);
    expect(used.some(({ quantity, allowed }) => quantity > 0 && quantity < allowed)).toBe(true);
    expect(due).toBeCloseTo(dollars - free);
    expect(perMillionViews).toBeCloseTo(due / 10);
  });

  it("counts a load of the collector for each sender who has none of the last hour", async () => {
    const calm = { late: 0, duplicates: 0, bots: 0, handsOver: 1, visitors: 3, skewed: 0 };
    const visits = [...generate({ seed: 2, from, to: from + 1_800_000, events: 60, ...calm })];
    const senders = new Set(visits.map(({ envelope }) => envelope.ip + envelope.ua64));
    const later = visits.map((line) => ({ ...line, arrival: line.arrival + 7_200_000 }));
    const loads = async (of: typeof visits) =>
      (await measure(of, { viewsPerMonth: 1e8, shards: 1 })).collectorLoads;
    expect(await loads(visits)).toBe(senders.size);
    expect(await loads([...visits, ...later])).toBe(senders.size * 2);
  });

  it("is at most eight dollars for a million views, as deployed by default, at ten million a month", async () => {
    const usage = await tenMillion;
    expect(usage.requests / usage.pageviews).toBeLessThan(1.75);
    expect(bill(usage, 10_000_000).perMillionViews).toBeLessThan(8);
  });

  it("says what it assumed", async () => {
    const text = renderBill(bill(await tenMillion, 10_000_000), ASSUMED);
    for (const name of Object.keys(ASSUMED)) expect(text).toContain(name);
  });

  it("counts nothing for a name that no site can have, as the server refuses it", async () => {
    const body = JSON.stringify({ s: "no site!", e: [{ n: "pageview", u: "https://shop.example/" }] });
    const odd = { ...lines[0]!.envelope, body64: Buffer.from(body).toString("base64") };
    const beside = [...lines, { ...lines[0]!, envelope: odd }];
    const [usage, plain] = [await measure(beside, { viewsPerMonth: 1e6, shards: 1 }), await at(1e6)];
    expect([usage.pageviews, usage.requests]).toEqual([plain.pageviews, plain.requests + 1]);
  });

  it.each([
    ["--shards", "1.5"],
    ["--shards", "1e9"],
    ["--dashboard-hours", ""],
  ])("refuses %s %j in a line that names it", async (flag, value) => {
    const { code, output } = await runHere(["cost", flag, value]);
    expect([code, output]).toEqual([1, expect.stringContaining(`option '${flag} <number>' argument`)]);
  });

  it("refuses a recording that holds no page view, in one line", async () => {
    const { code, output } = await runHere(["cost", "/dev/null"]);
    expect([code, output]).toEqual([1, "rivulet: the recording holds no page view\n"]);
  });
});
