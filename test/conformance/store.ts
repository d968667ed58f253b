/** What every store must do: the definition of "correct" for the store port. A driver's test calls `describeStore`. */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Item, Store } from "../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../kit/clock.ts";
import { checkAgainstModel } from "./store-model.ts";
import { bytes, freshPartition, noise, text } from "./values.ts";

export interface StoreSuiteOptions {
  /** Random schedules of the model test; fewer where every operation is a request. */
  readonly modelRuns?: number;
}

export function describeStore(
  name: string,
  open: (clock: ManualClock) => Promise<Store>,
  { modelRuns = 100 }: StoreSuiteOptions = {},
): void {
  describe(`${name} as a store`, () => {
    let clock: ManualClock;
    let store: Store;
    beforeAll(async () => {
      clock = manualClock(Date.now()); // a real service drops items that expired long ago
      store = await open(clock);
    });
    afterAll(() => store?.close());

    const put = (pk: string, sk: string, value: string, expected: number, expiresAt?: number) =>
      store.put({ pk, sk, value: bytes(value), ...(expiresAt === undefined ? {} : { expiresAt }) }, expected);
    const keysOf = (items: readonly Item[]) => items.map((item) => item.sk);

    it("has nothing where nothing was put", async () => {
      const pk = freshPartition();
      expect(await store.get({ pk, sk: "a" })).toBeUndefined();
      expect(await store.list(pk)).toEqual([]);
      expect(await store.getMany([{ pk, sk: "a" }])).toEqual([undefined]);
    });

    it("starts at version 1 and adds one with every write", async () => {
      const pk = freshPartition();
      expect(await put(pk, "a", "one", 0)).toBe(true);
      expect(await store.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 1, value: bytes("one") });
      expect(await put(pk, "a", "two", 1)).toBe(true);
      expect(await store.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 2, value: bytes("two") });
    });

    it.each([
      { name: "an item that should not exist", before: 1, expected: 0 },
      { name: "an older version", before: 2, expected: 1 },
      { name: "a version that is not there yet", before: 1, expected: 2 },
      { name: "an item that is not there", before: 0, expected: 1 },
    ])("refuses to write over $name and changes nothing", async ({ before, expected }) => {
      const pk = freshPartition();
      for (let v = 0; v < before; v++) await put(pk, "a", `v${v + 1}`, v);
      const old = await store.get({ pk, sk: "a" });
      expect(await put(pk, "a", "intruder", expected)).toBe(false);
      expect(await store.get({ pk, sk: "a" })).toEqual(old);
    });

    it("lets exactly one of many concurrent writers win", async () => {
      const pk = freshPartition();
      for (let version = 0; version < 3; version++) {
        const wins = await Promise.all(Array.from({ length: 8 }, (_, i) => put(pk, "a", `w${i}`, version)));
        expect(wins.filter(Boolean)).toHaveLength(1);
        const item = await store.get({ pk, sk: "a" });
        expect(item?.version).toBe(version + 1);
        expect(text(item)).toBe(`w${wins.indexOf(true)}`);
      }
    });

    it("keeps every concurrent put of different items", async () => {
      const pk = freshPartition();
      const names = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, "0")}`);
      const wins = await Promise.all(names.map((sk) => put(pk, sk, sk, 0)));
      expect(wins.every(Boolean)).toBe(true);
      expect((await store.list(pk)).map((item) => [item.sk, text(item)])).toEqual(names.map((n) => [n, n]));
    });

    it("reads many keys in their order, with gaps, repetitions and more than one partition", async () => {
      const [one, two] = [freshPartition(), freshPartition()];
      await put(one, "a", "1a", 0);
      await put(one, "c", "1c", 0);
      await put(two, "a", "2a", 0);
      const found = await store.getMany([
        { pk: two, sk: "a" },
        { pk: one, sk: "c" },
        { pk: one, sk: "b" },
        { pk: one, sk: "c" },
        { pk: one, sk: "a" },
      ]);
      expect(found.map(text)).toEqual(["2a", "1c", undefined, "1c", "1a"]);
      expect(await store.getMany([])).toEqual([]);
    });

    it("reads more keys at once than any service takes in one request", async () => {
      const pk = freshPartition();
      const names = Array.from({ length: 230 }, (_, i) => `k${i}`);
      for (let i = 0; i < names.length; i += 23)
        await Promise.all(names.slice(i, i + 23).map((sk) => put(pk, sk, sk, 0)));
      const found = await store.getMany(names.map((sk) => ({ pk, sk })));
      expect(found.map(text)).toEqual(names);
      await store.delete(names.map((sk) => ({ pk, sk })));
      expect(await store.list(pk)).toEqual([]);
    });

    it("lists a half-open range in the order of UTF-8 bytes", async () => {
      const pk = freshPartition();
      // UTF-16 order would put the emoji (a surrogate pair) before U+FF5E.
      const names = ["A", "Z", "a", "a\u0001", "a!", "ab", "b", "é", "한국", "\uff5e", "😀", "😀a"];
      expect(names.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))).toEqual(names);
      for (const sk of names.toReversed()) await put(pk, sk, sk, 0);
      expect(keysOf(await store.list(pk))).toEqual(names);
      for (const [from, to] of [
        ["a", "b"],
        ["é", "😀"],
        ["\uff5e", undefined],
        [undefined, "a!"],
        ["", "A"],
        ["b", "b"],
        ["b", "a"],
        ["B", "a"],
      ] as const) {
        const expected = names.filter(
          (sk) =>
            (from === undefined || Buffer.compare(Buffer.from(sk), Buffer.from(from)) >= 0) &&
            (to === undefined || Buffer.compare(Buffer.from(sk), Buffer.from(to)) < 0),
        );
        const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
        expect(keysOf(await store.list(pk, range)), `from ${from} to ${to}`).toEqual(expected);
        expect(keysOf(await store.list(pk, { ...range, reverse: true }))).toEqual(expected.toReversed());
        expect(keysOf(await store.list(pk, { ...range, limit: 2 }))).toEqual(expected.slice(0, 2));
      }
    });

    it("lists one partition only", async () => {
      const pk = freshPartition();
      await put(pk, "a", "mine", 0);
      await put(`${pk}0`, "a", "other", 0);
      expect((await store.list(pk)).map(text)).toEqual(["mine"]);
    });

    it.each([
      { name: "an empty pk", pk: "", sk: "a" },
      { name: "an empty sk", pk: "p", sk: "" },
      { name: "a pk beyond 2,040 bytes", pk: "한".repeat(681), sk: "a" },
      { name: "an sk beyond 990 bytes", pk: "p", sk: "한".repeat(331) },
    ])("refuses to put under $name, which some store could not hold", async ({ pk, sk }) => {
      await expect(put(pk, sk, "", 0)).rejects.toMatchObject({ code: "invariant" });
    });

    it("takes the longest keys there may be, with large values too", async () => {
      const pk = freshPartition().padEnd(2_040, "p");
      const sk = "한".repeat(330);
      const value = noise(500_000, 5);
      expect(await store.put({ pk, sk, value }, 0)).toBe(true);
      expect((await store.list(pk)).map((item) => item.value.length)).toEqual([value.length]);
      await store.delete([{ pk, sk }]);
      expect(await store.list(pk)).toEqual([]);
    });

    it("gives none for a limit of none, and all without one", async () => {
      const pk = freshPartition();
      for (const sk of ["1", "2", "3"]) await put(pk, sk, sk, 0);
      expect(await store.list(pk, { limit: 0 })).toEqual([]);
      expect(await store.list(pk, { limit: Number.POSITIVE_INFINITY })).toHaveLength(3);
    });

    it("gives the last items first when reversed, up to the limit", async () => {
      const pk = freshPartition();
      for (const sk of ["1", "2", "3", "4"]) await put(pk, sk, sk, 0);
      expect(keysOf(await store.list(pk, { reverse: true, limit: 2 }))).toEqual(["4", "3"]);
      expect(keysOf(await store.list(pk, { reverse: true, limit: 1, to: "3" }))).toEqual(["2"]);
    });

    it("deletes whatever version there is, and starts again at version 1", async () => {
      const pk = freshPartition();
      await put(pk, "a", "one", 0);
      await put(pk, "a", "two", 1);
      await store.delete([
        { pk, sk: "a" },
        { pk, sk: "never there" },
      ]);
      expect(await store.get({ pk, sk: "a" })).toBeUndefined();
      expect(await put(pk, "a", "three", 2)).toBe(false);
      expect(await put(pk, "a", "three", 0)).toBe(true);
      expect((await store.get({ pk, sk: "a" }))?.version).toBe(1);
      await store.delete([]);
    });

    it("hides an item from the very millisecond it expires", async () => {
      const pk = freshPartition();
      const expiresAt = clock.now() + 1_500;
      await put(pk, "a", "short", 0, expiresAt);
      await put(pk, "b", "long", 0);
      clock.advance(1_499);
      expect(await store.get({ pk, sk: "a" })).toMatchObject({ version: 1, expiresAt });
      expect(keysOf(await store.list(pk))).toEqual(["a", "b"]);
      clock.advance(1);
      expect(await store.get({ pk, sk: "a" })).toBeUndefined();
      expect(await store.getMany([{ pk, sk: "a" }])).toEqual([undefined]);
      expect(keysOf(await store.list(pk))).toEqual(["b"]);
      expect(keysOf(await store.list(pk, { limit: 1 }))).toEqual(["b"]);
    });

    it("takes an expired item as none: its old version is refused, a new one may be put in its place", async () => {
      const pk = freshPartition();
      await put(pk, "a", "old", 0, clock.now() + 10);
      await put(pk, "a", "older", 1, clock.now() + 10);
      clock.advance(10);
      expect(await put(pk, "a", "late", 2)).toBe(false);
      expect(await put(pk, "a", "new", 0)).toBe(true);
      const item = await store.get({ pk, sk: "a" });
      expect(text(item)).toBe("new");
      expect(item).not.toHaveProperty("expiresAt");
      // 3 while the expired item was still there, 1 if it had been deleted for good.
      expect([3, 1]).toContain(item?.version);
    });

    it("replaces the expiry with every write", async () => {
      const pk = freshPartition();
      await put(pk, "a", "one", 0, clock.now() + 10);
      await put(pk, "a", "two", 1);
      clock.advance(10);
      expect(text(await store.get({ pk, sk: "a" }))).toBe("two");
      await put(pk, "a", "three", 2, clock.now() + 10);
      clock.advance(10);
      expect(await store.get({ pk, sk: "a" })).toBeUndefined();
    });

    it.each([
      { name: "no bytes", value: new Uint8Array(0) },
      { name: "one zero byte", value: new Uint8Array(1) },
      { name: "every byte value", value: Uint8Array.from({ length: 256 }, (_, i) => i) },
      { name: "300 KB of noise", value: noise(300_000, 7) },
      { name: "3 MB of noise", value: noise(3_000_000, 8) },
      { name: "5 MB of zeros", value: new Uint8Array(5_000_000) },
    ])("returns a value of $name unchanged by every kind of read", async ({ value }) => {
      const pk = freshPartition();
      const same = (item: Item | undefined) => item !== undefined && Buffer.compare(item.value, value) === 0;
      expect(await store.put({ pk, sk: "v", value }, 0)).toBe(true);
      expect(same(await store.get({ pk, sk: "v" }))).toBe(true);
      expect(same((await store.getMany([{ pk, sk: "v" }]))[0])).toBe(true);
      const listed = await store.list(pk);
      expect(listed).toHaveLength(1);
      expect(same(listed[0])).toBe(true);
      await store.delete([{ pk, sk: "v" }]);
    });

    it("is not affected by what callers later do to the bytes", async () => {
      const pk = freshPartition();
      const value = bytes("mine");
      await store.put({ pk, sk: "a", value }, 0);
      value.fill(0);
      const first = await store.get({ pk, sk: "a" });
      expect(text(first)).toBe("mine");
      first?.value.fill(0);
      expect(text(await store.get({ pk, sk: "a" }))).toBe("mine");
    });

    it("behaves like a plain map under random puts, reads, deletes and expiries", async () => {
      await fc.assert(
        checkAgainstModel(() => store, clock),
        { numRuns: modelRuns },
      );
    }, 30_000);
  });
}
