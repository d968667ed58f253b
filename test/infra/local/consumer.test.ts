/** When the consumer commits: at once after a pause, and otherwise no more often than pays. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Consumer } from "../../../infra/local/consumer.ts";
import { keyedHash } from "../../../processors/crypto.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { poll } from "../../kit/server.ts";
import { NOON, post, SITE, view } from "../../processors/pipeline/lines.ts";
import { rig } from "../../processors/pipeline/rig.ts";

const POLL_MS = 100;

/** A consumer whose commits take `commitMs`, and whose rests end when the test says so. */
async function started(commitMs: number, maxGatherMs?: number) {
  const { clock, store } = await rig();
  const slow: Store = {
    ...store,
    async put(item, expected) {
      if (item.pk.startsWith("log/")) clock.advance(commitMs);
      return store.put(item, expected);
    },
  };
  const stream = memoryStream({ clock });
  const rests: { readonly ms: number; readonly end: () => void }[] = [];
  const consumer = new Consumer({
    stream,
    clock,
    aggregate: {
      store: slow,
      clock,
      hash: keyedHash,
      randomBytes: (length) => new Uint8Array(length),
      country: () => "",
    },
    pollMs: POLL_MS,
    maxGatherMs,
    log: () => {},
    sleep: (ms, signal) =>
      new Promise((done, fail) => {
        rests.push({ ms, end: () => done(undefined) });
        signal.addEventListener("abort", fail);
      }),
  });
  await consumer.start();
  const restOf = (ms: number) =>
    poll(() => rests.find((rest) => rest.ms === ms), { within: 5_000, what: `a rest of ${ms} ms`, every: 1 });
  await restOf(POLL_MS);
  return {
    clock,
    consumer,
    restOf,
    rests,
    stream,
    async put() {
      const { envelope } = post({ at: NOON, e: [view("/")] });
      const data = encodeJson(envelope);
      await stream.put({ partitionKey: SITE, data });
      consumer.wake();
      await turn();
    },
  };
}

describe("the consumer", () => {
  it("counts what comes after a pause at once, and gathers what follows for as long as the commit took", async () => {
    const { consumer, put, restOf } = await started(7);
    await put();
    const gathering = await restOf(7);
    for (let i = 0; i < 5; i++) await put();
    expect(await consumer.commits()).toBe(1);
    gathering.end();
    await poll(async () => (await consumer.counters()).events === 6, { within: 5_000, what: "six events" });
    expect(await consumer.commits()).toBe(2);
    await consumer.close();
  });

  it("gathers for 25 ms at most, however slow the disk is", async () => {
    const { consumer, put, restOf } = await started(400);
    await put();
    await restOf(25);
    await consumer.close();
  });

  it("gathers nothing where each record is as much as a commit takes", async () => {
    const { consumer, put, rests } = await started(400, 0);
    await put();
    await poll(async () => (await consumer.commits()) === 1, { within: 5_000, what: "a commit" });
    await put();
    await poll(async () => (await consumer.commits()) === 2, { within: 5_000, what: "another" });
    expect(new Set(rests.map(({ ms }) => ms))).toEqual(new Set([POLL_MS, 10_000]));
    await consumer.close();
  });

  it("gathers nothing where commits take no time", async () => {
    const { consumer, put, rests } = await started(0);
    for (let i = 0; i < 5; i++) await put();
    await poll(async () => (await consumer.counters()).events === 5, { within: 5_000, what: "five events" });
    expect(new Set(rests.map(({ ms }) => ms))).toEqual(new Set([POLL_MS, 10_000]));
    await consumer.close();
  });

  it("says of a shard which was read to its end what was counted, and not that it is behind", async () => {
    const { clock, consumer, put, stream } = await started(0);
    const parent = "shardId-000000000000";
    for (const events of [1, 2, 3]) {
      if (events === 2) stream.split(parent);
      await put();
      const isCounted = async () => (await consumer.counters()).events === events;
      await poll(isCounted, { within: 5_000, what: `event ${events}` });
      clock.advance(60_000);
      await poll(() => consumer.lagMs() === 0, { within: 5_000, what: "nothing that waits", every: 1 });
    }
    expect([...(await consumer.counted()).keys()].sort()).toEqual(
      (await stream.shards()).map(({ id }) => id),
    );
    expect((await consumer.counted()).get(parent)).not.toBe("");
    await consumer.close();
  });
});
