/** Snapshots that hold what has changed: whatever chain they make, it is read as the state that the log gives. */
import { describe, expect, it } from "vitest";
import { slot } from "../../../processors/pipeline/commit.ts";
import { Snapshots } from "../../../processors/pipeline/snapshots.ts";
import { newVisitor, ShardState, type StateChange } from "../../../processors/pipeline/state.ts";
import { baseOf } from "../../../processors/pipeline/statebytes.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { Random } from "../../kit/random.ts";
import { HOUR, MINUTE, NOON } from "./lines.ts";
import { rig, SHARD } from "./rig.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_129);
const PK = `state/${SHARD.id}`;

/** Commit n of a shard that is visited by a few hundred people, and sometimes by imported ones. */
function changeOf(state: ShardState, random: Random, watermark = state.watermark + MINUTE): StateChange {
  const n = state.n + 1;
  const ordinal = state.ordinal + 1 + random.below(3);
  const pastOrdinal = state.past.ordinal + random.below(3);
  const visitor = (number: number) => ({ ...newVisitor(), ordinal: number, receivedAt: watermark });
  return {
    n,
    to: String(n),
    ordinal,
    watermark,
    counters: { ...state.counters, batches: n },
    visitors: new Map([[`v${random.below(300)}`, visitor(state.ordinal + 1)]]),
    batchIds: [random.uint32()],
    ...(pastOrdinal > state.past.ordinal
      ? {
          past: { ordinal: pastOrdinal, visitors: new Map([[`p${random.below(50)}`, visitor(pastOrdinal)]]) },
        }
      : {}),
  };
}

const keysIn = async (store: Store): Promise<string[]> => (await store.list(PK)).map(({ sk }) => sk);
/** For each snapshot that is stored, the one that it goes on from. */
const basesIn = async (store: Store): Promise<(number | undefined)[]> =>
  (await store.list(PK)).map(({ value }) => baseOf(value));

async function started() {
  const { store } = await rig();
  const state = new ShardState();
  state.watermark = NOON;
  return { store, state, random: new Random(SEED), snapshots: new Snapshots(store, SHARD.id) };
}

describe("snapshots", () => {
  it("hold what has changed since the last, until they are as large as the whole", async () => {
    const { store, state, random, snapshots } = await started();
    const kinds: string[] = [];
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < 20; j++) state.apply(changeOf(state, random));
      await snapshots.write(state);
      kinds.push((await basesIn(store)).at(-1) === undefined ? "whole" : "part");
    }
    expect(kinds.slice(0, 3)).toEqual(["whole", "part", "whole"]);
    const wholes = kinds.filter((kind) => kind === "whole").length;
    expect(wholes).toBeLessThan(8);
    expect(wholes).toBeGreaterThan(3);
  });

  it.each([1, 2, 3])("are read as the state that was written, entry by entry, seed %i", async (seed) => {
    const { store, state, snapshots } = await started();
    const random = new Random(SEED + seed);
    let own = snapshots;
    for (let i = 0; i < 25; i++) {
      for (let j = random.below(15); j >= 0; j--) state.apply(changeOf(state, random));
      // Half of the time by somebody who knows only what is stored.
      if (random.chance(0.5)) {
        own = new Snapshots(store, SHARD.id);
        await own.load();
      }
      await own.write(state);
      const read = await new Snapshots(store, SHARD.id).load();
      expect(read).toEqual(state);
      expect([...read.visitors.keys()]).toEqual([...state.visitors.keys()]);
      expect([...read.batchIds]).toEqual([...state.batchIds]);
      expect([...read.past.visitors.keys()]).toEqual([...state.past.visitors.keys()]);
    }
  });

  it("are whole once a day, so that no visitor is kept for much longer than two", async () => {
    const { store, state, random, snapshots } = await started();
    for (let i = 0; i < 200; i++) state.apply(changeOf(state, random));
    await snapshots.write(state);
    for (let hour = 1; hour <= 25; hour++) {
      state.apply(changeOf(state, random, NOON + 3 * HOUR + hour * HOUR));
      await snapshots.write(state);
    }
    const bases = await basesIn(store);
    expect(bases.filter((base) => base === undefined)).toHaveLength(2);
    const newest = await new Snapshots(store, SHARD.id).load();
    expect(newest.visitors.size).toBeLessThan(state.visitors.size);
    // A day before the newest, and an hour for batches that were received earlier than others before them.
    for (const { receivedAt } of newest.visitors.values())
      expect(receivedAt).toBeGreaterThanOrEqual(NOON + 3 * HOUR);
  });

  it("go when two chains have begun after theirs, and not before", async () => {
    const { store, state, random, snapshots } = await started();
    const step = async (): Promise<string> => {
      state.apply(changeOf(state, random, state.watermark + 25 * HOUR));
      await snapshots.write(state);
      return slot(state.n);
    };
    const [first, second] = [await step(), await step()];
    expect(await keysIn(store)).toEqual([first, second]);
    const third = await step();
    expect(await keysIn(store)).toEqual([second, third]);
    // A worker that comes new takes up the deleting where it was.
    const other = new Snapshots(store, SHARD.id);
    expect((await other.load()).n).toBe(state.n);
    state.apply(changeOf(state, random));
    await other.write(state);
    expect(await keysIn(store)).toEqual([third, slot(state.n)]);
  });

  it("of two workers that both write make two chains, each of them right", async () => {
    const { store, state, random, snapshots } = await started();
    for (let i = 0; i < 50; i++) state.apply(changeOf(state, random));
    await snapshots.write(state);
    const slow = new Snapshots(store, SHARD.id);
    const slowState = await slow.load();
    for (let i = 0; i < 5; i++) {
      const change = changeOf(state, random);
      state.apply(change);
      slowState.apply(change);
      await snapshots.write(state);
      if (i % 2 === 1) await slow.write(slowState);
      expect(await new Snapshots(store, SHARD.id).load()).toEqual(state);
    }
    state.apply(changeOf(state, random, state.watermark + 25 * HOUR));
    await snapshots.write(state);
    slowState.apply(changeOf(slowState, random));
    slowState.n++;
    await slow.write(slowState);
    expect(await new Snapshots(store, SHARD.id).load()).toEqual(slowState);
  });

  it("whose beginning is gone are refused, naming it", async () => {
    const { store, state, random, snapshots } = await started();
    for (let i = 0; i < 40; i++) state.apply(changeOf(state, random));
    await snapshots.write(state);
    state.apply(changeOf(state, random));
    await snapshots.write(state);
    await store.delete([{ pk: PK, sk: slot(40) }]);
    await expect(new Snapshots(store, SHARD.id).load()).rejects.toThrow(
      `${slot(41)} goes on from ${slot(40)}, which is gone`,
    );
  });
});
