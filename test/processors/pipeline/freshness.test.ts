import { describe, expect, it } from "vitest";
import { keyedHash } from "../../../processors/crypto.ts";
import { ALLOWED_LATENESS_MS, MINUTE_MS } from "../../../processors/model/time.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { EDGE_DELAY_MS, noteFreshness, readFreshness } from "../../../processors/pipeline/freshness.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import type { Stream } from "../../../processors/streams/stream.ts";
import { manualClock } from "../../kit/clock.ts";
import { NOON, post, SITE } from "./lines.ts";

const FIRST = "shardId-000000000000";

async function setUp() {
  const clock = manualClock(NOON);
  const store = memoryStore({ clock });
  const stream = memoryStream({ clock });
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  const deps = {
    store,
    clock,
    hash: keyedHash,
    randomBytes: (n: number) => new Uint8Array(n),
    country: () => "",
  };
  const workers = new Map<string, ShardWorker>();
  const click = async (key = "k"): Promise<string> => {
    const { envelope } = post({ at: clock.now(), e: [{ n: "pageview" }] });
    const data = encodeJson(envelope);
    return (await stream.put({ partitionKey: key, data })).shard;
  };
  const count = async (only?: string): Promise<void> => {
    for (const { id, parents } of await stream.shards()) {
      if (only !== undefined && id !== only) continue;
      const worker = workers.get(id) ?? new ShardWorker(deps, { id, parents });
      workers.set(id, worker);
      const { records } = await stream.read(id, await worker.lastSequence(), 100);
      await worker.process(records);
    }
  };
  const note = (from: Stream = stream) => noteFreshness({ store, stream: from, clock });
  // As on AWS: the readers see the store only.
  const engine = new QueryEngine({ store, clock, freshness: () => readFreshness(store) });
  const seen = async () => {
    const { complete_until, lag_ms } = await engine.live(SITE);
    return { completeUntil: complete_until, lagMs: lag_ms };
  };
  return { clock, store, stream, click, count, note, seen };
}

describe("freshness", () => {
  it("goes on when traffic stops: what could still be on its way is what the edge and a slow network may hold back", async () => {
    const { clock, click, count, note, seen } = await setUp();
    await click();
    await count();
    expect(await seen()).toEqual({ completeUntil: NOON - ALLOWED_LATENESS_MS, lagMs: 0 });
    clock.advance(10 * MINUTE_MS);
    expect(await seen(), "nobody has asked the stream").toMatchObject({
      completeUntil: NOON - ALLOWED_LATENESS_MS,
    });
    await note();
    clock.advance(20_000);
    expect(await seen()).toEqual({
      completeUntil: NOON + 10 * MINUTE_MS - EDGE_DELAY_MS - ALLOWED_LATENESS_MS,
      lagMs: 0,
    });
  });

  it("is known before the first click ever", async () => {
    const { note, seen } = await setUp();
    await note();
    expect(await seen()).toEqual({ completeUntil: NOON - EDGE_DELAY_MS - ALLOWED_LATENESS_MS, lagMs: 0 });
  });

  it("never passes a record that waits, and tells how long it has been waiting by now", async () => {
    const { clock, click, count, note, seen } = await setUp();
    await click();
    await count();
    clock.advance(5 * MINUTE_MS);
    await click();
    clock.advance(5 * MINUTE_MS);
    expect(await note()).toEqual({ at: clock.now(), waiting: { [FIRST]: NOON + 5 * MINUTE_MS } });
    clock.advance(MINUTE_MS);
    expect(await seen()).toEqual({
      completeUntil: NOON + 5 * MINUTE_MS - EDGE_DELAY_MS - ALLOWED_LATENESS_MS,
      lagMs: 6 * MINUTE_MS,
    });
    await count();
    // Counted after six minutes: now it is the newest commit's own delay that shows.
    expect((await seen()).lagMs).toBe(6 * MINUTE_MS);
    clock.advance(MINUTE_MS);
    await note();
    expect((await seen()).lagMs, "nothing waits, though nothing came since").toBe(0);
    await click();
    await count();
    expect((await seen()).lagMs, "without asking the stream again").toBe(0);
  });

  it("is held back by the slowest shard, and by one that was never counted", async () => {
    const { clock, stream, click, count, note, seen } = await setUp();
    const [low, high] = stream.split(FIRST);
    const keys = new Map<string, string>();
    for (let i = 0; keys.size < 2; i++) keys.set(await click(`k${i}`), `k${i}`);
    await count(FIRST);
    await count(low);
    clock.advance(5 * MINUTE_MS);
    expect((await note())?.waiting).toEqual({ [high]: NOON });
    expect((await seen()).lagMs).toBe(5 * MINUTE_MS);
    await count(high);
    await note();
    expect((await seen()).completeUntil).toBe(clock.now() - EDGE_DELAY_MS - ALLOWED_LATENESS_MS);
  });

  it("does not go on with the first of two children while the other has not begun", async () => {
    const { clock, stream, click, count, note, seen } = await setUp();
    await click();
    await count();
    const [low, high] = stream.split(FIRST);
    clock.advance(5 * MINUTE_MS);
    const keys = new Map<string, string>();
    for (let i = 0; keys.size < 2; i++) keys.set(await click(`k${i}`), `k${i}`);
    await count(low);
    expect((await seen()).completeUntil).toBe(NOON - ALLOWED_LATENESS_MS);
    await count(high);
    expect((await seen()).completeUntil).toBe(NOON + 5 * MINUTE_MS - ALLOWED_LATENESS_MS);
    // And a merge has one child.
    clock.advance(5 * MINUTE_MS);
    stream.merge(low, high);
    await click();
    await count();
    expect((await seen()).completeUntil).toBe(NOON + 10 * MINUTE_MS - ALLOWED_LATENESS_MS);
    expect((await note())?.waiting).toEqual({});
  });

  it("forgets that a shard waited when its last record was counted and its child went on", async () => {
    const { clock, stream, click, count, note, seen } = await setUp();
    await click();
    await count();
    await click();
    await note();
    await count();
    stream.split(FIRST);
    for (let i = 0; i < 8; i++) await click(`k${i}`);
    await count();
    clock.advance(10 * MINUTE_MS);
    expect((await seen()).lagMs).toBe(0);
  });

  it("walks over empty pages of a shard, and keeps the older note when there are too many", async () => {
    const { clock, store, stream, click, note } = await setUp();
    let empty = 3;
    const gaps: Stream = {
      ...stream,
      read: async (shard, after, limit) =>
        empty-- > 0 ? { records: [], atEnd: false, caughtUp: false } : stream.read(shard, after, limit),
    };
    await click();
    expect(await note(gaps)).toEqual({ at: NOON, waiting: { [FIRST]: NOON } });
    clock.advance(MINUTE_MS);
    empty = 1_000;
    expect(await note(gaps)).toBeUndefined();
    expect(await readFreshness(store)).toMatchObject({ at: NOON });
  });

  it("does not go back when an older note is written last", async () => {
    const { clock, store, stream, note } = await setUp();
    const { promise: listed, resolve: goOn } = Promise.withResolvers<void>();
    const slow: Stream = {
      ...stream,
      async shards() {
        await listed;
        return stream.shards();
      },
    };
    const older = note(slow);
    clock.advance(MINUTE_MS);
    await note();
    goOn();
    await older;
    expect(await readFreshness(store)).toEqual({ at: NOON + MINUTE_MS, waiting: {} });
  });

  it("takes one record of each shard", async () => {
    const { stream, click, note } = await setUp();
    for (let i = 0; i < 5; i++) await click();
    const limits: number[] = [];
    await note({
      ...stream,
      read: async (shard, after, limit) => {
        limits.push(limit);
        return stream.read(shard, after, limit);
      },
    });
    expect(limits).toEqual([1]);
  });
});
