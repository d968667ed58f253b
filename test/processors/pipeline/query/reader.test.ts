/** What a reader keeps: it reads each item once and then nothing but new commits, and is right all the same. */
import { expect, it } from "vitest";
import { beginEdition } from "../../../../processors/pipeline/editions.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { partition } from "../../../../processors/pipeline/rollups.ts";
import type { Store } from "../../../../processors/stores/store.ts";
import { DAY, HOUR, MINUTE, NOON, post, SITE, view } from "../lines.ts";
import { compactAll, recordsOf, rig } from "../rig.ts";

const WEEK = { site_id: SITE, metrics: ["visitors", "pageviews"], date_range: "7d" };
const PAGES = { ...WEEK, dimensions: ["event:page"] };
const DAYS = { ...WEEK, dimensions: ["time:day"] };

/** The store, and the partitions of rollup items that are read through it. */
function watched(store: Store): { store: Store; reads: string[] } {
  const reads: string[] = [];
  const note = (pk: string): void => {
    if (/^(minute|hour|day|month)\//.test(pk)) reads.push(pk);
  };
  const watching: Store = {
    ...store,
    get(key) {
      note(key.pk);
      return store.get(key);
    },
    list(pk, range) {
      note(pk);
      return store.list(pk, range);
    },
  };
  return { store: watching, reads };
}

/** Views of one visitor each on `paths`, with `days` days between two; all but the last day are derived. */
async function history(paths: readonly string[]) {
  const r = await rig({ start: NOON - paths.length * DAY });
  let next = 8;
  /** One commit for each. */
  const visit = async (...visited: readonly string[]): Promise<void> => {
    const worker = r.worker();
    for (const path of visited) {
      const line = post({ at: r.clock.now(), ip: `192.0.2.${next % 250}`, e: [view(path)] });
      await worker.process(recordsOf([line], next++));
    }
  };
  for (const path of paths) {
    await visit(path);
    r.clock.advance(DAY);
    await compactAll(r.store, r.clock);
  }
  return { ...r, visit };
}

it("a warm reader reads no item again, whatever is counted and compacted meanwhile", async () => {
  const { store, clock, visit } = await history(["/a", "/b", "/a"]);
  const { store: watching, reads } = watched(store);
  const warm = new QueryEngine({ store: watching, clock, lagMs: async () => 0 });
  for (const question of [WEEK, PAGES, DAYS]) await warm.query(question);
  expect(reads.length).toBeGreaterThan(0);
  reads.length = 0;
  for (let round = 0; round < 40; round++) {
    await visit(`/${round % 3}`);
    if (round % 4 === 3) await compactAll(store, clock);
    clock.advance(MINUTE / 10);
    const cold = new QueryEngine({ store, clock, lagMs: async () => 0 });
    for (const question of [WEEK, PAGES, DAYS])
      expect((await warm.query(question)).results).toEqual((await cold.query(question)).results);
  }
  expect(reads).toEqual([]);
});

it("commits that a reader slept through are in its next answer, compacted or not", async () => {
  const { store, clock, visit } = await history(["/a"]);
  const warm = new QueryEngine({ store, clock, lagMs: async () => 0 });
  await warm.query(PAGES);
  // More than are kept beside an item.
  await visit(...Array.from({ length: 300 }, (_, i) => `/${i % 7}`));
  await compactAll(store, clock);
  await visit("/last");
  const cold = new QueryEngine({ store, clock, lagMs: async () => 0 });
  expect((await warm.query(PAGES)).results).toEqual((await cold.query(PAGES)).results);
  expect((await warm.query(WEEK)).results[0]?.metrics[1]).toBe(302);
});

it("a day that was kept and then changed is read by its hours when another table of it is wanted", async () => {
  const { store, clock, worker, visit } = await history(["/a", "/b"]);
  const warm = new QueryEngine({ store, clock, lagMs: async () => 0 });
  await warm.query(WEEK);
  const late = [post({ at: clock.now() - 2 * DAY + HOUR, ip: "192.0.2.200", e: [view("/late")] })];
  const [line] = late.map((one) => ({ ...one, arrival: clock.now() }));
  await worker().process(recordsOf([line!], 100));
  await visit("/now");
  await compactAll(store, clock);
  const cold = new QueryEngine({ store, clock, lagMs: async () => 0 });
  for (const question of [PAGES, WEEK, DAYS])
    expect((await warm.query(question)).results).toEqual((await cold.query(question)).results);
});

it("what comes late for a day without anything is in every table at once, before it is compacted", async () => {
  const { store, clock } = await history(["/a"]);
  clock.advance(4 * DAY);
  await compactAll(store, clock);
  const late = post({ at: clock.now(), ip: "192.0.2.99", e: [view("/late", clock.now() - 2 * DAY)] });
  await (await rig()).worker(undefined, store, clock).process(recordsOf([late], 100));
  const warm = new QueryEngine({ store, clock, lagMs: async () => 0 });
  for (const question of [WEEK, PAGES, DAYS]) {
    const { results } = await warm.query({ ...question, metrics: ["pageviews"] });
    const sum = results.reduce((total, { metrics }) => total + Number(metrics[0]), 0);
    expect([question, sum]).toEqual([question, 2]);
  }
});

it("a range that begins long before the site costs no more than one that begins with it", async () => {
  const { store, clock } = await history(["/a", "/b"]);
  const readsOf = async (first: string): Promise<number> => {
    const { store: watching, reads } = watched(store);
    const engine = new QueryEngine({ store: watching, clock, lagMs: async () => 0 });
    const { results } = await engine.query({ ...WEEK, date_range: [first, "2026-01-15"] });
    expect(results[0]?.metrics).toEqual([2, 2]);
    return reads.length;
  };
  expect((await readsOf("1970-01-02")) - (await readsOf("2026-01-01"))).toBeLessThan(10);
});

it("items are read again when an edition begins: whoever makes it may replace them", async () => {
  const { store, clock } = await history(["/a", "/b"]);
  const warm = new QueryEngine({ store, clock, lagMs: async () => 0 });
  expect((await warm.query(WEEK)).results[0]?.metrics[1]).toBe(2);
  for (const granularity of ["hour", "day"] as const) {
    const [first] = await store.list(partition(granularity, SITE));
    await store.delete([first!]);
  }
  expect((await warm.query(WEEK)).results[0]?.metrics[1]).toBe(2);
  await beginEdition(store, clock, SITE, {});
  expect((await warm.query(WEEK)).results[0]?.metrics[1]).toBe(1);
});

it("others have their turn while many days are read, and the live strip has its answer meanwhile", async () => {
  const { store, clock } = await history(Array.from({ length: 12 }, (_, i) => `/${i % 3}`));
  let turns = 0;
  const engine: QueryEngine = new QueryEngine({
    store,
    clock,
    lagMs: async () => 0,
    pause: async () => {
      turns++;
      expect((await engine.live(SITE)).has_events).toBe(true);
    },
  });
  const month = { ...PAGES, date_range: "28d" };
  expect((await engine.query(month)).results).toHaveLength(3);
  expect(turns).toBeGreaterThan(2);
  turns = 0;
  await engine.query(month);
  expect(turns).toBe(0);
});

it("many shards are read as a few are: every event is counted, and the feed has the newest of all", async () => {
  const SHARDS = 40;
  const { store, clock, worker, engine } = await rig();
  /** One more view on each shard, the later the higher its number. */
  const visit = async (round: number): Promise<void> => {
    for (let i = 0; i < SHARDS; i++) {
      clock.advance(100);
      const line = post({ at: clock.now(), ip: `192.0.2.${i}`, e: [view(`/${round}/${i}`)] });
      await worker({ id: `shard-${i}`, parents: [] }).process(recordsOf([line], 8 + round));
    }
  };
  const newest = (round: number): string[] =>
    Array.from({ length: 20 }, (_, i) => `/${round}/${SHARDS - 1 - i}`);
  const pageviews = async (of: QueryEngine) =>
    (await of.query({ site_id: SITE, metrics: ["pageviews"], date_range: "day" })).results[0]?.metrics;

  await visit(1);
  await compactAll(store, clock);
  const warm = engine();
  expect((await warm.live(SITE)).latest.map(({ page }) => page)).toEqual(newest(1));
  await visit(2);
  for (const reader of [warm, engine()]) {
    expect((await reader.live(SITE)).latest.map(({ page }) => page)).toEqual(newest(2));
    expect(await pageviews(reader)).toEqual([2 * SHARDS]);
  }
});

it("a question whose asker is gone when its turn comes is not read, and the next one is", async () => {
  const { store, clock } = await history(["/a", "/b"]);
  const { store: watching, reads } = watched(store);
  const engine = new QueryEngine({ store: watching, clock, lagMs: async () => 0 });
  const gone = AbortSignal.abort(new Error("gone"));
  await expect(engine.query(PAGES, gone)).rejects.toThrow("gone");
  expect(reads).toEqual([]);
  expect((await engine.query(PAGES, new AbortController().signal)).results).toHaveLength(2);
});

it("a question whose asker goes while it is read is given up, and what was read by then serves the next one", async () => {
  const { store, clock } = await history(["/a", "/b", "/c", "/d"]);
  const leaves = new AbortController();
  let reads = 0;
  const leaving: Store = {
    ...store,
    async getMany(keys) {
      if (++reads === 2) leaves.abort(new Error("gone"));
      return store.getMany(keys);
    },
    async list(pk, range) {
      if (/^(day|hour)\//.test(pk) && ++reads === 2) leaves.abort(new Error("gone"));
      return store.list(pk, range);
    },
  };
  const engine = new QueryEngine({ store: leaving, clock, lagMs: async () => 0 });
  await expect(engine.query(PAGES, leaves.signal)).rejects.toThrow("gone");
  expect(reads).toBeGreaterThanOrEqual(2);
  const cold = new QueryEngine({ store, clock, lagMs: async () => 0 });
  expect((await engine.query(PAGES)).results).toEqual((await cold.query(PAGES)).results);
});

it("refuses tables of more rows than memory should hold, and answers what has fewer", async () => {
  const { store, clock } = await history(["/a", "/b", "/c", "/d"]);
  const engine = new QueryEngine({ store, clock, lagMs: async () => 0, maxRows: 3 });
  const byDay = { ...PAGES, dimensions: ["time:day", "event:page"], pagination: { limit: 1 } };
  const refused = /^dimensions: these give more than 3 rows/;
  await expect(engine.query(byDay)).rejects.toThrow(refused);
  await expect(engine.query({ ...byDay, dimensions: ["time:hour", "event:page"] })).rejects.toThrow(refused);
  const some = { ...byDay, filters: [["is", "event:page", ["/a", "/b", "/c"]]] };
  expect((await engine.query(some)).results).toHaveLength(1);
  // The same when they are in memory already.
  await expect(engine.query(byDay)).rejects.toThrow(refused);
});

it("all of a site's time begins where the earliest commit does, compacted or not", async () => {
  const { clock, store, worker, engine } = await rig();
  await worker().process(recordsOf([post({ at: NOON, e: [view("/")] })], 8));
  await compactAll(store, clock);
  const late = view("/late", NOON - 3 * DAY);
  await worker().process(recordsOf([post({ at: NOON, ip: "192.0.2.9", e: [late] })], 9));
  const all = { ...WEEK, date_range: "all" };
  const before = await engine().query(all);
  expect(before.results).toEqual([{ metrics: [2, 2], dimensions: [] }]);
  await compactAll(store, clock);
  expect(await engine().query(all)).toMatchObject({ results: before.results, query: before.query });
});
