/** Batches that Lambda gave up, put back into the stream: counted once, whatever came before. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { redrive } from "../../../infra/local/redrive.ts";
import { keyedHash } from "../../../processors/crypto.ts";
import { ClickstreamError } from "../../../processors/errors.ts";
import { shardBatch } from "../../../processors/handlers/batch.ts";
import { partitionKeyOf, type StreamLine } from "../../../processors/model/streamfile.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import type { Stream } from "../../../processors/streams/stream.ts";
import { manualClock } from "../../kit/clock.ts";
import { generate } from "../../kit/generate.ts";
import { EventSourceMapping } from "../../kit/lambda/mapping.ts";
import { type MappingProperties, mappingSettings } from "../../kit/lambda/settings.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 41);
const SITE = "shop.example";
const FROM = Date.UTC(2026, 2, 10, 9);
const lines = [
  ...generate({ seed: SEED, from: FROM, to: FROM + 3_600_000, events: 600, sites: [SITE], duplicates: 0.05 }),
].map((line, i) => ({ ...line, envelope: { ...line.envelope, id: `request-${i}` } }));
/** All of the traffic, and no minutes of nothing beyond. */
const HOURS = [FROM, FROM + 2 * 3_600_000].map((at) => new Date(at).toISOString());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rivulet-redrive-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const quiet = { log: () => {}, wait: async () => {} };

/** The consumer as Lambda runs it, on memory; `isBroken` says when the function throws instead of counting. */
async function setUp(
  properties: MappingProperties,
  isBroken: () => boolean,
  payload: "object" | "text",
  { timesOutAfterwards = false } = {},
) {
  const clock = manualClock(lines[0]!.arrival);
  const stream = memoryStream({ clock });
  const store = memoryStore({ clock });
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  const workers = new Map<string, ShardWorker>();
  const mapping = new EventSourceMapping({
    uuid: "4c6f2a7e-0000-4000-8000-000000000000",
    functionArn: "arn:aws:lambda:us-east-1:123456789012:function:aggregate",
    streamArn: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
    settings: mappingSettings({ StartingPosition: "TRIM_HORIZON", ...properties }),
    stream,
    clock,
    payload,
    invoke: async (event) => {
      const { shard, records } = shardBatch(event);
      if (isBroken()) throw new Error("broken");
      const parents = (await stream.shards()).find(({ id }) => id === shard)?.parents ?? [];
      const deps = {
        store,
        clock,
        hash: keyedHash,
        randomBytes: (n: number) => new Uint8Array(n).fill(7),
        country: () => "",
      };
      const worker = workers.get(shard) ?? new ShardWorker(deps, { id: shard, parents });
      workers.set(shard, worker);
      await worker.process(records);
      if (timesOutAfterwards) throw new Error("Task timed out after 60.00 seconds");
    },
    failures: {
      async put(key, body) {
        const path = join(folder, key);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, body);
      },
    },
  });
  const drain = () => mapping.drain((ms) => clock.advance(ms));
  const put = async (some: readonly StreamLine[]): Promise<void> => {
    for (const { arrival, envelope } of some) {
      clock.advanceTo(arrival);
      const data = encodeJson(envelope);
      await stream.put({ partitionKey: partitionKeyOf(envelope), data });
    }
  };
  const totals = async () => {
    const engine = new QueryEngine({ store, clock });
    const ask = (dimensions: string[], date_range: unknown = "all") =>
      engine.query({
        site_id: SITE,
        date_range,
        metrics: ["visitors", "visits", "pageviews", "events"],
        dimensions,
      });
    return {
      all: (await ask([])).results,
      pages: (await ask(["event:page"])).results,
      minutes: (await ask(["time:minute"], HOURS)).results,
    };
  };
  return { clock, stream, mapping, put, drain, totals };
}

/**
 * What it should be: the lines through a consumer that never fails. A visit is cut as its events arrive, so visits
 * compare only when the lines come in the order in which they were counted at last.
 */
async function undisturbed(order: readonly StreamLine[] = lines) {
  const { put, drain, totals } = await setUp({}, () => false, "text");
  await put(order);
  await drain();
  return totals();
}

describe(`redriving batches that were given up (RIVULET_SEED=${SEED})`, () => {
  it.each([
    { name: "as text, bisected to single records", payload: "text" as const, bisects: true },
    { name: "as an object, in whole batches", payload: "object" as const, bisects: false },
  ])(
    "restores the exact totals from payloads saved $name, and doing it twice changes nothing",
    async ({ payload, bisects }) => {
      const third = Math.floor(lines.length / 3);
      const [before, broken, after] = [
        lines.slice(0, third),
        lines.slice(third, 2 * third),
        lines.slice(2 * third),
      ];
      const expected = await undisturbed([...before, ...after, ...broken]);
      let isBroken = false;
      const { put, drain, totals, mapping, stream } = await setUp(
        { BatchSize: 8, BisectBatchOnFunctionError: bisects, MaximumRetryAttempts: 2 },
        () => isBroken,
        payload,
      );
      await put(before);
      await drain();
      isBroken = true;
      await put(broken);
      stream.split("shardId-000000000000");
      await drain();
      isBroken = false;
      await put(after);
      await drain();
      expect(mapping.report.givenUp).toBe(broken.length);
      expect(await totals()).not.toEqual(expected);

      const done = await redrive([folder], { stream, ...quiet });
      expect(done.records).toBe(broken.length);
      await drain();
      expect(await totals()).toEqual(expected);
      const withoutVisits = ({ all }: typeof expected) =>
        all.map(({ metrics: [visitors, , ...rest] }) => [visitors, ...rest]);
      expect(withoutVisits(expected), "whatever the order").toEqual(withoutVisits(await undisturbed()));

      await redrive([folder], { stream, ...quiet });
      await drain();
      expect(await totals(), "redriven twice").toEqual(expected);
    },
  );

  it("may be broken off anywhere and begun again", async () => {
    const expected = await undisturbed();
    let isBroken = true;
    const { put, drain, totals, stream } = await setUp(
      { BatchSize: 10, MaximumRetryAttempts: 0 },
      () => isBroken,
      "text",
    );
    await put(lines);
    await drain();
    isBroken = false;
    let left = Math.floor(lines.length / 2);
    const breaking: Stream = {
      ...stream,
      async put(record) {
        if (left-- === 0) throw new ClickstreamError("config", "interrupted");
        return stream.put(record);
      },
    };
    await expect(redrive([folder], { stream: breaking, ...quiet })).rejects.toThrow("interrupted");
    await drain();
    await redrive([folder], { stream, ...quiet });
    await drain();
    expect(await totals()).toEqual(expected);
  });

  it("counts once what came through although its batch was given up", async () => {
    const expected = await undisturbed();
    // The function counts and then times out, each time: Lambda cannot know.
    const { put, drain, totals, stream, mapping } = await setUp(
      { BatchSize: 10, MaximumRetryAttempts: 1 },
      () => false,
      "text",
      { timesOutAfterwards: true },
    );
    await put(lines);
    await drain();
    expect(mapping.report.givenUp).toBe(lines.length);
    expect(await totals()).toEqual(expected);
    await redrive([folder], { stream, ...quiet });
    await drain();
    expect(await totals()).toEqual(expected);
  });

  it("puts the oldest first, whatever the files are called, each once", async () => {
    const { put, drain, stream } = await setUp({ BatchSize: 7, MaximumRetryAttempts: 0 }, () => true, "text");
    await put(lines.slice(0, 50));
    await drain();
    const again: string[] = [];
    const recording: Stream = {
      ...stream,
      put: async ({ data }) => {
        again.push(JSON.parse(Buffer.from(data).toString()).id);
        return { shard: "", sequence: "" };
      },
    };
    await redrive([folder, folder], { stream: recording, ...quiet });
    expect(again).toEqual(lines.slice(0, 50).map(({ envelope }) => envelope.id));
  });

  it("waits when the stream is full, and does not lose its place", async () => {
    let refusals = 6;
    const { put, drain, stream } = await setUp({ MaximumRetryAttempts: 0 }, () => true, "text");
    await put(lines.slice(0, 20));
    await drain();
    const waits: number[] = [];
    const ids: string[] = [];
    const full: Stream = {
      ...stream,
      async put({ data }) {
        if (ids.length === 5 && refusals-- > 0) throw new ClickstreamError("throttled", "full");
        ids.push(JSON.parse(Buffer.from(data).toString()).id);
        return { shard: "", sequence: "" };
      },
    };
    await redrive([folder], { stream: full, log: () => {}, wait: async (ms) => void waits.push(ms) });
    expect(ids).toEqual(lines.slice(0, 20).map(({ envelope }) => envelope.id));
    expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 10_000]);
  });

  it.each([
    { name: "no JSON", text: "hello", says: "not JSON" },
    { name: "other JSON", text: "{}", says: "KinesisBatchInfo is missing" },
    {
      name: "the message that goes to a queue, without payload",
      text: '{"KinesisBatchInfo":{"shardId":"s","startSequenceNumber":"1"}}',
      says: "payload.Records is missing",
    },
    {
      name: "a record without data",
      text: '{"KinesisBatchInfo":{},"payload":{"Records":[{"kinesis":{"partitionKey":"k"}}]}}',
      says: "payload.Records[0] has no partition key or data",
    },
  ])("puts nothing when a file holds $name, and names the file", async ({ text, says }) => {
    const { put, drain, stream } = await setUp({ MaximumRetryAttempts: 0 }, () => true, "text");
    await put(lines.slice(0, 5));
    await drain();
    const path = join(folder, "zz-odd");
    await writeFile(path, text);
    const untouched: Stream = { ...stream, put: () => expect.fail("something was put") };
    const attempt = redrive([folder], { stream: untouched, ...quiet });
    await expect(attempt).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining(`${path}: `),
    });
    await expect(attempt).rejects.toThrow(says);
  });

  it("says which path cannot be read", async () => {
    const { stream } = await setUp({}, () => false, "text");
    await expect(redrive([join(folder, "absent")], { stream, ...quiet })).rejects.toThrow(
      "absent: cannot be read",
    );
  });
});
