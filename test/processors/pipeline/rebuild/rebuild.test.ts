import { describe, expect, it } from "vitest";
import type { Archive, ArchivedRows } from "../../../../processors/archives/archive.ts";
import { keyedHash } from "../../../../processors/crypto.ts";
import { ClickstreamError } from "../../../../processors/errors.ts";
import { type ArchiveRow, compareRows } from "../../../../processors/model/archive.ts";
import { EXIT_PAGE } from "../../../../processors/model/dimensions.ts";
import { COUNTS } from "../../../../processors/model/measures.ts";
import type { StreamLine } from "../../../../processors/model/streamfile.ts";
import { ShardWorker } from "../../../../processors/pipeline/aggregate.ts";
import { compact } from "../../../../processors/pipeline/compact.ts";
import { readEdition } from "../../../../processors/pipeline/editions.ts";
import { isErased, traceOf, withoutErased } from "../../../../processors/pipeline/erasure.ts";
import { forgetErased } from "../../../../processors/pipeline/forgetting.ts";
import { readRebuilt } from "../../../../processors/pipeline/ledger.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { addShare, foldedOf, foldRows } from "../../../../processors/pipeline/rebuild/foldrows.ts";
import { type RebuildDeps, rebuild } from "../../../../processors/pipeline/rebuild/rebuild.ts";
import type { Gone } from "../../../../processors/pipeline/rebuild/remaining.ts";
import { RowFold } from "../../../../processors/pipeline/rebuild/rowfold.ts";
import { decodeItem, partition } from "../../../../processors/pipeline/rollups.ts";
import { registerSites } from "../../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import type { Store } from "../../../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../../../kit/clock.ts";
import { generate } from "../../../kit/generate.ts";
import { Random } from "../../../kit/random.ts";
import { rollupBytes } from "../../../kit/rollups.ts";
import { HOUR, NOON, post, SITE, view } from "../lines.ts";
import { compactAll, interrupted, recordsOf, SHARD } from "../rig.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_123);

interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly rows: ArchiveRow[];
  readonly archive: ArchivedRows;
  /** Counts the next lines. */
  count(lines: readonly StreamLine[]): Promise<void>;
}

/** A worker with an archive that keeps repeats, and reads without them. */
async function world(start: number): Promise<World> {
  const clock = manualClock(start);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [{ id: SITE, timeZone: "Asia/Kolkata" }]);
  for (let day = Math.floor(start / (24 * HOUR)) - 3; day < start / (24 * HOUR) + 12; day++)
    await store.put({ pk: "salt", sk: String(day), value: new TextEncoder().encode(`salt of ${day}`) }, 0);
  const rows: ArchiveRow[] = [];
  const kept: Archive = { write: async (more) => void rows.push(...more), close: async () => {} };
  const deps = {
    clock,
    store,
    hash: keyedHash,
    randomBytes: () => new Uint8Array(16),
    country: () => "",
    looksAhead: true,
  };
  const worker = new ShardWorker({ ...deps, archive: kept }, SHARD);
  let next = 1_000;
  const archive: ArchivedRows = {
    async *read(site) {
      const sorted = rows.filter((row) => row.site === site).sort(compareRows);
      yield sorted.filter((row, i) => i === 0 || compareRows(sorted[i - 1]!, row) !== 0);
    },
  };
  return {
    clock,
    store,
    rows,
    archive,
    async count(lines) {
      for (const { arrival } of lines) clock.advanceTo(arrival);
      await worker.process(recordsOf(lines, next));
      next += lines.length;
    },
  };
}

/** Bytes of the current edition, by granularity and start. */
const currentOf = async (store: Store): Promise<Map<string, string>> =>
  rollupBytes(store, (await readEdition(store, SITE)).space);

/** Folds the visitors in three lots, each on its own. */
const inLots =
  ({ rows, archive }: World): NonNullable<RebuildDeps["fold"]> =>
  async (order, progress) => {
    const lot = (number: number): ArchivedRows => ({
      async *read(site) {
        for await (const some of archive.read(site))
          yield some.filter(({ visitor }) => Number.parseInt(visitor?.slice(-1) ?? "0", 16) % 3 === number);
      },
    });
    const since = new Map([[SHARD.id, Math.min(...rows.map(({ received_at }) => received_at))]]);
    const windows = () => ({ hours: new Map<number, Uint8Array>(), minutes: new Map<number, Uint8Array>() });
    const lots = [windows(), windows(), windows()];
    const folded = await Promise.all(
      lots.map((own, number) =>
        foldRows(lot(number).read(SITE), { ...order, since }, { ...own, lots: 3 }, progress),
      ),
    );
    const shares = [windows(), windows()];
    for (const [number, own] of shares.entries()) addShare(lots, { number, of: 2 }, own);
    return { ...foldedOf(folded, shares), async [Symbol.asyncDispose]() {} };
  };

/** Ann's rows, taken out of these hours. */
const gone = (hours: readonly number[]): Gone => ({ erased: { visitor: "ann" }, hours: new Set(hours) });

const differing = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));

const from = Date.UTC(2026, 2, 9, 15);
const traffic = (seed: number, events: number): StreamLine[] => [
  ...generate({
    seed,
    from,
    to: from + 30 * HOUR,
    events,
    sites: [SITE],
    pages: 12,
    late: 0.1,
    visitors: 30,
  }),
];

describe("a rebuild", () => {
  it(`gives the same bytes where nothing was erased (RIVULET_SEED=${SEED})`, async () => {
    const made = await world(from);
    const lines = traffic(SEED, 1_500);
    for (let i = 0; i < lines.length; i += 50) await made.count(lines.slice(i, i + 50));
    made.clock.advance(24 * HOUR);
    await compactAll(made.store, made.clock);
    const before = await currentOf(made.store);
    expect(before.size).toBeGreaterThan(200);
    const lots = await rebuild({ ...made, fold: inLots(made) }, { site: SITE, isTrial: true });
    expect(lots).toMatchObject({ changes: [], incomplete: [], isSwitched: false });
    const report = await rebuild(made, { site: SITE });
    expect(report).toMatchObject({ changes: [], incomplete: [], isSwitched: true });
    expect(report.rows).toBeGreaterThan(1_200);
    expect([lots.rows, lots.windows]).toEqual([report.rows, report.windows]);
    expect((await readEdition(made.store, SITE)).space).not.toBe(SITE);
    expect(differing(before, await currentOf(made.store))).toEqual([]);
  });

  it(`counts what comes meanwhile exactly once, wherever it crashes (RIVULET_SEED=${SEED})`, async () => {
    for (let schedule = 0; schedule < 12; schedule++) {
      const random = Random.of(SEED, schedule);
      const lines = traffic(SEED + schedule, 160);
      const [made, expected] = [await world(from), await world(from)];
      let at = 0;
      const step = async (): Promise<void> => {
        const size = 1 + random.below(20);
        const portion = lines.slice(at, at + size);
        at += portion.length;
        await made.count(portion);
      };
      while (at < lines.length / 2) await step();
      let isBusy = false;
      let left = random.below(120);
      let isDead = false;
      // Between any two operations of the rebuild others count and compact, and it may die.
      const store = interrupted(made.store, async () => {
        if (isBusy) return;
        isBusy = true;
        if (random.chance(0.1)) await step();
        if (random.chance(0.1)) await compact({ store: made.store, clock: made.clock });
        isBusy = false;
        isDead ||= left-- === 0;
        if (isDead) throw new ClickstreamError("unavailable", "crashed");
      });
      for (let tries = 0; tries < 3; tries++) {
        await rebuild({ ...made, store }, { site: SITE }).catch((error: Error) => {
          if (error.message !== "crashed") throw error;
        });
        isDead = false;
      }
      while (at < lines.length) await step();
      await expected.count(lines);
      for (const { clock, store: one } of [made, expected]) {
        clock.advanceTo(from + 60 * HOUR);
        await compactAll(one, clock);
      }
      const label = `RIVULET_SEED=${SEED}, schedule ${schedule}`;
      expect(differing(await currentOf(expected.store), await currentOf(made.store)), label).toEqual([]);
      expect((await readEdition(made.store, SITE)).space, label).not.toBe(SITE);
    }
  });

  it.each([
    { begins: "before the rebuild", wakes: "when it reads the archive" },
    { begins: "before the rebuild", wakes: "after the switch" },
    { begins: "just before the edition", wakes: "when it reads the archive" },
    { begins: "just before the edition", wakes: "after the switch" },
  ])(
    "is not disturbed by a compaction that begins $begins, sleeps anywhere and wakes $wakes",
    async ({ begins, wakes }) => {
      const lines = [
        post({ at: NOON, v: "ann", b: "1", e: [view("/a")] }),
        post({ at: NOON + 1_000, v: "ben", b: "2", e: [view("/a")] }),
        post({ at: NOON + 2_000, v: "ann", b: "3", e: [view("/b")] }),
      ];
      const expected = await world(NOON);
      await expected.count(lines);
      await compactAll(expected.store, expected.clock);
      const bytes = await currentOf(expected.store);
      let isOver = false;
      for (let awake = 0; !isOver; awake++) {
        const made = await world(NOON);
        await made.count(lines.slice(0, 1));
        await compactAll(made.store, made.clock);
        await made.count(lines.slice(1, 2));
        let wake: () => void = () => {};
        let sleeper: Promise<unknown> | undefined;
        let left = awake;
        const slow = interrupted(made.store, () =>
          left-- === 0 ? new Promise<void>((done) => (wake = done)) : Promise.resolve(),
        );
        const fallAsleep = async (): Promise<void> => {
          if (sleeper) return;
          sleeper = compact({ store: slow, clock: made.clock });
          for (let turns = 0; turns < 5; turns++) await new Promise((done) => setImmediate(done));
          // It got to its end before it fell asleep: every place has been tried.
          isOver = left >= 0;
        };
        if (begins === "before the rebuild") await fallAsleep();
        const store = interrupted(made.store, async (operation, pk) => {
          if (operation !== "put" || pk !== "edition" || sleeper) return;
          await made.count(lines.slice(2));
          await fallAsleep();
        });
        const archive: ArchivedRows = {
          async *read(site) {
            if (wakes === "when it reads the archive") {
              wake();
              await sleeper;
            }
            yield* made.archive.read(site);
          },
        };
        await rebuild({ ...made, store, archive }, { site: SITE });
        wake();
        await sleeper;
        if (begins === "before the rebuild") await made.count(lines.slice(2));
        await compactAll(made.store, made.clock);
        expect(differing(bytes, await currentOf(made.store)), `asleep after ${awake} operations`).toEqual([]);
      }
    },
  );

  it("lists what an event taken out of the archive changes, and changes nothing else", async () => {
    const made = await world(NOON);
    await made.count([
      post({ at: NOON, v: "ann", e: [view("/a"), view("/b")] }),
      post({ at: NOON + HOUR, v: "ben", e: [view("/a")] }),
    ]);
    await compactAll(made.store, made.clock);
    const ann = made.rows[0]?.visitor;
    made.rows.splice(0, made.rows.length, ...made.rows.filter(({ visitor }) => visitor !== ann));
    const taken = { archivedSince: NOON, gone: gone([NOON - HOUR / 2]) };
    const trial = await rebuild(made, { site: SITE, isTrial: true, ...taken });
    expect(trial.isSwitched).toBe(false);
    expect((await readEdition(made.store, SITE)).space).toBe(SITE);
    const report = await rebuild(made, { site: SITE, ...taken });
    expect(report.changes).toEqual(trial.changes);
    expect(report.changes.map(({ granularity, start, counts }) => ({ granularity, start, counts }))).toEqual(
      ["hour", "minute"].map((granularity) => ({
        granularity,
        start: granularity === "hour" ? NOON - HOUR / 2 : NOON,
        counts: { visitors: [1, 0], events: [2, 0], pageviews: [2, 0], visits: [1, 0] },
      })),
    );
    expect(report.changes[0]?.dimensions).toContain("event:page");
  });

  it("that was a trial leaves nothing behind that later runs would read, also beside a server that compacts", async () => {
    const made = await world(NOON);
    for (let hour = 0; hour < 72; hour += 8)
      await made.count([post({ at: NOON + hour * HOUR, v: "ann", e: [view("/a")] })]);
    await compactAll(made.store, made.clock);
    const keys = async () => {
      const all = ["stale", "built", "built-months"].map((pk) => made.store.list(pk));
      return (await Promise.all(all)).flat().map(({ pk, sk }) => `${pk} ${sk}`);
    };
    const before = await keys();
    let hours = 0;
    const store = interrupted(made.store, async (operation, pk) => {
      if (operation === "put" && pk.startsWith("hour/") && ++hours === 4)
        await compact({ store: made.store, clock: made.clock });
    });
    await rebuild({ ...made, store }, { site: SITE, isTrial: true });
    expect((await keys()).length, "days that wait").toBeGreaterThan(before.length);
    made.clock.advance(2 * HOUR);
    await compactAll(made.store, made.clock);
    expect(await keys()).toEqual(before);
  });

  it("leaves windows outside of the times asked for as they are", async () => {
    const made = await world(NOON);
    await made.count([
      post({ at: NOON, v: "ann", e: [view("/a")] }),
      post({ at: NOON + 2 * HOUR, v: "ben", e: [view("/a")] }),
    ]);
    await compactAll(made.store, made.clock);
    const before = await currentOf(made.store);
    made.rows.length = 0;
    const taken = gone([NOON - HOUR / 2, NOON + 1.5 * HOUR]);
    const report = await rebuild(made, {
      site: SITE,
      from: NOON + HOUR / 2,
      archivedSince: NOON,
      gone: taken,
    });
    expect(report.changes.map(({ start }) => start)).toEqual([NOON + 1.5 * HOUR, NOON + 2 * HOUR]);
    expect(report.stillCounted, "what rows were taken out of, and stays as it was").toEqual([
      NOON - HOUR / 2,
    ]);
    const kept = [...before].filter(([key]) => Number(key.split(" ")[1]) < NOON + HOUR / 2);
    expect([...(await currentOf(made.store))]).toEqual(kept);
  });

  it("leaves hours as they are that the archive tells only in part, because it began later", async () => {
    const made = await world(NOON);
    await made.count([post({ at: NOON, v: "ann", e: [view("/a")] })]);
    made.rows.length = 0;
    await made.count([post({ at: NOON + 60_000, v: "ann", e: [view("/b")] })]);
    await compactAll(made.store, made.clock);
    const before = await currentOf(made.store);
    const report = await rebuild(made, { site: SITE });
    expect(report).toMatchObject({ changes: [], incomplete: [NOON - HOUR / 2] });
    expect(differing(before, await currentOf(made.store))).toEqual([]);
  });

  it("leaves all that was counted before the archive began, and whatever the archive has nothing of", async () => {
    const { store, clock, rows, archive, count } = await world(NOON);
    await count([post({ at: NOON + 1_000, e: [view("/before")], ip: "10.0.0.1" })]);
    await count([post({ at: NOON + 5 * HOUR, e: [view("/after")], ip: "10.0.0.2" })]);
    await compactAll(store, clock);
    const before = await currentOf(store);
    rows.splice(0, 1);
    const report = await rebuild({ store, clock, archive }, { site: SITE });
    expect(report.changes).toEqual([]);
    expect(differing(before, await currentOf(store))).toEqual([]);
    rows.splice(0);
    await rebuild({ store, clock, archive }, { site: SITE });
    expect(differing(before, await currentOf(store))).toEqual([]);
  });

  it("leaves hours as they are in which the archive was off, and those beside them", async () => {
    const made = await world(NOON);
    const visit = (minutes: number) =>
      post({ at: NOON + minutes * 60_000, v: `at ${minutes}`, e: [view("/a")] });
    await made.count([0, 60, 80].map(visit));
    const archived = made.rows.length;
    await made.count([85, 140, 205].map(visit));
    made.rows.length = archived;
    await made.count([206, 300].map(visit));
    await compactAll(made.store, made.clock);
    const before = await currentOf(made.store);
    const report = await rebuild(made, { site: SITE });
    const hours = [30, 90, 150].map((minutes) => NOON + minutes * 60_000);
    expect(report).toMatchObject({ changes: [], incomplete: hours, isSwitched: true });
    expect(differing(before, await currentOf(made.store))).toEqual([]);
  });

  it("takes a visitor whose rows were taken out for new when they come back", async () => {
    const made = await world(NOON);
    await made.count([
      post({ at: NOON, v: "ben", e: [view("/a")] }),
      post({ at: NOON + 20 * HOUR, v: "ann", e: [view("/a")] }),
    ]);
    made.rows.pop();
    await made.count([post({ at: NOON + 30 * HOUR, v: "ann", e: [view("/b")] })]);
    const report = await rebuild(made, { site: SITE, gone: gone([NOON + 19.5 * HOUR]) });
    expect(report.incomplete).toEqual([]);
    expect(report.changes.map(({ start }) => start)).toEqual([NOON + 19.5 * HOUR, NOON + 20 * HOUR]);
    expect(await readRebuilt(made.store, SITE)).toEqual(new Set([NOON + 20 * HOUR]));
  });

  it.each([
    ["visitor", ({ visitor }: ArchiveRow) => ({ visitor: visitor! })],
    ["page", ({ page }: ArchiveRow) => ({ page: page! })],
  ] as const)(
    `after a %s was taken out finds what is counted from then on as it is counted, and none of it below zero (RIVULET_SEED=${SEED})`,
    async (_, erasedIn) => {
      const made = await world(from);
      const lines = traffic(SEED, 1_500);
      for (let i = 0; i < 700; i += 50) await made.count(lines.slice(i, i + 50));
      const erased = erasedIn(made.rows.findLast(({ name }) => name === "pageview")!);
      const { hours } = await traceOf(made.archive, { id: SITE, timeZone: "Asia/Kolkata" }, erased);
      const left: ArchiveRow[] = [];
      for await (const some of withoutErased(made.archive, erased).read(SITE))
        left.push(...(some as ArchiveRow[]));
      made.rows.splice(0, made.rows.length, ...left);
      await forgetErased(made, SITE, erased);
      expect((await rebuild(made, { site: SITE, gone: { erased, hours } })).isSwitched).toBe(true);
      const early = made.rows.length;
      for (let i = 700; i < lines.length; i += 50) await made.count(lines.slice(i, i + 50));
      expect(
        made.rows.slice(early).filter((row) => isErased(row, erased)).length,
        "comes again",
      ).toBeGreaterThan(0);
      await compactAll(made.store, made.clock);
      const { space } = await readEdition(made.store, SITE);
      for (const item of await made.store.list(partition("hour", space))) {
        const { rollup } = decodeItem(item);
        expect(Math.min(...COUNTS.map((name) => rollup!.totals[name]))).toBeGreaterThanOrEqual(0);
        for (const exits of rollup!.table(EXIT_PAGE)?.values() ?? [])
          expect(exits.visits).toBeGreaterThanOrEqual(0);
      }
      expect(await rebuild(made, { site: SITE, isTrial: true })).toMatchObject({
        changes: [],
        incomplete: [],
      });
    },
  );

  it("counts a visit that goes on right after it was taken out as its row tells it, though a worker knew it", async () => {
    const made = await world(NOON);
    await made.count([
      post({ at: NOON, v: "ben", e: [view("/")] }),
      post({ at: NOON + 1_000, v: "ann", e: [view("/people/ann")] }),
    ]);
    const erased = { page: "/people/ann" };
    made.rows.splice(0, made.rows.length, ...made.rows.filter((row) => !isErased(row, erased)));
    await forgetErased(made, SITE, erased);
    await rebuild(made, { site: SITE, gone: { erased, hours: new Set([NOON - HOUR / 2]) } });
    await made.count([post({ at: NOON + 2_000, v: "ann", e: [view("/b")] })]);
    expect(made.rows.map(({ visit_entry_page }) => visit_entry_page)).toEqual(["/", "/b"]);
    expect(await rebuild(made, { site: SITE, isTrial: true })).toMatchObject({ changes: [], incomplete: [] });
  });

  it("of an erasure has the newest events begin anew, for who watches and for who begins to", async () => {
    const made = await world(NOON);
    const engineOf = () => new QueryEngine({ store: made.store, clock: made.clock, lagMs: async () => 0 });
    const watcher = engineOf();
    const pagesOf = async (engine: QueryEngine): Promise<string[]> =>
      (await engine.live(SITE)).latest.map(({ page }) => page);
    await made.count([
      post({ at: NOON, v: "ann", e: [view("/people/ann")] }),
      post({ at: NOON + 1_000, v: "ben", e: [view("/")] }),
    ]);
    expect(await pagesOf(watcher)).toEqual(["/", "/people/ann"]);
    await rebuild(made, { site: SITE });
    expect(await pagesOf(watcher), "nothing was taken out").toEqual(["/", "/people/ann"]);
    await rebuild(made, { site: SITE, gone: { erased: { page: "/people/ann" }, hours: new Set() } });
    for (const engine of [watcher, engineOf()]) expect(await pagesOf(engine)).toEqual([]);
    await made.count([post({ at: NOON + 5_000, v: "ben", e: [view("/b")] })]);
    for (const engine of [watcher, engineOf()]) expect(await pagesOf(engine)).toEqual(["/b"]);
  });

  it("gives the same bytes where tables overflowed too, in the windows that it copies as well, and readers read no rest", async () => {
    const [made, whole] = [await world(NOON), await world(NOON)];
    const pages = 1_300;
    // Each page is seen once, then some of those that fell once more: they must rise above those that did not fall.
    const order = Array.from({ length: pages + 400 }, (_, i) => (i < pages ? i : pages - 1 - (i - pages)));
    const lines = Array.from({ length: order.length / 100 }, (_, i) =>
      post({
        at: NOON + i * 1_000,
        v: `visitor-${i % 5}`,
        e: order.slice(100 * i, 100 * i + 100).map((page) => view(`/${page}`)),
      }),
    );
    const [later, last] = [lines.slice(-4, -2), lines.slice(-2)];
    for (let i = 0; i < lines.length - 4; i += 4) {
      await made.count(lines.slice(i, Math.min(i + 4, lines.length - 4)));
      await compactAll(made.store, made.clock);
    }
    const { rest } = decodeItem((await made.store.list(partition("hour", SITE)))[0]!);
    expect(rest).toBeDefined();
    expect(await rebuild({ ...made, fold: inLots(made) }, { site: SITE, isTrial: true })).toMatchObject({
      changes: [],
    });
    await rebuild(made, { site: SITE, from: NOON + HOUR });
    await made.count(later);
    await compactAll(made.store, made.clock);
    expect(await rebuild(made, { site: SITE })).toMatchObject({ changes: [], isSwitched: true });
    await made.count(last);
    await compactAll(made.store, made.clock);
    await whole.count(lines);
    await compactAll(whole.store, whole.clock);
    expect(differing(await currentOf(whole.store), await currentOf(made.store))).toEqual([]);
    const read = new Set<string>();
    const watched = interrupted(made.store, async (_, pk) => void read.add(pk));
    const engine = new QueryEngine({ store: watched, clock: made.clock, lagMs: async () => 0 });
    await engine.query({
      site_id: SITE,
      metrics: ["pageviews"],
      date_range: "day",
      dimensions: ["event:page"],
    });
    expect([...read].filter((pk) => pk.includes("rests"))).toEqual([]);
    expect([...read].some((pk) => pk.startsWith("hour/"))).toBe(true);
    // Those of editions that are over go with them.
    made.clock.advance(2 * HOUR);
    await compactAll(made.store, made.clock);
    expect(await made.store.list(partition("hour-rests", SITE))).toEqual([]);
    expect(await made.store.list(partition("minute-rests", SITE))).toEqual([]);
  });

  it("makes the same of rows in whatever portions", async () => {
    const made = await world(from);
    await made.count(traffic(SEED, 400));
    const folded = (rowsAtOnce: number): unknown => {
      const hourOf = (minute: number): number => Math.floor(minute / HOUR) * HOUR;
      const [hours, minutes] = [new Map<number, Uint8Array>(), new Map<number, Uint8Array>()];
      const options = { shards: [SHARD], hourOf, hasMinutes: () => true, rowsAtOnce };
      const fold = new RowFold({ ...options, hours, minutes });
      for (const row of made.rows) fold.add(row);
      fold.finish();
      return [hours, minutes].map((windows) =>
        [...windows].map(([start, bytes]) => `${start} ${Buffer.from(bytes).toString("hex")}`).sort(),
      );
    };
    expect(folded(7)).toEqual(folded(1_000_000));
  });

  it("that fails is given up, so that nothing more is folded into it", async () => {
    const made = await world(NOON);
    await made.count([post({ at: NOON, v: "ann", e: [view("/a")] })]);
    const broken: ArchivedRows = {
      // biome-ignore lint/correctness/useYield: it fails before
      async *read() {
        throw new ClickstreamError("unavailable", "a.parquet: cannot be read");
      },
    };
    await expect(rebuild({ ...made, archive: broken }, { site: SITE })).rejects.toThrow("cannot be read");
    expect(await readEdition(made.store, SITE)).toMatchObject({ space: SITE, next: undefined });
  });

  it("refuses a site that nobody registered", async () => {
    await expect(rebuild(await world(NOON), { site: "nobody" })).rejects.toMatchObject({ code: "not_found" });
  });
});
