/** Compaction may run at any time, by several at once, and stop anywhere: nobody who reads can tell. */
import { describe, expect, it } from "vitest";
import { newestCommits, readCommits } from "../../../processors/pipeline/commit.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { decodeItem, partition } from "../../../processors/pipeline/rollups.ts";
import { newestSnapshot } from "../../../processors/pipeline/snapshots.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { crashingStore } from "../../kit/crash.ts";
import { generate } from "../../kit/generate.ts";
import { Oracle } from "../../kit/oracle.ts";
import { Random } from "../../kit/random.ts";
import { DAY, HOUR, MINUTE, NOON, post, SITE, view } from "./lines.ts";
import {
  compactAll,
  expectedTotals,
  interrupted,
  METRICS,
  type Rig,
  recordsOf,
  rig,
  rollupsOf,
  SHARD,
  totals,
} from "./rig.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_116);
const [from, to] = [NOON - 3 * DAY, NOON + 3 * DAY];

// Over a midnight, so that a finished day is among the windows.
const lines = [
  ...generate({
    seed: SEED,
    from: NOON + 11 * HOUR + 50 * MINUTE,
    to: NOON + 12 * HOUR + 12 * MINUTE,
    events: 60,
    sites: [SITE],
    pages: 6,
  }),
];
const records = recordsOf(lines);
const expected = expectedTotals(new Oracle(lines, { sites: [SITE] }), from, to);

/** A store whose log holds all lines, in commits of a few records. */
async function filled(): Promise<Rig> {
  const made = await rig();
  made.clock.advanceTo(NOON + 13 * HOUR);
  const worker = made.worker();
  for (let i = 0; i < records.length; i += 7) await worker.process(records.slice(i, i + 7));
  return made;
}

const compacted = async (): Promise<Map<string, string>> => {
  const { store, clock } = await filled();
  await compactAll(store, clock);
  return rollupsOf(store);
};

describe(`compaction (RIVULET_SEED=${SEED})`, () => {
  it("changes no answer, and a second run changes no item", async () => {
    const { store, clock, engine } = await filled();
    expect(await totals(engine(), from, to)).toEqual(expected);
    expect(await compact({ store, clock })).toMatchObject({ more: false });
    const rollups = await rollupsOf(store);
    expect([...rollups.keys()].filter((key) => key.startsWith("day"))).toHaveLength(1);
    expect(await totals(engine(), from, to)).toEqual(expected);
    expect(await compact({ store, clock })).toEqual({ commits: 0, items: 0, more: false });
    expect(await rollupsOf(store)).toEqual(rollups);
  });

  it("by several at once, interleaved at every operation, folds each commit once", async () => {
    const once = await compacted();
    for (let number = 0; number < 12; number++) {
      const random = new Random(SEED + number);
      const { store, clock, engine } = await filled();
      const yielding = interrupted(store, async () => {
        for (let turns = random.below(4); turns > 0; turns--) await Promise.resolve();
      });
      await Promise.all([1, 2, 3].map(() => compact({ store: yielding, clock })));
      await compactAll(store, clock);
      expect(await rollupsOf(store), `seed ${SEED + number}`).toEqual(once);
      expect(await totals(engine(), from, to)).toEqual(expected);
    }
  });

  it("may stop at any store operation: readers are right in between, and the next run ends where one would have", async () => {
    const once = await compacted();
    let crashes = 0;
    for (const afterEffect of [false, true]) {
      // Most of the many are a table of the day each, one like the other.
      for (let survived = 0, done = false; !done; survived += survived < 50 ? 1 : 5) {
        const { store, clock, engine } = await filled();
        const where = `operation ${survived}, after its effect: ${afterEffect}`;
        const warm = engine();
        if (survived % 3 === 0) await totals(warm, from, to);
        try {
          await compact({ store: crashingStore(store, survived, afterEffect), clock });
          done = true;
        } catch (error) {
          expect(error).toMatchObject({ code: "unavailable" });
          crashes++;
        }
        expect(await totals(engine(), from, to), where).toEqual(expected);
        if (survived % 3 === 0) expect(await totals(warm, from, to), where).toEqual(expected);
        if (survived % 4 !== 0) continue;
        await compactAll(store, clock);
        expect(await rollupsOf(store), where).toEqual(once);
      }
    }
    expect(crashes).toBeGreaterThan(80);
  });

  it("lets a reader be right between any two of its operations", async () => {
    const { store, clock, engine } = await filled();
    const reader = engine();
    await compactAll(
      interrupted(store, async () => expect(await totals(reader, from, to)).toEqual(expected)),
      clock,
    );
  });

  it("gives others a turn after each commit's share of a window, and readers are right then too", async () => {
    const { store, clock, engine } = await filled();
    const reader = engine();
    let turns = 0;
    const { commits } = await compact({
      store,
      clock,
      async pause() {
        turns++;
        expect(await totals(reader, from, to)).toEqual(expected);
      },
    });
    // Of a minute and of its hour.
    expect(turns).toBeGreaterThanOrEqual(2 * commits);
    expect(await totals(engine(), from, to)).toEqual(expected);
  });

  it("goes on where a long log exceeds one run", async () => {
    const { store, clock, worker, engine } = await rig();
    // More than two runs take.
    const views = Array.from({ length: 1_000 }, () => view("/"));
    const many = Array.from({ length: 65 }, (_, i) =>
      post({ at: NOON + i, e: views, ip: `192.0.2.${i % 9}` }),
    );
    clock.advance(MINUTE);
    const one = worker();
    for (const record of recordsOf(many)) await one.process([record]);
    expect(await compact({ store, clock })).toMatchObject({ commits: 25, more: true });
    expect(await totals(engine(), from, to)).toEqual(
      expectedTotals(new Oracle(many, { sites: [SITE] }), from, to),
    );
    expect(await compact({ store, clock })).toMatchObject({ commits: 25, more: true });
    expect(await compact({ store, clock })).toMatchObject({ commits: 15, more: false });
  });
});

describe("a finished day", () => {
  const dayItem = async (store: Store, date: string) => {
    const item = await store.get({ pk: partition("day", SITE), sk: date });
    return item && decodeItem(item);
  };
  const ask = async ({ engine }: Rig): Promise<unknown[]> => {
    const { results } = await engine().query({
      site_id: SITE,
      metrics: METRICS,
      date_range: ["2026-01-15", "2026-01-15"],
    });
    return results[0]?.metrics ?? [];
  };
  const midnight = Date.UTC(2026, 0, 16);
  const early = post({ at: NOON, e: [view("/")] });
  const late = post({ at: midnight + 2 * HOUR, e: [view("/late", NOON + HOUR)], ip: "192.0.2.1" });
  const counted = (...told: (typeof early)[]): unknown[] =>
    expectedTotals(new Oracle(told, { sites: [SITE] }), midnight - DAY, midnight);

  it("is derived ten minutes after it is over, not before", async () => {
    const made = await rig();
    await made.worker().process(recordsOf([early]));
    made.clock.advanceTo(midnight + 10 * MINUTE - 1);
    await compactAll(made.store, made.clock);
    expect((await dayItem(made.store, "2026-01-15"))?.rollup).toBeUndefined();
    expect(await ask(made)).toEqual(counted(early));
    made.clock.advance(1);
    await compactAll(made.store, made.clock);
    expect((await dayItem(made.store, "2026-01-15"))?.rollup?.totals.events).toBe(1);
    expect(await ask(made)).toEqual(counted(early));
  });

  it("is taken back by a late event until it is derived again; readers are right all the while", async () => {
    const made = await rig();
    const { store, clock, worker } = made;
    const one = worker();
    await one.process(recordsOf([early]));
    clock.advanceTo(midnight + 2 * HOUR);
    await compactAll(store, clock);
    await one.process(recordsOf([early, late]));
    expect(await ask(made)).toEqual(counted(early, late));
    let wasStale = false;
    const watching = interrupted(store, async () => {
      const day = await dayItem(store, "2026-01-15");
      wasStale ||= day !== undefined && day.rollup === undefined;
      expect(await ask(made)).toEqual(counted(early, late));
    });
    await compactAll(watching, clock);
    expect(wasStale).toBe(true);
    expect((await dayItem(store, "2026-01-15"))?.rollup?.totals.events).toBe(2);
    expect(await ask(made)).toEqual(counted(early, late));
  });

  it("derived from hours that somebody had written only in part is not used before the rest is there", async () => {
    const parts = post({
      at: midnight + 2 * HOUR,
      e: [view("/a", NOON + HOUR), view("/b", NOON + 3 * HOUR), view("/c", NOON + 5 * HOUR)],
      ip: "192.0.2.1",
    });
    let crashes = 0;
    for (let survived = 0; survived < 30; survived++) {
      const made = await rig();
      const { store, clock, worker } = made;
      const one = worker();
      await one.process(recordsOf([early]));
      clock.advanceTo(midnight + 2 * HOUR);
      let isFirst = true;
      // The first compaction has read the log; before it derives days, a second one begins and dies amid the hours.
      const overtaken = interrupted(store, async (operation, pk) => {
        if (!isFirst || operation !== "list" || pk !== "stale") return;
        isFirst = false;
        await one.process(recordsOf([early, parts]));
        await compact({ store: crashingStore(store, survived, false), clock }).catch(() => crashes++);
      });
      await compact({ store: overtaken, clock });
      expect(isFirst).toBe(false);
      expect(await ask(made), `operation ${survived}`).toEqual(counted(early, parts));
    }
    expect(crashes).toBeGreaterThan(20);
  });

  it("is read from its half-hour pieces on Lord Howe Island, before and after it is derived", async () => {
    const zone = "Australia/Lord_Howe";
    const start = Date.parse("2026-04-04T13:00Z");
    const made = await rig({ start, zone });
    const told = Array.from({ length: 49 }, (_, i) =>
      post({ at: start + i * 30 * MINUTE, e: [view(`/${i}`)], ip: `192.0.2.${i}` }),
    );
    made.clock.advanceTo(start + 24.5 * HOUR);
    await made.worker().process(recordsOf(told));
    const day = async (): Promise<unknown> => {
      const { results } = await made.engine().query({
        site_id: SITE,
        metrics: ["pageviews"],
        date_range: ["2026-04-05", "2026-04-05"],
        dimensions: ["time:hour"],
      });
      const whole = await made.engine().query({
        site_id: SITE,
        metrics: ["pageviews"],
        date_range: ["2026-04-05", "2026-04-05"],
      });
      return { hours: results.map(({ metrics }) => metrics[0]), whole: whole.results[0]?.metrics[0] };
    };
    const answer = { hours: [2, 2, 1, ...Array(22).fill(2)], whole: 49 };
    expect(await day()).toEqual(answer);
    await compactAll(made.store, made.clock);
    expect(await day()).toEqual(answer);
    made.clock.advance(20 * DAY);
    await compactAll(made.store, made.clock);
    expect(await day()).toEqual(answer);
  });
});

describe("what is kept", () => {
  it("no minutes past their time: an old event is in its hour only, and counted", async () => {
    const { store, clock, worker, engine } = await rig();
    await worker().process(recordsOf([post({ at: NOON, e: [view("/")] })]));
    clock.advance(9 * DAY);
    await compactAll(store, clock);
    const keys = [...(await rollupsOf(store)).keys()].map((key) => key.split(" ")[0]);
    expect(keys).toEqual(["hour", "day"]);
    expect((await totals(engine(), NOON, NOON + HOUR))[2]).toBe(1);
  });

  it("every commit without a snapshot, however old", async () => {
    const { store, clock } = await filled();
    const before = (await readCommits(store, SHARD.id, 0)).length;
    await compactAll(store, clock);
    clock.advance(30 * DAY);
    await compactAll(store, clock);
    expect(await newestSnapshot(store, SHARD.id)).toBeUndefined();
    expect(await readCommits(store, SHARD.id, 0)).toHaveLength(before);
  });

  it("the newest commit, what no snapshot holds, what is not compacted, and what is younger than an hour", async () => {
    const { store, clock, worker, engine } = await rig();
    const told = Array.from({ length: 1_010 }, (_, i) =>
      post({ at: NOON + i * 10, e: [view("/")], ip: `192.0.2.${i % 9}`, b: `batch-${i}` }),
    );
    const all = recordsOf(told);
    const one = worker();
    clock.advance(MINUTE);
    for (const record of all.slice(0, 1_005)) await one.process([record]);
    const snapshot = (await newestSnapshot(store, SHARD.id)) ?? 0;
    expect(snapshot).toBe(1_000);
    await compactAll(store, clock);
    expect((await readCommits(store, SHARD.id, 0))[0]?.n).toBe(1);
    clock.advance(HOUR + 1);
    for (const record of all.slice(1_005)) await one.process([record]);
    while ((await readCommits(store, SHARD.id, 0, 1))[0]?.n === 1) await compact({ store, clock });
    await compactAll(store, clock);
    const kept = (await readCommits(store, SHARD.id, 0)).map(({ n }) => n);
    expect(kept[0]).toBeLessThanOrEqual(snapshot + 1);
    expect(kept.at(-1)).toBe(1_010);
    // What was compacted by a later run of the first hour goes an hour later.
    clock.advance(HOUR + 1);
    for (let run = 0; run < 4; run++) await compact({ store, clock });
    expect((await readCommits(store, SHARD.id, 0)).map(({ n }) => n)).toEqual(
      Array.from({ length: 10 }, (_, i) => 1_001 + i),
    );
    const [newest] = await newestCommits(store, SHARD.id, 1);
    expect(newest?.n).toBe(1_010);
    expect(await worker().process(all)).toMatchObject({ commits: 0, records: 0 });
    expect(await totals(engine(), from, to)).toEqual(
      expectedTotals(new Oracle(told, { sites: [SITE] }), from, to),
    );
  });
});

describe("a log that a snapshot holds whole", () => {
  it("keeps its newest commit: it tells the next worker where to go on, and readers how far the data are complete", async () => {
    const { store, clock, worker, engine } = await rig();
    const told = recordsOf(Array.from({ length: 1_000 }, (_, i) => post({ at: NOON + i, e: [view("/")] })));
    const one = worker();
    for (const record of told) await one.process([record]);
    expect(await newestSnapshot(store, SHARD.id)).toBe(1_000);
    await compactAll(store, clock);
    // One run after an hour deletes all that the first noted: runs may be rare, and the log must not grow.
    clock.advance(HOUR + 1);
    await compact({ store, clock });
    expect((await readCommits(store, SHARD.id, 0)).map(({ n }) => n)).toEqual([1_000]);
    expect(await worker().lastSequence()).toBe(told.at(-1)?.sequence);
    expect((await engine().live(SITE)).latest[0]?.at).toBe(NOON + 999);
  });
});

describe("a log that was compacted by a clock that ran ahead", () => {
  it("is forgotten an hour after the clock was set right, and does not grow until that time comes again", async () => {
    const { store, clock, worker } = await rig();
    const one = worker();
    const lines = Array.from({ length: 1_000 }, (_, i) => post({ at: NOON + i, e: [view("/")] }));
    for (const record of recordsOf(lines)) await one.process([record]);
    clock.advance(30 * DAY);
    await compactAll(store, clock);
    clock.advance(-30 * DAY);
    await compact({ store, clock });
    expect(await readCommits(store, SHARD.id, 0)).toHaveLength(1_000);
    clock.advance(HOUR + 1);
    await compact({ store, clock });
    expect((await readCommits(store, SHARD.id, 0)).map(({ n }) => n)).toEqual([1_000]);
  });
});

describe("a log that was compacted long after it was written", () => {
  it("stays for an hour all the same, because somebody may be reading it", async () => {
    const { store, clock, worker } = await rig();
    const told = recordsOf(Array.from({ length: 1_000 }, (_, i) => post({ at: NOON + i, e: [view("/")] })));
    const one = worker();
    for (const record of told) await one.process([record]);
    clock.advance(5 * HOUR);
    await compactAll(store, clock);
    await compactAll(store, clock);
    expect((await readCommits(store, SHARD.id, 0))[0]?.n).toBe(1);
    clock.advance(HOUR);
    await compactAll(store, clock);
    expect((await readCommits(store, SHARD.id, 0))[0]?.n).toBeGreaterThan(1);
  });
});

describe("a reader that looks seldom", () => {
  it("still shows what was committed and compacted since, and how far the data are complete", async () => {
    const { store, clock, worker } = await rig();
    // Without anybody who knows the lag, the log alone tells.
    const reader = new QueryEngine({ store, clock });
    const one = worker();
    await one.process(recordsOf([post({ at: NOON, e: [view("/first")] })]));
    expect((await reader.live(SITE)).latest.map(({ page }) => page)).toEqual(["/first"]);
    clock.advance(5 * MINUTE);
    await one.process(recordsOf([post({ at: NOON + 5 * MINUTE, e: [view("/second")] })], 9));
    await compactAll(store, clock);
    const live = await reader.live(SITE);
    expect(live.latest.map(({ page }) => page)).toEqual(["/second", "/first"]);
    expect(live.complete_until).toBe(NOON + 4 * MINUTE);
  });
});

describe("a site that only robots came to", () => {
  it("waits for its first event, whatever was compacted", async () => {
    const { store, clock, worker } = await rig();
    const reader = new QueryEngine({ store, clock });
    const one = worker();
    await one.process(recordsOf([post({ at: NOON, e: [view("/")], agent: "Googlebot/2.1" })]));
    await compactAll(store, clock);
    const refused = await reader.live(SITE);
    expect(refused.rejected).toEqual({ bot: 1 });
    expect(refused.has_events).toBe(false);
    await one.process(recordsOf([post({ at: NOON + MINUTE, e: [view("/")] })], 9));
    expect((await reader.live(SITE)).has_events).toBe(true);
  });
});
