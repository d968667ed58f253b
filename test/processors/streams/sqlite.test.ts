import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { sqliteStream } from "../../../processors/streams/sqlite.ts";
import { acknowledgedBeforeKill } from "../../conformance/crash.ts";
import { describeStream } from "../../conformance/stream.ts";
import { manualClock } from "../../kit/clock.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const directory = temporaryDirectory();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describeStream("sqlite", async ({ clock, shards }) => {
  const stream = sqliteStream({ path: join(directory, "suite.db"), clock, shards });
  return { stream, trims: true, usesClock: true };
});

it("has every acknowledged record after kill -9, in the order of its sequence numbers", async () => {
  const path = join(directory, "killed.db");
  const names = await acknowledgedBeforeKill("stream", path, 300);
  expect(names.length).toBeGreaterThanOrEqual(300);
  const stream = sqliteStream({ path, clock: manualClock() });
  const [shard] = await stream.shards();
  const { records } = await stream.read(shard!.id, "", 100_000);
  const found = new Map(records.map((it) => [it.partitionKey, new TextDecoder().decode(it.data)]));
  expect(names.map((name) => found.get(name))).toEqual(names.map((name) => `data of ${name}`));
  expect(records).toHaveLength(found.size);
  await stream.close();
});

it("keeps its shards and goes on with its sequence numbers when it is opened again, even after all was trimmed", async () => {
  const path = join(directory, "again.db");
  const clock = manualClock();
  const first = sqliteStream({ path, clock, shards: 3 });
  const { shard, sequence } = await first.put({ partitionKey: "a", data: bytes("one") });
  await first.trim(shard, sequence);
  const shards = await first.shards();
  await first.close();
  const second = sqliteStream({ path, clock, shards: 1 });
  expect(await second.shards()).toEqual(shards);
  const next = await second.put({ partitionKey: "a", data: bytes("two") });
  expect(next.shard).toBe(shard);
  expect(BigInt(next.sequence)).toBe(BigInt(sequence) + 1n);
  await second.close();
});

it("goes on after the numbers that a reader has seen where its file was lost, or is an older copy", async () => {
  const path = join(directory, "lost.db");
  const clock = manualClock(0);
  for (const [last, next] of [
    ["", 1],
    ["100", 101],
    ["50", 102],
  ] as const) {
    const seen = new Map([["shardId-000000000000", last]]);
    const stream = sqliteStream({ path, clock, seen });
    const { shard, sequence } = await stream.put({ partitionKey: "a", data: bytes("x") });
    expect(sequence).toBe(String(next));
    const { records } = await stream.read(shard, String(next - 1), 10);
    expect(records.map((record) => record.sequence)).toEqual([sequence]);
    await stream.close();
  }
});

it("gives no number again when it was put back from a backup together with the store that had seen it", async () => {
  const path = join(directory, "restored.db");
  const clock = manualClock();
  const put = async (): Promise<number[]> => {
    const stream = sqliteStream({ path, clock, shards: 2 });
    const given = await Promise.all(
      ["a", "b", "c", "d"].map((partitionKey) => stream.put({ partitionKey, data: bytes("x") })),
    );
    await stream.close();
    return given.map(({ sequence }) => Number(sequence));
  };
  await put();
  await copyFile(path, `${path}.backup`);
  clock.advance(1_000);
  const before = await put();
  await copyFile(`${path}.backup`, path);
  clock.advance(1_000);
  const after = await put();
  expect(after.filter((sequence) => before.includes(sequence))).toEqual([]);
  // Each still in its shard's run, whatever the clock says.
  clock.advance(200 * 365 * 86_400_000);
  expect((await put()).map((sequence) => Math.floor(sequence / 2 ** 42))).toEqual(
    before.map((sequence) => Math.floor(sequence / 2 ** 42)),
  );
});

it("refuses to go on where another stream was read, because none of its records would be", () => {
  const path = join(directory, "another.db");
  const seen = new Map([
    ["shardId-000000000000", "49590338271490256608559692538361571095921575989136588898"],
  ]);
  expect(() => sqliteStream({ path, clock: manualClock(), seen })).toThrow("read in another stream");
});

it("commits the puts of one turn together, in the order in which they were made", async () => {
  const path = join(directory, "group.db");
  const stream = sqliteStream({ path, clock: manualClock() });
  const other = new DatabaseSync(path, { readOnly: true });
  const count = other.prepare("SELECT count(*) AS n FROM records");
  const puts = Array.from({ length: 100 }, (_, i) => stream.put({ partitionKey: "a", data: bytes(`${i}`) }));
  expect(count.get()).toEqual({ n: 0 });
  await Promise.race(puts);
  expect(count.get()).toEqual({ n: 100 });
  const sequences = (await Promise.all(puts)).map((it) => Number(it.sequence));
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  other.close();
  await stream.close();
});

it("really deletes what is trimmed, however much it is", async () => {
  const path = join(directory, "trim.db");
  const stream = sqliteStream({ path, clock: manualClock() });
  const puts = Array.from({ length: 5_000 }, () => stream.put({ partitionKey: "a", data: bytes("x") }));
  const last = (await Promise.all(puts)).at(-1)!;
  await stream.put({ partitionKey: "a", data: bytes("kept") });
  await stream.trim(last.shard, last.sequence);
  await stream.close();
  const file = new DatabaseSync(path, { readOnly: true });
  expect(file.prepare("SELECT count(*) AS n FROM records").get()).toEqual({ n: 1 });
  file.close();
});

it.each([0, -1, 1.5, 2_049])("refuses to be made with %d shards", (shards) => {
  const path = join(directory, "never.db");
  expect(() => sqliteStream({ path, clock: manualClock(), shards })).toThrow(`got ${shards}`);
});
