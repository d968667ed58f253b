/** Totals of other products: each number is what the table says, once, whatever is imported again. */
import { describe, expect, it } from "vitest";
import { keyedHash } from "../../../../processors/crypto.ts";
import { DAY_MS } from "../../../../processors/model/time.ts";
import { ShardWorker } from "../../../../processors/pipeline/aggregate.ts";
import { compactAll } from "../../../../processors/pipeline/compact.ts";
import { hoursOfTotals, importTotals } from "../../../../processors/pipeline/import/totals.ts";
import { isTotals, totalsTable } from "../../../../processors/pipeline/import/totalstable.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { rebuild } from "../../../../processors/pipeline/rebuild/rebuild.ts";
import { Reconciler } from "../../../../processors/pipeline/reconcile.ts";
import { keepSite, registerSites } from "../../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import type { Store } from "../../../../processors/stores/store.ts";
import { memoryStream } from "../../../../processors/streams/memory.ts";
import { manualClock } from "../../../kit/clock.ts";
import { generate } from "../../../kit/generate.ts";
import { recordsOf } from "../rig.ts";

const SITE = { id: "example.com", timeZone: "America/New_York" };
const NOW = Date.UTC(2026, 2, 20, 12);

const VISITORS = `"date","visitors","pageviews","bounces","visits","visit_duration"
"2025-12-30",119,304,77,134,21070
"2025-12-31",1,2,0,1,30
"2026-01-01",3000,8000,1000,3500,70000
"2026-03-20",5,5,5,5,5
`;
const PAGES = `date,hostname,page,visits,visitors,pageviews,total_scroll_depth,total_scroll_depth_visits,total_time_on_page,total_time_on_page_visits
2025-12-30,example.com,/,100,90,200,5000,100,1200,80
2025-12-30,www.example.com,/,10,9,20,0,0,0,0
2025-12-30,example.com,/a,30,29,84,900,20,300,20
`;
const SOURCES = `date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term,pageviews,visitors,visits,visit_duration,bounces
2025-12-30,,,,,,,,204,70,84,11070,47
2025-12-30,Google,google.com,,,spring,,,100,49,50,10000,30
`;
const EXITS = "date,exit_page,visitors,visit_duration,exits,bounces,pageviews\n2025-12-30,/a,40,0,44,0,50\n";
const EVENTS = "date,name,link_url,path,visitors,events\n2025-12-30,signup,,,7,9\n";
const GA4 = `# ----------------------------------------
# Example - Free form 1
# 20251230-20251231
# ----------------------------------------

Date,Country,Active users,Sessions,Engaged sessions,Average session duration,Views
20251230,United States,10,12,9,61.5,30
20251231,(not set),1,1,1,2.0,2
`;

async function bench() {
  const clock = manualClock(NOW);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [SITE]);
  const engine = new QueryEngine({ store, clock, lagMs: async () => 0 });
  const settle = async (): Promise<void> => {
    await compactAll({ store, clock });
  };
  return {
    clock,
    store,
    settle,
    async take(text: string) {
      const report = await importTotals({ store, clock }, SITE, totalsTable("table.csv", text));
      await settle();
      return report;
    },
    async ask(metrics: string[], dimensions: string[] = [], range = ["2025-12-30", "2025-12-30"]) {
      const { results } = await engine.query({ site_id: SITE.id, metrics, dimensions, date_range: range });
      return Object.fromEntries(results.map((row) => [row.dimensions.join(), row.metrics]));
    },
    /** Events of two hours on a day of the past, counted as if they had come then. */
    async countEvents(at: number) {
      const lines = [...generate({ seed: 3, from: at, to: at + 7_200_000, events: 30, sites: [SITE.id] })];
      const stream = memoryStream({ clock, shards: 1 });
      const deps = {
        store,
        clock,
        hash: keyedHash,
        randomBytes: (n: number) => new Uint8Array(n),
        country: () => "",
      };
      const [shard] = await stream.shards();
      await new ShardWorker(deps, shard!).process(recordsOf(lines));
      await settle();
    },
  };
}

describe("totals of a day", () => {
  it("are what the table says, in total and by value, and add up over days", async () => {
    const { take, ask } = await bench();
    for (const table of [VISITORS, PAGES, SOURCES, EXITS, EVENTS]) await take(table);
    const all = ["visitors", "visits", "pageviews", "bounce_rate", "visit_duration", "events"];
    expect(await ask(all)).toEqual({ "": [119, 134, 304, 57, 157, 313] });
    expect(await ask(["visitors", "pageviews", "time_on_page", "scroll_depth"], ["event:page"])).toEqual({
      "/": [99, 220, 15, 50],
      "/a": [29, 84, 15, 45],
    });
    expect(await ask(["visitors", "visits"], ["visit:source"])).toEqual({
      "Direct / None": [70, 84],
      Google: [49, 50],
    });
    expect(await ask(["visits"], ["visit:utm_campaign"])).toEqual({ spring: [50] });
    expect(await ask(["visitors", "visits"], ["visit:exit_page"])).toEqual({ "/a": [40, 44] });
    expect(await ask(["visitors", "events"], ["event:goal"])).toEqual({ signup: [7, 9] });
    expect(await ask(["visitors", "pageviews"], [], ["2025-12-30", "2025-12-31"])).toEqual({
      "": [120, 306],
    });
  });

  it("have as many visitors as the table says, within the stated error beyond 1,024", async () => {
    const { take, ask } = await bench();
    await take(VISITORS);
    const [visitors] = (await ask(["visitors"], [], ["2026-01-01", "2026-01-01"]))[""] as [number];
    expect(Math.abs(visitors - 3_000)).toBeLessThan(3_000 * 0.05);
  });

  it("come from explorations of GA4 too, with countries by their names", async () => {
    const { take, ask } = await bench();
    const report = await take(GA4);
    expect(report).toMatchObject({ rows: 2, counted: 2, bad: [], days: { counted: 2 } });
    expect(await ask(["visitors", "visits", "bounce_rate", "visit_duration"], ["visit:country"])).toEqual({
      US: [10, 12, 25, 62],
    });
  });
});

describe("a table of totals", () => {
  it("leaves days alone that the site does not keep, and says how many", async () => {
    const { store, clock } = await bench();
    const site = await keepSite(store, clock, SITE.id, { hours: 78 });
    const { days } = await importTotals({ store, clock }, site!, totalsTable("table.csv", VISITORS));
    expect(days).toEqual({ counted: 1, known: 0, taken: 0, open: 1, unkept: 2 });
  });

  it("counts no reports of engaged time among the events, where Plausible exports them", async () => {
    const { take, ask } = await bench();
    await take(`${EVENTS}2025-12-30,engagement,,,60,300\n`);
    expect(await ask(["events"])).toEqual({ "": [9] });
    expect(await ask(["events"], ["event:goal"])).toEqual({ signup: [9] });
  });

  it("counts each of its days once, also in a later export that has more of them", async () => {
    const { take, ask } = await bench();
    const first = VISITORS.split("\n").slice(0, 2).join("\n");
    expect((await take(first)).days).toEqual({ counted: 1, known: 0, taken: 0, open: 0, unkept: 0 });
    expect((await take(VISITORS)).days).toEqual({ counted: 2, known: 1, taken: 0, open: 1, unkept: 0 });
    expect((await take(VISITORS)).days).toEqual({ counted: 0, known: 3, taken: 0, open: 1, unkept: 0 });
    expect(await ask(["pageviews"], [], ["2025-12-01", "2026-03-20"])).toEqual({ "": [8306] });
  });

  it("counts each of its days once where two import it at once: the slower one is told", async () => {
    const { take, ask, store, clock } = await bench();
    let faster: Promise<unknown> | undefined;
    const slow: Store = {
      ...store,
      async list(pk, range) {
        // It knows by now which days were counted.
        if (pk.startsWith("hour/")) faster ??= take(VISITORS);
        await faster;
        return store.list(pk, range);
      },
    };
    const slower = importTotals({ store: slow, clock }, SITE, totalsTable("table.csv", VISITORS));
    await expect(slower).rejects.toMatchObject({ code: "unavailable" });
    expect((await take(VISITORS)).days).toMatchObject({ counted: 0, known: 3 });
    expect(await ask(["pageviews"], [], ["2025-12-01", "2026-03-20"])).toEqual({ "": [8306] });
  });

  it("is of its own site, not of another whose id begins alike", async () => {
    const { store, clock } = await bench();
    const blog = { id: `${SITE.id}/blog`, timeZone: "UTC" };
    for (const text of [VISITORS, PAGES]) await importTotals({ store, clock }, blog, totalsTable("t", text));
    expect((await hoursOfTotals(store, blog.id)).size).toBe(3);
    expect(await hoursOfTotals(store, SITE.id)).toEqual(new Set());
  });

  it("leaves days alone of which events are counted", async () => {
    const { take, ask, countEvents } = await bench();
    await countEvents(Date.UTC(2025, 11, 30, 15));
    const before = await ask(["visitors", "pageviews"]);
    expect((await take(VISITORS)).days).toMatchObject({ counted: 2, taken: 1 });
    expect(await ask(["visitors", "pageviews"])).toEqual(before);
  });

  it("survives a rebuild, troubles no recount and holds up no answer", async () => {
    const { take, ask, countEvents, store, clock } = await bench();
    await countEvents(Date.UTC(2025, 11, 28, 15));
    await take(VISITORS);
    const before = await ask(["visitors", "visits", "pageviews"]);
    const archive = { read: async function* () {} };
    await rebuild({ store, clock, archive }, { site: SITE.id, archivedSince: NOW - 365 * DAY_MS });
    expect(await ask(["visitors", "visits", "pageviews"])).toEqual(before);
    const reconciler = new Reconciler({ store, stream: memoryStream({ clock, shards: 1 }), clock });
    await reconciler.open();
    await reconciler.run();
    expect(reconciler.totals()).toMatchObject({ difference: 0, windows: 0 });
    clock.advance(5 * DAY_MS);
    const { meta } = await new QueryEngine({ store, clock, lagMs: async () => 0 }).query({
      site_id: SITE.id,
      metrics: ["visits"],
      date_range: "7d",
    });
    expect(meta.complete_until).toBe(clock.now() - 60_000);
  });

  it.each([
    ["date,visitors,mood\n2026-01-01,1,2\n", /mood are not known/],
    ["date,browser,visitors,visits\n2026-01-01,Firefox,1,2\n", /how many bounced/],
  ])("is refused where it cannot be counted: %j", (text, message) => {
    expect(() => totalsTable("table.csv", text)).toThrow(message);
  });

  it("names its bad rows and counts the others", async () => {
    const { take, ask } = await bench();
    const { bad, counted } = await take(
      "date,visitors,pageviews\nnever,1,2\n2025-12-30,-1,2\n2025-12-30,2,3\n2025-12-30,1e99,3\n2025-02-30,1,1\n2025-12-30,9\n",
    );
    expect(bad.map(({ line }) => line)).toEqual([2, 3, 5, 6, 7]);
    expect(counted).toBe(1);
    expect(await ask(["visitors", "pageviews"])).toEqual({ "": [2, 3] });
  });
});

it.each([
  [VISITORS, true],
  [GA4, true],
  ["timestamp,url\n2026-01-01T00:00:00Z,https://example.com/\n", false],
  ["date,url\n2026-01-01 10:00:00,https://example.com/\n", false],
])("tells totals from events by the header: %j", (head, expected) => {
  expect(isTotals(head)).toBe(expected);
});
