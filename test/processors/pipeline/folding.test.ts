/** What stands alone in a full table is what was visited most, whatever came in which order, together or apart. */

import { describe, expect, it } from "vitest";
import { OTHER } from "../../../processors/model/dimensions.ts";
import { putAside } from "../../../processors/model/overflow.ts";
import { Rollup } from "../../../processors/model/rollup.ts";
import {
  Bundle,
  type Contribution,
  foldBase,
  foldInto,
  packWindow,
} from "../../../processors/pipeline/folding.ts";
import { decodeItem, instantKey, partition } from "../../../processors/pipeline/rollups.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { manualClock } from "../../kit/clock.ts";
import { crashingStore } from "../../kit/crash.ts";
import { Random } from "../../kit/random.ts";
import { DAY, HOUR, NOON, SITE } from "./lines.ts";
import { interrupted } from "./rig.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_129);
const LIMITS = { rows: 10, rest: 1_000 };
const HOUR_ITEM = { pk: partition("hour", SITE), sk: instantKey(NOON) };
const RESTS = partition("hour-rests", SITE);
const SHARDS = ["a", "b"];
const COMMITS = 12;

/** Views of some fifty pages, and visits whose exit moves on: what an earlier commit counted of it is taken back. */
function commitsOf(random: Random, shard: string): Contribution[] {
  const exits: string[] = [];
  return Array.from({ length: COMMITS }, (_, i) => {
    const rollup = new Rollup();
    for (let left = random.below(40); left > 0; left--) {
      const path = `/${Math.floor(50 * random.unit() ** 2)}`;
      const page = rollup.row("event:page", path)!;
      page.events++;
      page.pageviews++;
      page.addVisitor(random.uint32(), random.uint32());
      const old = random.chance(0.5) ? exits.pop() : undefined;
      if (old !== undefined) rollup.row("visit:exit_page", old)!.visits--;
      rollup.row("visit:exit_page", path)!.visits++;
      exits.push(path);
      rollup.totals.events++;
    }
    return { shard, n: i + 1, rollup };
  });
}

/** Kept rows, and those put aside. */
async function stored(store: Store): Promise<{ readonly table: string; readonly rest: string | undefined }> {
  const { rollup, rest } = decodeItem((await store.get(HOUR_ITEM))!);
  const item = rest === undefined ? undefined : await store.get({ pk: RESTS, sk: `${HOUR_ITEM.sk} ${rest}` });
  const hex = (one: Rollup | undefined): string => Buffer.from(one!.encode()).toString("hex");
  return { table: hex(rollup), rest: item && hex(Rollup.decode(item.value)) };
}

const added = (rollups: readonly Rollup[]): Rollup => {
  const sum = new Rollup();
  for (const rollup of rollups) sum.merge(rollup);
  return sum;
};

describe(`a table of five times as many rows as it may have (RIVULET_SEED=${SEED})`, () => {
  it("is the same bytes in whatever portions it is folded, by however many, who die anywhere", async () => {
    for (let schedule = 0; schedule < 25; schedule++) {
      const random = Random.of(SEED, schedule);
      const clock = manualClock(NOON);
      const store = memoryStore({ clock });
      const commits = new Map(SHARDS.map((shard) => [shard, commitsOf(random, shard)]));
      const done = new Map(SHARDS.map((shard) => [shard, 0]));
      const base = added(commitsOf(random, "archived").map(({ rollup }) => rollup));
      const fold = async (behind: Store, through: ReadonlyMap<string, number>): Promise<unknown> => {
        const parts = SHARDS.flatMap((shard) =>
          commits.get(shard)!.filter(({ n }) => n > done.get(shard)! && n <= through.get(shard)!),
        );
        const [one, two] = [parts.filter(({ n }) => n % 2 === 0), parts.filter(({ n }) => n % 2 === 1)];
        const terms = { now: clock.now(), limits: LIMITS };
        const bundles = [new Bundle(...one), new Bundle(...two)];
        return foldInto(behind, HOUR_ITEM, bundles, through, terms);
      };
      const isBasedAt = random.below(3 * COMMITS);
      for (let step = 0; SHARDS.some((shard) => done.get(shard)! < COMMITS) || step <= isBasedAt; step++) {
        clock.advance(HOUR);
        if (step === isBasedAt)
          await foldBase(store, HOUR_ITEM, packWindow(added([base]), LIMITS), {
            now: clock.now(),
            limits: LIMITS,
          });
        const some = (): Map<string, number> =>
          new Map([...done].map(([shard, n]) => [shard, Math.min(COMMITS, n + random.below(4))]));
        const [mine, others] = [some(), some()];
        const dying = crashingStore(store, random.below(6), random.chance(0.5));
        await fold(dying, mine).catch(() => {});
        // Of two at once one meets what the other has done.
        await Promise.all([fold(store, mine), fold(store, others)]);
        for (const [shard, n] of mine) done.set(shard, Math.max(n, others.get(shard)!));
      }
      const whole = added([base, ...[...commits.values()].flat().map(({ rollup }) => rollup)]);
      const aside = putAside(whole, LIMITS)!;
      const found = await stored(store);
      const label = `RIVULET_SEED=${SEED}, schedule ${schedule}`;
      expect(found.table, label).toBe(Buffer.from(whole.encode()).toString("hex"));
      expect(found.rest, label).toBe(Buffer.from(aside.encode()).toString("hex"));
    }
  });
});

describe("a rest", () => {
  const page = (path: string, events: number): Rollup => {
    const rollup = new Rollup();
    rollup.row("event:page", path)!.events = events;
    return rollup;
  };
  const limits = { rows: 3, rest: 4 };
  /** Two of them fall. */
  const FALLING = [
    ["/a", 5],
    ["/b", 4],
    ["/c", 3],
    ["/d", 2],
  ] as const;
  const table = async (store: Store): Promise<Record<string, number>> => {
    const rows = decodeItem((await store.get(HOUR_ITEM))!).rollup!.table("event:page")!;
    return Object.fromEntries([...rows].map(([value, { events }]) => [value, events]));
  };
  const counting = () => {
    const clock = manualClock(NOON);
    const store = memoryStore({ clock });
    let n = 0;
    const count = async (path: string, events: number, behind = store): Promise<void> => {
      const bundle = new Bundle({ shard: "a", n: ++n, rollup: page(path, events) });
      await foldInto(behind, HOUR_ITEM, [bundle], new Map([["a", n]]), { now: clock.now(), limits });
    };
    return { clock, store, count };
  };

  it("lets a row rise that fell before", async () => {
    const { store, count } = counting();
    for (const [path, events] of FALLING) await count(path, events);
    expect(await table(store)).toEqual({ "/a": 5, "/b": 4, [OTHER]: 5 });
    await count("/d", 3);
    expect(await table(store)).toEqual({ "/a": 5, "/d": 5, [OTHER]: 7 });
  });

  it("is one item, whatever was folded, and none when there is nothing to put aside any more", async () => {
    const { store, count } = counting();
    for (const path of ["/a", "/b", "/c", "/d", "/e"]) await count(path, 2);
    expect(await store.list(RESTS)).toHaveLength(1);
    for (const path of ["/d", "/e"]) await count(path, -2);
    expect(await table(store)).toEqual({ "/a": 2, "/b": 2, "/c": 2 });
    expect(await store.list(RESTS)).toEqual([]);
  });

  it("is not written again when it is the same as before", async () => {
    const { store, count } = counting();
    for (const path of ["/a", "/b", "/c", "/d"]) await count(path, 2);
    const puts: string[] = [];
    const watched = interrupted(store, async (operation, pk) => void (operation !== "get" && puts.push(pk)));
    await count("/a", 1, watched);
    expect(puts).toEqual([HOUR_ITEM.pk]);
    await count("/c", 1, watched);
    expect(new Set(puts)).toEqual(new Set([HOUR_ITEM.pk, RESTS]));
  });

  it("is over eight days after it was written: counts stay exact, and what fell before stays in (other)", async () => {
    const { clock, store, count } = counting();
    for (const [path, events] of FALLING) await count(path, events);
    clock.advance(8 * DAY - 1);
    expect(await store.list(RESTS)).toHaveLength(1);
    clock.advance(1);
    await count("/d", 3);
    expect(await table(store)).toEqual({ "/a": 5, "/b": 4, [OTHER]: 8 });
    await count("/d", 1);
    expect(await table(store)).toEqual({ "/a": 5, "/b": 4, [OTHER]: 9 });
    await count("/d", 1);
    expect(await table(store)).toEqual({ "/a": 5, "/d": 5, [OTHER]: 9 });
  });

  it("that is full loses its least visited rows into (other), with every sum, and a long value takes more of it", async () => {
    const { store, count } = counting();
    const long = `/${"x".repeat(300)}`;
    for (const [path, events] of [
      ["/a", 9],
      ["/b", 8],
      ["/c", 7],
      ["/d", 6],
      [long, 2],
      ["/e", 1],
    ] as const)
      await count(path, events);
    expect(await table(store)).toEqual({ "/a": 9, "/b": 8, [OTHER]: 16 });
    const [rest] = await store.list(RESTS);
    const aside = Rollup.decode(rest!.value).table("event:page")!;
    expect([...aside].map(([value, { events }]) => [value, events])).toEqual([
      [OTHER, 2],
      ["/c", 7],
      ["/d", 6],
      ["/e", 1],
    ]);
    // A correction of what is lost finds it there.
    await count(long, -1);
    expect(await table(store)).toEqual({ "/a": 9, "/b": 8, [OTHER]: 15 });
  });

  it("has room for every table, and only the largest lose rows", () => {
    const rollup = new Rollup();
    for (const [dimension, rows] of [
      ["visit:source", 5],
      ["event:page", 40],
      ["visit:entry_page", 30],
    ] as const)
      for (let i = 0; i < rows; i++) rollup.row(dimension, `${i}`)!.visits = 1;
    const rest = putAside(rollup, { rows: 4, rest: 23 })!;
    const sizes = ["visit:source", "event:page", "visit:entry_page"].map((name) => rest.table(name)?.size);
    // Two of five fell; ten are left for each of the others, and one row says how much was lost.
    expect(sizes).toEqual([2, 11, 11]);
  });
});
