/** The recount must agree with the live numbers whatever the schedule, and must not agree once somebody has tampered with them. */
import { describe, expect, it } from "vitest";
import { keyedHash } from "../../../processors/crypto.ts";
import { ClickstreamError } from "../../../processors/errors.ts";
import type { Rollup } from "../../../processors/model/rollup.ts";
import { partitionKeyOf, type StreamLine } from "../../../processors/model/streamfile.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { encodeCommit, readLog } from "../../../processors/pipeline/commit.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { PartialFold } from "../../../processors/pipeline/partial.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { Reconciler } from "../../../processors/pipeline/reconcile.ts";
import { decodeItem } from "../../../processors/pipeline/rollups.ts";
import { EVENTS, PAGEVIEWS } from "../../../processors/pipeline/rows.ts";
import { registerSites, removeSite } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import { crashingStore } from "../../kit/crash.ts";
import { generate } from "../../kit/generate.ts";
import { Random } from "../../kit/random.ts";
import { post, view } from "./lines.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_103);
const MINUTE = 60_000;
const SITES = ["shop", "blog"];

/** A stream, a store and their workers, moved on by hand. */
async function world(shards = 1) {
  const from = Date.UTC(2026, 2, 9, 22, 30);
  const clock = manualClock(from);
  const store = memoryStore({ clock });
  await registerSites(
    store,
    clock,
    SITES.map((id) => ({ id, timeZone: "Asia/Kathmandu" })),
  );
  const stream = memoryStream({ clock, shards });
  const workers = new Map<string, ShardWorker>();
  let salts = 0;
  const deps = {
    store,
    clock,
    hash: keyedHash,
    // Another one each time, so that each day has ids of its own.
    randomBytes: (n: number) => new Uint8Array(n).fill(++salts),
    country: () => "",
  };
  const worker = (id: string, parents: readonly string[]): ShardWorker => {
    const known = workers.get(id) ?? new ShardWorker(deps, { id, parents });
    workers.set(id, known);
    return known;
  };
  return {
    clock,
    store,
    stream,
    workers,
    from,
    async put(line: StreamLine): Promise<void> {
      clock.advanceTo(line.arrival);
      const data = encodeJson(line.envelope);
      await stream.put({ partitionKey: partitionKeyOf(line.envelope), data });
    },
    /** Counts all that is in the stream, `limit` records a call; `skip` of them are lost on the way. */
    async fold({ limit = 7, skip = 0 } = {}): Promise<void> {
      let left = skip;
      for (const { id, parents } of await stream.shards()) {
        const one = worker(id, parents);
        for (;;) {
          const { records } = await stream.read(id, await one.lastSequence(), limit);
          if (records.length === 0) break;
          await one.process(records.slice(left));
          left = 0;
        }
      }
    },
    /** Events of both sites as a reader sees them. */
    async counted(): Promise<number> {
      const engine = new QueryEngine({ store, clock });
      let events = 0;
      for (const site_id of SITES) {
        const { results } = await engine.query({ site_id, metrics: ["events"], date_range: "7d" });
        events += Number(results[0]?.metrics[0]);
      }
      return events;
    },
    async reconciler(over: Store = store, pause = async () => {}): Promise<Reconciler> {
      const made = new Reconciler({ store: over, stream, clock, pause });
      await made.open();
      return made;
    },
  };
}

const unlessOutage = (error: unknown): void => {
  if (!(error instanceof ClickstreamError && error.code === "unavailable")) throw error;
};

const traffic = (from: number, events = 300): StreamLine[] => [
  ...generate({
    seed: SEED,
    from,
    to: from + 3 * 60 * MINUTE,
    events,
    sites: SITES,
    late: 0.1,
    duplicates: 0.1,
    bots: 0.1,
  }),
];

/** What a recount looks at, as the live path would write it: as many visitors, whoever they are. */
function totalsOf(windows: ReadonlyMap<number, Rollup>): PartialFold {
  const partial = new PartialFold();
  for (const [start, { totals }] of windows) {
    const row = partial.totals(partial.window(start));
    partial.shares.add(row, EVENTS, totals.events);
    partial.shares.add(row, PAGEVIEWS, totals.pageviews);
    for (const [currency, { minor, count }] of totals.revenue ?? [])
      partial.shares.addRevenue(row, currency, minor, count);
    for (let i = totals.visitors?.estimate() ?? 0; i > 0; i--)
      partial.shares.visitors.addOnce(row, partial.person(String(i * 10_000_019).padStart(16, "0")));
  }
  return partial;
}

describe(`a recount (RIVULET_SEED=${SEED})`, () => {
  it("gives others a turn after each commit", async () => {
    const { put, fold, reconciler, store, from } = await world(1);
    for (const line of traffic(from, 40)) await put(line);
    await fold();
    let turns = 0;
    const { commits } = await (await reconciler(store, async () => void turns++)).run();
    expect(commits).toBeGreaterThan(1);
    expect(turns).toBe(commits);
  });

  it("finds every event and no difference under random schedules of folding, compaction, trimming, splits and crashes", async () => {
    for (let schedule = 0; schedule < 12; schedule++) {
      const random = Random.of(SEED, schedule);
      const { put, fold, counted, reconciler, stream, store, clock, from } = await world(random.pick([1, 2]));
      const lines = traffic(from);
      let job = await reconciler();
      for (const [i, line] of lines.entries()) {
        if (i === 100 && schedule % 3 === 0) for (const { id } of await stream.shards()) stream.split(id);
        await put(line);
        if (random.chance(0.1)) await fold({ limit: 1 + random.below(20) });
        if (random.chance(0.05)) await compact({ store, clock });
        if (random.chance(0.05)) {
          if (random.chance(0.3)) job = await reconciler();
          const dying = reconciler(crashingStore(store, random.below(60), random.chance(0.5)));
          await dying.then((fragile) => fragile.run()).catch(unlessOutage);
          await job.run();
          if (random.chance(0.5))
            for (const { id } of await stream.shards()) await stream.trim(id, job.recounted().get(id) ?? "");
        }
      }
      await fold();
      await job.run();
      await compact({ store, clock });
      await job.run();
      const found = SITES.map((site) => job.of(site));
      expect(found, `schedule ${schedule}`).toMatchObject(SITES.map(() => ({ difference: 0, windows: 0 })));
      expect(found.reduce((sum, one) => sum + (one?.events ?? 0), 0)).toBe(await counted());
    }
  });

  it("allows whoever is overtaken by their own events around midnight both of their ids", async () => {
    const { put, fold, reconciler } = await world();
    const midnight = Date.UTC(2026, 2, 10);
    const seen = (arrival: number, at = arrival): StreamLine =>
      post({ site: "shop", at: midnight + arrival, e: [view("/", midnight + at)] });
    // Their visit is over for half an hour when what they did in its middle arrives: that counts for today's id.
    for (const [arrival, at] of [[-5 * MINUTE], [20_000], [50 * MINUTE], [51 * MINUTE, 40_000]] as const)
      await put(seen(arrival, at));
    await fold({ limit: 10 });
    const job = await reconciler();
    await job.run();
    expect(job.of("shop")).toMatchObject({ events: 4, difference: 0, windows: 0 });
  });

  it("sees a record that the live path skipped", async () => {
    const { put, fold, reconciler, from } = await world();
    for (const line of traffic(from, 60)) await put(line);
    await fold({ limit: 1_000, skip: 20 });
    const job = await reconciler();
    await job.run();
    expect(job.totals().difference).toBeGreaterThan(0);
    expect(job.of("shop")?.difference ?? 0).toBeLessThanOrEqual(0);
  });

  it("sees a commit that was altered, by its minute, its hour and its visitors", async () => {
    const { put, fold, reconciler, store, from } = await world();
    for (const line of traffic(from, 60)) await put(line);
    await fold({ limit: 1_000 });
    const [logged] = await readLog(store, "shardId-000000000000", 0, 1);
    if (!logged) throw new Error("nothing was committed");
    const partials = new Map(
      [...logged.commit.partials].map(([site, { windows }]) => [site, totalsOf(windows)]),
    );
    const shop = partials.get("shop");
    const [minute] =
      [...(logged.commit.partials.get("shop")?.windows ?? [])].find(([, { totals }]) => totals.events > 0) ??
      [];
    if (!shop || minute === undefined) throw new Error("nothing was counted for the shop");
    const totals = shop.totals(shop.window(minute));
    shop.shares.add(totals, EVENTS, 2);
    shop.shares.visitors.addOnce(totals, shop.person("0123456789abcdef"));
    const key = { pk: `log/${logged.commit.shard}`, sk: "000000000001" };
    const value = encodeCommit(logged.commit, partials, logged.change());
    expect(await store.put({ ...key, value }, 1)).toBe(true);

    const job = await reconciler();
    await job.run();
    expect(job.of("shop")).toMatchObject({ difference: 2, windows: 3 });
    expect(job.of("blog")).toMatchObject({ difference: 0, windows: 0 });
    // What was found outlives the process.
    expect((await reconciler()).of("shop")).toEqual(job.of("shop"));
  });

  it("sees a rollup that compaction or the disk got wrong, and takes the finding back once it is right", async () => {
    const { put, fold, reconciler, store, clock, from } = await world();
    for (const line of traffic(from, 60)) await put(line);
    await fold();
    const job = await reconciler();
    await job.run();
    expect(job.totals()).toMatchObject({ difference: 0, windows: 0 });
    await compact({ store, clock });
    const items = await store.list("minute/shop");
    const events = (value: Uint8Array | undefined) =>
      value && decodeItem({ pk: "", sk: "", version: 1, value }).rollup?.totals.events;
    const item = items.find(({ value }) => events(value) === 1);
    // Another minute's counts under this minute's key.
    const other = items.find(({ value }) => events(value) !== 1);
    if (!item || !other) throw new Error("no two minutes of the shop differ");
    await store.put({ pk: item.pk, sk: item.sk, value: other.value }, item.version);
    await job.run();
    expect(job.of("shop")?.windows).toBe(1);

    await store.put({ pk: item.pk, sk: item.sk, value: item.value }, item.version + 1);
    await job.run();
    expect(job.of("shop")).toMatchObject({ difference: 0, windows: 0 });
  });

  it("compares a day once it is derived, also when another process has taken over by then", async () => {
    const { put, fold, reconciler, store, clock, from } = await world();
    for (const line of traffic(from, 60)) await put(line);
    await fold();
    await (await reconciler()).run();
    clock.advance(20 * 60 * MINUTE);
    await compact({ store, clock });
    const [day] = await store.list("day/shop");
    const [hour] = await store.list("hour/shop");
    if (!day || !hour) throw new Error("nothing was derived for the shop");

    const calm = await reconciler();
    await calm.run();
    expect(calm.totals()).toMatchObject({ difference: 0, windows: 0 });
    await store.put({ pk: day.pk, sk: day.sk, value: hour.value }, day.version);
    const alarmed = await reconciler();
    await alarmed.run();
    expect(alarmed.of("shop")).toMatchObject({ windows: 1 });
    await store.put({ pk: day.pk, sk: day.sk, value: day.value }, day.version + 1);
    await alarmed.run();
    expect(alarmed.of("shop")).toMatchObject({ windows: 0 });
  });

  it("leaves out what the stream had forgotten, and counts again from the next minute on", async () => {
    const { put, fold, reconciler, stream, store, clock, from } = await world();
    const lines = traffic(from, 100);
    for (const line of lines.slice(0, 50)) await put(line);
    await fold({ limit: 20 });
    await compact({ store, clock });
    const [shard] = await stream.shards();
    const { records } = await stream.read(shard?.id ?? "", "", 30);
    await stream.trim(shard?.id ?? "", records.at(-1)?.sequence ?? "");
    for (const line of lines.slice(50)) await put(line);
    await fold();
    const job = await reconciler();
    await job.run();
    expect(job.totals()).toMatchObject({ difference: 0, windows: 0 });
    expect(job.totals().events).toBeGreaterThan(0);
  });

  it("does not take for a loss what came while a site was not counted", async () => {
    const { put, fold, reconciler, store, clock, from } = await world();
    const lines = traffic(from, 90);
    const job = await reconciler();
    for (const line of lines.slice(0, 30)) await put(line);
    await fold();
    await removeSite(store, clock, "shop");
    clock.advance(6_000); // workers have noticed
    for (const line of lines.slice(30, 60)) await put(line);
    await fold();
    await job.run();
    await registerSites(store, clock, [{ id: "shop", timeZone: "Asia/Kathmandu" }]);
    clock.advance(6_000);
    for (const line of lines.slice(60)) await put(line);
    await fold();
    await job.run();
    expect(job.totals()).toMatchObject({ difference: 0, windows: 0 });
  });

  it("is told in every answer of the query API", async () => {
    const { put, fold, reconciler, store, clock, counted, from } = await world();
    for (const line of traffic(from, 60)) await put(line);
    await fold();
    const job = await reconciler();
    const engine = new QueryEngine({ store, clock, reconciled: (site) => job.of(site) });
    const ask = { site_id: "shop", metrics: ["events"], date_range: "7d" };
    expect((await engine.query(ask)).meta).not.toHaveProperty("reconciled");
    await job.run();
    const { results, meta } = await engine.query(ask);
    expect(meta.reconciled).toEqual({
      until: clock.now(),
      events: results[0]?.metrics[0],
      difference: 0,
      windows: 0,
    });
    expect((await engine.live("shop")).reconciled).toEqual(meta.reconciled);
    expect(job.totals().events).toBe(await counted());
  });
});
