/** What every stream must do: the definition of "correct" for the stream port. A driver's test calls `describeStream`. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareSequences, type Stream, type StreamRecord } from "../../processors/streams/stream.ts";
import { type ManualClock, manualClock } from "../kit/clock.ts";
import { noise } from "./values.ts";

/** A stream under test; the rest is what only the driver's test can do. */
export interface OpenStream {
  readonly stream: Stream;
  /** Does `trim` delete? (Kinesis forgets by age alone.) */
  readonly trims: boolean;
  /** True when arrival times are those of the manual clock. */
  readonly usesClock: boolean;
  /** Left out where the number of shards is fixed. Resolve when the new shards take records. */
  readonly reshard?: {
    split(shard: string): Promise<void>;
    merge(a: string, b: string): Promise<void>;
  };
}

/** Partition keys that fall to both halves of the hash space. */
const KEYS = Array.from({ length: 12 }, (_, i) => `visitor ${i} 한`);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (record: StreamRecord): string => new TextDecoder().decode(record.data);

/** Reads on until `count` records have come or the shard is at its end. Empty pages are no end. */
async function readAll(stream: Stream, shard: string, count: number, limit = 1_000, after = "") {
  const records: StreamRecord[] = [];
  let position = after;
  for (let empty = 0; empty < 50; ) {
    const page = await stream.read(shard, position, limit);
    expect(page.records.length).toBeLessThanOrEqual(limit);
    records.push(...page.records);
    position = page.records.at(-1)?.sequence ?? position;
    const { atEnd, caughtUp } = page;
    if (atEnd || records.length >= count) return { records, atEnd, caughtUp };
    empty = page.records.length > 0 ? 0 : empty + 1;
  }
  return { records, atEnd: false, caughtUp: false };
}

/**
 * @param open gives a fresh stream with the given number of shards.
 */
export function describeStream(
  name: string,
  open: (options: { clock: ManualClock; shards: number }) => Promise<OpenStream>,
): void {
  describe(`${name} as a stream`, () => {
    let clock: ManualClock;
    let opened: OpenStream;
    let stream: Stream;
    beforeAll(async () => {
      clock = manualClock();
      opened = await open({ clock, shards: 2 });
      stream = opened.stream;
    });
    afterAll(() => stream?.close());

    const put = (partitionKey: string, text: string) => stream.put({ partitionKey, data: bytes(text) });
    /** The position after everything that is in the shard now. */
    const tail = async (shard: string): Promise<string> => {
      const marker = await stream.put({ partitionKey: await keyOf(shard), data: bytes("marker") });
      expect(marker.shard).toBe(shard);
      return marker.sequence;
    };
    const owners = new Map<string, string>();
    const keyOf = async (shard: string): Promise<string> => {
      if (owners.size === 0) for (const key of KEYS) owners.set(key, (await put(key, "probe")).shard);
      for (const key of KEYS) if (owners.get(key) === shard) return key;
      throw new Error(`no key falls to ${shard}`);
    };

    it("begins with the shards asked for: open, without parents, with nothing in them", async () => {
      const shards = await stream.shards();
      expect(shards.map(({ parents, closed }) => ({ parents, closed }))).toEqual([
        { parents: [], closed: false },
        { parents: [], closed: false },
      ]);
      for (const { id } of shards)
        expect(await stream.read(id, "", 10)).toEqual({ records: [], atEnd: false, caughtUp: true });
    });

    it("gives back what was put, and says where it is", async () => {
      const data = Uint8Array.from({ length: 256 }, (_, i) => i);
      const before = Date.now();
      const { shard, sequence } = await stream.put({ partitionKey: "visitor é 😀", data });
      const { records } = await readAll(stream, shard, 1);
      const record = records.find((it) => it.sequence === sequence)!;
      expect(new Uint8Array(record.data)).toEqual(data);
      expect(record.partitionKey).toBe("visitor é 😀");
      if (opened.usesClock) expect(record.arrivalAt).toBe(clock.now());
      else expect(Math.abs(record.arrivalAt - before)).toBeLessThan(60_000);
    });

    it("keeps the records of one partition key on one shard, in order", async () => {
      const starts = new Map<string, string>();
      for (const { id } of await stream.shards()) starts.set(id, await tail(id));
      const homes = new Map<string, Set<string>>();
      for (let round = 0; round < 3; round++)
        for (const key of KEYS) {
          const { shard } = await put(key, `${key}/${round}`);
          homes.set(key, (homes.get(key) ?? new Set()).add(shard));
        }
      for (const shards of homes.values()) expect(shards.size).toBe(1);
      expect(new Set([...homes.values()].flatMap((it) => [...it])).size).toBe(2);
      for (const [shard, after] of starts) {
        const mine = KEYS.filter((key) => homes.get(key)?.has(shard));
        const { records } = await readAll(stream, shard, mine.length * 3, 7, after);
        for (const key of mine)
          expect(records.filter((it) => it.partitionKey === key).map(textOf)).toEqual(
            [0, 1, 2].map((n) => `${key}/${n}`),
          );
        expect(records).toHaveLength(mine.length * 3);
      }
    });

    it("takes concurrent puts, each exactly once, under rising sequence numbers", async () => {
      const shard = (await stream.shards())[0]!.id;
      const after = await tail(shard);
      const key = await keyOf(shard);
      const put100 = await Promise.all(Array.from({ length: 100 }, (_, i) => put(key, `c${i}`)));
      const { records } = await readAll(stream, shard, 100, 1_000, after);
      expect(new Set(records.map(textOf)).size).toBe(100);
      for (let i = 1; i < records.length; i++)
        expect(BigInt(records[i]!.sequence)).toBeGreaterThan(BigInt(records[i - 1]!.sequence));
      for (const { sequence } of records) expect(sequence).toMatch(/^[1-9]\d{0,55}$/);
      expect(put100.map((it) => it.sequence).toSorted(compareSequences)).toEqual(
        records.map((it) => it.sequence),
      );
    });

    it("reads up to the limit, and the same again from the same place", async () => {
      const shard = (await stream.shards())[1]!.id;
      const after = await tail(shard);
      const key = await keyOf(shard);
      for (let i = 0; i < 5; i++) await put(key, `r${i}`);
      const first = await readAll(stream, shard, 2, 2, after);
      expect(first.records.map(textOf)).toEqual(["r0", "r1"]);
      const again = await readAll(stream, shard, 2, 2, after);
      expect(again.records).toEqual(first.records);
      const rest = await readAll(stream, shard, 3, 10, first.records[1]!.sequence);
      expect(rest.records.map(textOf)).toEqual(["r2", "r3", "r4"]);
      const none = await stream.read(shard, rest.records[2]!.sequence, 10);
      expect(none).toEqual({ records: [], atEnd: false, caughtUp: true });
      await put(key, "r5");
      expect((await readAll(stream, shard, 1, 10, rest.records[2]!.sequence)).records.map(textOf)).toEqual([
        "r5",
      ]);
    });

    it("says whether a reader has caught up", async () => {
      const shard = (await stream.shards())[0]!.id;
      const after = await tail(shard);
      const key = await keyOf(shard);
      for (let i = 0; i < 3; i++) await put(key, `c${i}`);
      const some = await readAll(stream, shard, 2, 2, after);
      expect(some.caughtUp).toBe(false);
      const rest = await readAll(stream, shard, 1, 10, some.records[1]!.sequence);
      expect(rest.caughtUp).toBe(true);
      expect(await stream.read(shard, rest.records[0]!.sequence, 1)).toMatchObject({
        records: [],
        caughtUp: true,
      });
    });

    it("takes a record without data and one of nearly 1 MiB", async () => {
      const shard = (await stream.shards())[0]!.id;
      const after = await tail(shard);
      const key = await keyOf(shard);
      const large = noise(1_000_000, 3);
      await stream.put({ partitionKey: key, data: new Uint8Array(0) });
      await stream.put({ partitionKey: key, data: large });
      const { records } = await readAll(stream, shard, 2, 10, after);
      expect(records.map((it) => it.data.length)).toEqual([0, large.length]);
      expect(Buffer.compare(records[1]!.data, large)).toBe(0);
    });

    it.each([
      { name: "more than 1 MiB", record: { partitionKey: "a", data: new Uint8Array(1024 * 1024 + 1) } },
      { name: "no partition key", record: { partitionKey: "", data: new Uint8Array(1) } },
      {
        name: "a partition key beyond 256 characters",
        record: { partitionKey: "k".repeat(257), data: new Uint8Array(1) },
      },
    ])("refuses a record with $name as a bad request", async ({ record }) => {
      await expect(stream.put(record)).rejects.toMatchObject({ code: "bad_request" });
    });

    it("says not_found for a shard that never was", async () => {
      await expect(stream.read("shardId-000000009999", "", 10)).rejects.toMatchObject({ code: "not_found" });
    });

    it("forgets what was trimmed and nothing else, or nothing at all where age decides", async () => {
      const shard = (await stream.shards())[0]!.id;
      const key = await keyOf(shard);
      const after = await tail(shard);
      const sequences: string[] = [];
      for (let i = 0; i < 4; i++) sequences.push((await put(key, `t${i}`)).sequence);
      await stream.trim(shard, sequences[1]!);
      const { records } = await readAll(stream, shard, 2, 10, opened.trims ? "" : after);
      expect(records.map(textOf)).toEqual(opened.trims ? ["t2", "t3"] : ["t0", "t1", "t2", "t3"]);
      // A reader that stood before the trimmed records goes on with the oldest there is.
      expect((await readAll(stream, shard, 1, 10, sequences[0]!)).records.map(textOf)).toEqual(
        opened.trims ? ["t2", "t3"] : ["t1", "t2", "t3"],
      );
      await stream.trim(shard, sequences[3]!);
      const { sequence } = await put(key, "t4");
      expect(compareSequences(sequence, sequences[3]!)).toBeGreaterThan(0);
      expect((await readAll(stream, shard, 1, 10, sequences[3]!)).records.map(textOf)).toEqual(["t4"]);
    });

    it("after a split ends the parent with its last record and goes on in two children", async ({ skip }) => {
      if (opened.reshard === undefined) return skip("the number of shards is fixed");
      const parent = (await stream.shards())[0]!.id;
      const mine: string[] = [];
      for (const key of KEYS) if ((await put(key, "before")).shard === parent) mine.push(key);
      const after = await tail(parent);
      await put(mine[0]!, "last");
      await opened.reshard.split(parent);

      const shards = await stream.shards();
      const children = shards.filter((it) => it.parents.includes(parent));
      expect(shards.find((it) => it.id === parent)?.closed).toBe(true);
      expect(children.map(({ parents, closed }) => ({ parents, closed }))).toEqual([
        { parents: [parent], closed: false },
        { parents: [parent], closed: false },
      ]);
      for (const child of children)
        expect(shards.findIndex((it) => it.id === parent)).toBeLessThan(shards.indexOf(child));
      for (const key of mine) expect(children.map((it) => it.id)).toContain((await put(key, "after")).shard);

      const rest = await readAll(stream, parent, 99, 10, after);
      expect(rest.records.map(textOf)).toEqual(["last"]);
      expect(rest.atEnd).toBe(true);
      expect(await stream.read(parent, rest.records[0]!.sequence, 10)).toEqual({
        records: [],
        atEnd: true,
        caughtUp: true,
      });
      let moved = 0;
      for (const child of children) moved += (await readAll(stream, child.id, mine.length)).records.length;
      expect(moved).toBe(mine.length);
    });

    it("after a merge has one child with both parents, listed behind them", async ({ skip }) => {
      if (opened.reshard === undefined) return skip("the number of shards is fixed");
      const [a, b] = (await stream.shards())
        .filter((it) => !it.closed && it.parents.length > 0)
        .map((it) => it.id);
      await opened.reshard.merge(a!, b!);
      const shards = await stream.shards();
      const child = shards.find((it) => it.parents.length === 2)!;
      expect(child.parents.toSorted()).toEqual([a!, b!].toSorted());
      expect(child.closed).toBe(false);
      const ids = shards.map((it) => it.id);
      for (const shard of shards)
        for (const parent of shard.parents) expect(ids.indexOf(parent)).toBeLessThan(ids.indexOf(shard.id));
      for (const parent of [a!, b!]) expect((await readAll(stream, parent, 99)).atEnd).toBe(true);
    });

    it("drops a closed shard from the list once it is trimmed to its end", async ({ skip }) => {
      if (opened.reshard === undefined || !opened.trims) return skip("shards leave by age alone, or never");
      for (const { id, closed } of await stream.shards()) {
        if (!closed) continue;
        const { records } = await readAll(stream, id, 99);
        await stream.trim(id, records.at(-1)?.sequence ?? "");
      }
      const left = await stream.shards();
      expect(left.every((it) => !it.closed)).toBe(true);
      expect(left.flatMap((it) => it.parents)).toEqual([]);
    });
  });
}
