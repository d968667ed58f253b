/** One commit at a time, whoever writes it and whatever becomes of the answer. */
import { describe, expect, it } from "vitest";
import { partitionKeyOf } from "../../../processors/model/streamfile.ts";
import type { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { newestCommits, readCommits } from "../../../processors/pipeline/commit.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { loadState, newestSnapshot } from "../../../processors/pipeline/snapshots.ts";
import { VISITOR_BYTES, visitorBytes } from "../../../processors/pipeline/state.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { crashingStore } from "../../kit/crash.ts";
import { generate } from "../../kit/generate.ts";
import { Oracle } from "../../kit/oracle.ts";
import { Random } from "../../kit/random.ts";
import { disturb } from "../../kit/schedule.ts";
import { HOUR, MINUTE, NOON, post, SITE, view } from "./lines.ts";
import { compactAll, expectedTotals, interrupted, recordsOf, rig, rollupsOf, SHARD, totals } from "./rig.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_115);
const traffic = (seed: number, events: number, hours = 2) =>
  disturb(
    [...generate({ seed, from: NOON, to: NOON + hours * HOUR, events, sites: [SITE], pages: 8, late: 0 })],
    { duplicates: 0.1 },
    new Random(seed),
  );
const [from, to] = [NOON - 24 * HOUR, NOON + 24 * HOUR];

describe(`a worker (RIVULET_SEED=${SEED})`, () => {
  const lines = traffic(SEED, 120);
  const records = recordsOf(lines);
  const expected = expectedTotals(new Oracle(lines, { sites: [SITE] }), from, to);

  it("skips what is in already, whole or in part", async () => {
    const { worker, engine, clock } = await rig();
    clock.advance(2 * HOUR);
    const one = worker();
    await one.process(records.slice(0, 20));
    expect(await one.process(records.slice(0, 20))).toEqual({
      commits: 0,
      records: 0,
      events: 0,
      conflicts: 0,
    });
    expect(await one.process(records)).toMatchObject({ commits: 1, records: records.length - 20 });
    expect(await totals(engine(), from, to)).toEqual(expected);
  });

  it("that loses a put folds what the winner left, from its memory of before", async () => {
    const { worker, engine, clock } = await rig();
    clock.advance(2 * HOUR);
    const [winner, loser] = [worker(), worker()];
    await loser.lastSequence();
    await winner.process(records.slice(0, 30));
    expect(await loser.process(records.slice(0, 50))).toMatchObject({ commits: 1, records: 20 });
    await winner.process(records);
    expect(await totals(engine(), from, to)).toEqual(expected);
  });

  it("may die at any store operation, before or after its effect: its successor counts everything once", async () => {
    let crashes = 0;
    for (const afterEffect of [false, true]) {
      for (let survived = 0, done = false; !done; survived++) {
        const { worker, engine, store, clock } = await rig();
        clock.advance(2 * HOUR);
        const crashing = crashingStore(store, survived, afterEffect);
        const mortal = worker(SHARD, crashing);
        try {
          for (let i = 0; i < records.length; i += 40) await mortal.process(records.slice(i, i + 40));
          done = true;
        } catch (error) {
          expect(error).toMatchObject({ code: "unavailable" });
          crashes++;
        }
        await worker().process(records);
        expect(
          await totals(engine(), from, to),
          `operation ${survived}, after its effect: ${afterEffect}`,
        ).toEqual(expected);
      }
    }
    expect(crashes).toBeGreaterThan(10);
  });

  it("that hears an error from a put that took effect goes on itself with the same records", async () => {
    const { worker, engine, store, clock } = await rig();
    clock.advance(2 * HOUR);
    let isFirst = true;
    const ambiguous = {
      ...store,
      async put(item: Parameters<typeof store.put>[0], version: number) {
        const done = await store.put(item, version);
        if (!item.pk.startsWith("log/") || !isFirst) return done;
        isFirst = false;
        throw Object.assign(new Error("timed out"), { code: "unavailable" });
      },
    };
    const patient = worker(SHARD, ambiguous);
    await expect(patient.process(records.slice(0, 30))).rejects.toThrow("timed out");
    expect(await patient.process(records.slice(0, 30))).toMatchObject({ commits: 0 });
    await patient.process(records);
    expect(await totals(engine(), from, to)).toEqual(expected);
  });

  it("lets visitors that take much memory age the others faster, so that a shard's memory is bounded", async () => {
    const { worker, store } = await rig();
    const one = worker();
    const campaign = `https://${SITE}/?${["source", "medium", "campaign", "term", "content"]
      .map((name) => `utm_${name}=${"x".repeat(1_900)}`)
      .join("&")}`;
    // Eight visits, hours apart, each with all of the long texts.
    const heavy = Array.from({ length: 8 }, (_, i) => ({ n: "pageview", u: campaign, t: NOON - i * HOUR }));
    const plain = post({ at: NOON, e: [view("/a"), view("/b"), view("/c")], ip: "10.0.0.1" });
    await one.process(recordsOf([plain]));
    const before = (await loadState(store, SHARD.id))?.state.ordinal ?? 0;
    expect(before).toBe(1);
    await one.process(recordsOf([plain, post({ at: NOON, e: heavy, ip: "10.0.0.2" })]));
    const { state } = (await loadState(store, SHARD.id)) ?? {};
    const taken = state ? [...state.visitors.values()].map(visitorBytes) : [];
    expect(Math.max(...taken)).toBeGreaterThan(8 * 5 * 1_900);
    expect((state?.ordinal ?? 0) - before).toBe(1 + Math.floor(Math.max(...taken) / VISITOR_BYTES));
  });

  it("splits what is too much for one commit", async () => {
    const { worker, engine, store, clock } = await rig();
    const random = new Random(SEED);
    const big = Array.from({ length: 24 }, (_, i) =>
      post({
        at: NOON + i * 1000,
        ip: `192.0.2.${i}`,
        e: Array.from({ length: 60 }, () => ({ n: "search", p: { term: random.hex(60) } })),
      }),
    );
    clock.advance(MINUTE);
    const { commits, records: folded } = await worker().process(recordsOf(big));
    expect(commits).toBeGreaterThan(2);
    expect(folded).toBe(24);
    const log = await store.list(`log/${SHARD.id}`);
    expect(log).toHaveLength(commits);
    for (const { value } of log) expect(value.length).toBeLessThanOrEqual(350_000);
    const headers = await readCommits(store, SHARD.id, 0);
    for (const [i, { from: begins }] of headers.entries()) expect(begins).toBe(headers[i - 1]?.to ?? "");
    expect(await totals(engine(), from, to)).toEqual(
      expectedTotals(new Oracle(big, { sites: [SITE] }), from, to),
    );
  });
});

describe("a worker that slept (zombie)", () => {
  const lines = Array.from({ length: 1_030 }, (_, i) =>
    post({ at: NOON + i * 20, ip: `192.0.2.${i % 50}`, e: [view(`/${i % 9}`)], b: `batch-${i}` }),
  );
  const records = recordsOf(lines);
  const expected = expectedTotals(new Oracle(lines, { sites: [SITE] }), from, to);

  it("changes nothing when its put lands in a slot that was cleaned up", async () => {
    const { worker, engine, store, clock } = await rig();
    clock.advance(MINUTE);
    let wake = (): void => {};
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let isAboutToPut = (): void => {};
    const reached = new Promise<void>((resolve) => {
      isAboutToPut = resolve;
    });
    const zombie = worker(
      SHARD,
      interrupted(store, async (operation, pk) => {
        if (operation !== "put" || !pk.startsWith("log/")) return;
        isAboutToPut();
        await asleep;
      }),
    );
    const sleeping = zombie.process(records.slice(0, 3));
    await reached;
    const successor = worker();
    for (const record of records) await successor.process([record]);
    await compactAll(store, clock);
    clock.advance(3 * HOUR);
    await compactAll(store, clock);
    expect(await newestSnapshot(store, SHARD.id)).toBeGreaterThanOrEqual(1_000);
    expect((await readCommits(store, SHARD.id, 0))[0]?.n).toBeGreaterThan(3);
    wake();
    await expect(sleeping).rejects.toMatchObject({ code: "unavailable" });
    expect(await totals(engine(), from, to)).toEqual(expected);
    await compactAll(store, clock);
    expect(await worker().process(records)).toMatchObject({ commits: 0 });
    expect(await zombie.process(records)).toMatchObject({ commits: 0 });
    expect(await totals(engine(), from, to)).toEqual(expected);
  });
});

describe("a worker that was idle", () => {
  it("asks the log before it trusts its memory of more than a minute ago", async () => {
    const { worker, clock } = await rig();
    const records = recordsOf(traffic(SEED, 40));
    clock.advance(2 * HOUR);
    const [idle, other] = [worker(), worker()];
    await idle.process(records.slice(0, 5));
    await other.process(records);
    expect(await idle.lastSequence()).toBe(records[4]?.sequence);
    clock.advance(MINUTE + 1);
    expect(await idle.lastSequence()).toBe(records.at(-1)?.sequence);
  });
});

describe("a worker that comes to rest", () => {
  it("leaves a snapshot where much of the log has gathered, and none for a little", async () => {
    const records = recordsOf(traffic(SEED, 40));
    const before = await rig();
    await before.worker().process(records);
    const log = await before.store.list(`log/${SHARD.id}`);
    const bytes = log.reduce((sum, { value }) => sum + value.length, 0);

    const { store, worker } = await rig();
    const one = worker(SHARD, store, undefined, { maxLogBytes: 2 * bytes });
    await one.process(records.slice(0, 1));
    await one.rest();
    expect(await newestSnapshot(store, SHARD.id)).toBeUndefined();
    await one.process(records);
    expect(await newestSnapshot(store, SHARD.id)).toBeUndefined();
    await one.rest();
    expect(await newestSnapshot(store, SHARD.id)).toBe(await one.commits());
  });
});

describe("a worker that begins cold", () => {
  it("writes the same bytes as one that remembers, from a snapshot, from the log, or from both", async () => {
    const lines = traffic(SEED + 1, 2_200, 30);
    const records = recordsOf(lines);
    const [warm, cold] = [await rig(), await rig()];
    const remembering = warm.worker();
    let forgetful: ShardWorker = cold.worker();
    const random = new Random(SEED);
    for (let i = 0; i < records.length; i++) {
      const at = lines[i]?.arrival ?? 0;
      warm.clock.advanceTo(at);
      cold.clock.advanceTo(at);
      const batch = records.slice(i, i + 1);
      await remembering.process(batch);
      if (random.chance(0.01) || i === 1_005) forgetful = cold.worker();
      await forgetful.process(batch);
    }
    expect(await newestSnapshot(cold.store, SHARD.id)).toBeDefined();
    const [a, b] = [await warm.store.list(`log/${SHARD.id}`), await cold.store.list(`log/${SHARD.id}`)];
    expect(b.length).toBe(a.length);
    for (const [i, { value }] of a.entries())
      expect(Buffer.compare(value, b[i]?.value ?? new Uint8Array()), `commit ${i + 1}`).toBe(0);
    expect(await totals(warm.engine(), from, to + 24 * HOUR)).toEqual(
      expectedTotals(new Oracle(lines, { sites: [SITE] }), from, to + 24 * HOUR),
    );
  });
});

describe("splitting and merging shards", () => {
  it.each([1, 2, 3, 4])(
    "loses no visit and no repeat that a single shard would know, seed %i",
    async (number) => {
      const random = new Random(SEED + number);
      const recorded = [
        ...generate({
          seed: SEED + number,
          from: NOON,
          to: NOON + 3 * HOUR,
          events: 500,
          sites: [SITE],
          pages: 8,
        }),
      ];
      const lines = disturb(recorded, { duplicates: 0.4, shuffle: 40 * MINUTE }, random);
      const { clock, store, worker, engine } = await rig();
      const stream = memoryStream({ clock });
      const workers = new Map<string, ShardWorker>();
      const drain = async (): Promise<void> => {
        for (const { id, parents } of await stream.shards()) {
          // Half of the time by somebody who knows only what is stored.
          const one = random.chance(0.5) ? workers.get(id) : undefined;
          const own = one ?? worker({ id, parents });
          workers.set(id, own);
          const { records } = await stream.read(id, await own.lastSequence(), 10_000);
          await own.process(records);
        }
      };
      for (const [i, line] of lines.entries()) {
        clock.advanceTo(line.arrival);
        await stream.put({
          partitionKey: partitionKeyOf(line.envelope),
          data: encodeJson(line.envelope),
        });
        if (random.chance(0.05)) await drain();
        if (i % 60 === 59) {
          await drain();
          const open = (await stream.shards()).filter(({ closed }) => !closed).map(({ id }) => id);
          if (open.length === 1) stream.split(open[0] ?? "");
          else stream.merge(open[0] ?? "", open[1] ?? "");
        }
      }
      await drain();
      const oracle = new Oracle(lines, { sites: [SITE] });
      expect(await totals(engine(), from, to)).toEqual(expectedTotals(oracle, from, to));
      await compactAll(store, clock);
      expect(await totals(engine(), from, to)).toEqual(expectedTotals(oracle, from, to));
    },
  );
});

describe("a reader", () => {
  it("sees, between any two store operations of its own, a state that the log went through", async () => {
    const lines = traffic(SEED + 7, 300);
    const records = recordsOf(lines);
    const prefixes = Array.from({ length: lines.length + 1 }, (_, n) =>
      JSON.stringify(expectedTotals(new Oracle(lines.slice(0, n), { sites: [SITE] }), from, to)),
    );
    const { clock, store, worker, engine } = await rig();
    clock.advance(2 * HOUR);
    const random = new Random(SEED);
    const one = worker();
    let folded = 0;
    const work = async (): Promise<void> => {
      if (random.chance(0.4)) return;
      if (random.chance(0.3)) {
        await compact({ store, clock });
        return;
      }
      const batch = records.slice(folded, folded + 1 + random.below(3));
      await one.process(batch);
      folded += batch.length;
    };
    const warm = engine(interrupted(store, work));
    let reads = 0;
    while (folded < records.length) {
      const reader = random.chance(0.7) ? warm : engine(interrupted(store, work));
      const before = folded;
      const seen = JSON.stringify(await totals(reader, from, to));
      expect(prefixes.slice(before, folded + 1), `read ${reads} after ${before} records`).toContain(seen);
      reads++;
    }
    expect(reads).toBeGreaterThan(5);
    const [newest] = await newestCommits(store, SHARD.id, 1);
    expect(newest?.to).toBe(records.at(-1)?.sequence);
    await compactAll(store, clock);
    expect((await rollupsOf(store)).size).toBeGreaterThan(10);
  });
});
