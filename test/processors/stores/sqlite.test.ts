import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it, vi } from "vitest";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import { acknowledgedBeforeKill } from "../../conformance/crash.ts";
import { describeStore } from "../../conformance/store.ts";
import { bytes, text } from "../../conformance/values.ts";
import { manualClock } from "../../kit/clock.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const directory = temporaryDirectory();

describeStore("sqlite", async (clock) => sqliteStore({ path: join(directory, "suite.db"), clock }), {
  modelRuns: 200,
});

it("has every acknowledged put after kill -9", async () => {
  const path = join(directory, "killed.db");
  const names = await acknowledgedBeforeKill("store", path, 300);
  expect(names.length).toBeGreaterThanOrEqual(300);
  const store = sqliteStore({ path, clock: manualClock() });
  const found = await store.getMany(names.map((sk) => ({ pk: "crash", sk })));
  expect(found.map(text)).toEqual(names.map((name) => `data of ${name}`));
  await store.close();
});

it("keeps items, versions and expiries when it is opened again", async () => {
  const path = join(directory, "new", "directory", "again.db");
  const clock = manualClock();
  const key = { pk: "p", sk: "s" };
  const expiresAt = clock.now() + 1_000;
  const first = sqliteStore({ path, clock });
  await first.put({ ...key, value: bytes("one") }, 0);
  await first.put({ ...key, value: bytes("two"), expiresAt }, 1);
  await first.close();
  const second = sqliteStore({ path, clock });
  expect(await second.get(key)).toEqual({ ...key, value: bytes("two"), version: 2, expiresAt });
  expect(await second.put({ ...key, value: bytes("three") }, 2)).toBe(true);
  await second.close();
});

it("commits the puts of one turn together", async () => {
  const path = join(directory, "group.db");
  const store = sqliteStore({ path, clock: manualClock() });
  const other = new DatabaseSync(path, { readOnly: true });
  const count = other.prepare("SELECT count(*) AS n FROM items");
  const puts = Array.from({ length: 100 }, (_, i) => store.put({ pk: "p", sk: `${i}`, value: bytes("") }, 0));
  expect(count.get()).toEqual({ n: 0 });
  await Promise.race(puts);
  expect(count.get()).toEqual({ n: 100 });
  other.close();
  await store.close();
});

it("lets two processes compete for one file: one wins each version", async () => {
  const path = join(directory, "shared.db");
  const clock = manualClock();
  const stores = [sqliteStore({ path, clock }), sqliteStore({ path, clock })];
  for (let version = 0; version < 5; version++) {
    const wins = await Promise.all(
      stores.map((it) => it.put({ pk: "p", sk: "s", value: bytes("") }, version)),
    );
    expect(wins.filter(Boolean)).toHaveLength(1);
  }
  for (const store of stores) await store.close();
});

it("finishes what was asked before it closes, and refuses what comes after", async () => {
  const path = join(directory, "closing.db");
  const item = { pk: "p", sk: "s", value: bytes("last") };
  const store = sqliteStore({ path, clock: manualClock() });
  const put = store.put(item, 0);
  await store.close();
  expect(await put).toBe(true);
  await expect(store.put(item, 1)).rejects.toMatchObject({ code: "unavailable" });
  await expect(store.get(item)).rejects.toMatchObject({ code: "unavailable" });
  await store.close();
  expect(existsSync(`${path}-wal`)).toBe(false); // all is in the one file
});

it("deletes expired items for good where nothing is put, within ten minutes and when it is opened", async () => {
  const path = join(directory, "quiet.db");
  const clock = manualClock();
  const rows = (): unknown => {
    const file = new DatabaseSync(path, { readOnly: true });
    const found = file.prepare("SELECT sk FROM items ORDER BY sk").all();
    file.close();
    return found.map(({ sk }) => sk);
  };
  const first = sqliteStore({ path, clock });
  for (const [sk, expiresAt] of [
    ["a", clock.now() + 1_000],
    ["b", clock.now() + 3_600_000],
    ["c", clock.now() + 7_200_000],
  ] as const)
    await first.put({ pk: "salt", sk, value: bytes(sk), expiresAt }, 0);
  clock.advance(600_000);
  await first.list("site");
  await vi.waitFor(() => expect(rows()).toEqual(["b", "c"]), { interval: 1 });
  clock.advance(3_600_000);
  await first.get({ pk: "salt", sk: "b" });
  await first.close();
  expect(rows()).toEqual(["c"]);
  clock.advance(3_600_000);
  const second = sqliteStore({ path, clock });
  await second.getMany([{ pk: "salt", sk: "c" }]);
  await second.close();
  expect(rows()).toEqual([]);
});

it("deletes expired items for good as puts go on", async () => {
  const path = join(directory, "expiry.db");
  const clock = manualClock();
  const store = sqliteStore({ path, clock });
  const put = (sk: string, expiresAt?: number) =>
    store.put({ pk: "p", sk, value: bytes(""), ...(expiresAt === undefined ? {} : { expiresAt }) }, 0);
  await Promise.all(Array.from({ length: 200 }, (_, i) => put(`old ${i}`, clock.now() + 10)));
  clock.advance(10);
  await Promise.all(Array.from({ length: 300 }, (_, i) => put(`new ${i}`)));
  await store.close();
  const file = new DatabaseSync(path, { readOnly: true });
  expect(file.prepare("SELECT count(*) AS n FROM items").get()).toEqual({ n: 300 });
  file.close();
});

it("stores compressible values small", async () => {
  const path = join(directory, "small.db");
  const store = sqliteStore({ path, clock: manualClock() });
  await store.put({ pk: "p", sk: "s", value: bytes("pageview ".repeat(10_000)) }, 0);
  await store.close();
  const file = new DatabaseSync(path, { readOnly: true });
  expect(file.prepare("SELECT length(value) AS n FROM items").get()!.n).toBeLessThan(200);
  file.close();
});
