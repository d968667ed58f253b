/** The emulated event source mapping against Lambda's rules. */
import type { KinesisStreamEvent } from "aws-lambda";
import { describe, expect, it } from "vitest";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { manualClock } from "../clock.ts";
import { MAX_PAYLOAD_BYTES } from "./event.ts";
import { EventSourceMapping, type MappingOptions } from "./mapping.ts";
import { type MappingProperties, mappingSettings } from "./settings.ts";

const IDENTITY = {
  uuid: "4c6f2a7e-0000-4000-8000-000000000000",
  functionArn: "arn:aws:lambda:us-east-1:123456789012:function:aggregate",
  streamArn: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
};

type Handler = (texts: string[], event: KinesisStreamEvent) => unknown;

function setUp(
  properties: MappingProperties,
  handler: Handler = () => {},
  more: Partial<MappingOptions> = {},
) {
  const clock = manualClock();
  const stream = memoryStream({ clock });
  const objects = new Map<string, string>();
  const seen: string[][] = [];
  const mapping = new EventSourceMapping({
    ...IDENTITY,
    settings: mappingSettings({ StartingPosition: "TRIM_HORIZON", ...properties }),
    stream,
    clock,
    invoke: async (event) => {
      const texts = event.Records.map(({ kinesis }) => Buffer.from(kinesis.data, "base64").toString());
      seen.push(texts);
      return handler(texts, event);
    },
    failures: { put: async (key, body) => void objects.set(key, body) },
    ...more,
  });
  const put = async (...texts: string[]): Promise<void> => {
    for (const text of texts) await stream.put({ partitionKey: text, data: Buffer.from(text) });
  };
  const drain = () => mapping.drain((ms) => clock.advance(ms));
  const saved = () => [...objects.values()].map((body) => JSON.parse(body));
  return { clock, stream, mapping, put, drain, seen, objects, saved };
}

const failing = (poison: string) => (texts: string[]) => {
  if (texts.includes(poison)) throw new Error(`cannot do ${poison}`);
};

describe("an emulated event source mapping", () => {
  it("has AWS' defaults, and refuses what it does not do", () => {
    expect(mappingSettings({ StartingPosition: "TRIM_HORIZON" })).toEqual({
      batchSize: 100,
      windowMs: 0,
      maxRetries: Number.POSITIVE_INFINITY,
      maxRecordAgeMs: Number.POSITIVE_INFINITY,
      bisects: false,
      reportsItemFailures: false,
    });
    for (const odd of [
      { StartingPosition: "LATEST" },
      { Enabled: false },
      { ParallelizationFactor: 2 },
      { TumblingWindowInSeconds: 1 },
      { FilterCriteria: {} },
    ])
      expect(() => mappingSettings({ StartingPosition: "TRIM_HORIZON", ...odd })).toThrow("not emulated");
  });

  it("hands over records in Lambda's form", async () => {
    let handed: KinesisStreamEvent | undefined;
    const { put, drain, clock } = setUp({}, (_, event) => {
      handed = event;
    });
    await put("a");
    await drain();
    const sequence = handed?.Records[0]?.kinesis.sequenceNumber;
    expect(handed).toEqual({
      Records: [
        {
          kinesis: {
            kinesisSchemaVersion: "1.0",
            partitionKey: "a",
            sequenceNumber: expect.stringMatching(/^\d{56}$/),
            data: "YQ==",
            approximateArrivalTimestamp: clock.now() / 1_000,
          },
          eventSource: "aws:kinesis",
          eventVersion: "1.0",
          eventID: `shardId-000000000000:${sequence}`,
          eventName: "aws:kinesis:record",
          invokeIdentityArn: "arn:aws:iam::123456789012:role/function",
          awsRegion: "us-east-1",
          eventSourceARN: IDENTITY.streamArn,
        },
      ],
    });
  });

  it("gathers until the window is over", async () => {
    const { put, mapping, seen, clock } = setUp({ MaximumBatchingWindowInSeconds: 1 });
    await put("a");
    await mapping.poll();
    clock.advance(999);
    await put("b");
    await mapping.poll();
    expect(seen).toEqual([]);
    clock.advance(1);
    await mapping.poll();
    expect(seen).toEqual([["a", "b"]]);
  });

  it("does not wait for the window when the batch is full", async () => {
    const { put, mapping, seen } = setUp({ MaximumBatchingWindowInSeconds: 300, BatchSize: 2 });
    await put("a", "b", "c");
    await mapping.poll();
    expect(seen).toEqual([["a", "b"]]);
  });

  it("never hands over more than 6 MB", async () => {
    const sizes: number[] = [];
    const { stream, drain } = setUp({ BatchSize: 100 }, (_, event) => {
      sizes.push(Buffer.byteLength(JSON.stringify(event)));
    });
    for (let i = 0; i < 10; i++) await stream.put({ partitionKey: "k", data: new Uint8Array(1_000_000) });
    await drain();
    expect(sizes).toHaveLength(3);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
  });

  it("has one batch of a shard under way at a time, and of several shards at once", async () => {
    const running = new Set<string>();
    let most = 0;
    const shardOf = (event: KinesisStreamEvent) => event.Records[0]!.eventID.split(":")[0]!;
    const { stream, put, drain } = setUp({ BatchSize: 1 }, async (_, event) => {
      const shard = shardOf(event);
      expect(running.has(shard)).toBe(false);
      running.add(shard);
      most = Math.max(most, running.size);
      await new Promise(setImmediate);
      running.delete(shard);
    });
    stream.split("shardId-000000000000");
    await put(..."abcdefghij");
    await drain();
    expect(most).toBe(2);
  });

  it("reads a child only when its parent is done, however long that takes", async () => {
    let failures = 3;
    const { stream, put, drain, seen } = setUp({ BatchSize: 10, MaximumRetryAttempts: 5 }, (texts) => {
      if (texts.includes("before") && failures-- > 0) throw new Error("not yet");
    });
    await put("before");
    stream.split("shardId-000000000000");
    await put("after", "also after");
    await drain();
    expect(seen.slice(0, 4)).toEqual(Array(4).fill(["before"]));
    expect(seen.slice(4).flat().toSorted()).toEqual(["after", "also after"]);
  });

  it("retries the same batch until it succeeds, later each time", async () => {
    const at: number[] = [];
    let failures = 3;
    const { put, drain, seen, clock } = setUp({}, () => {
      at.push(clock.now());
      if (failures-- > 0) throw new Error("not yet");
    });
    await put("a", "b");
    await drain();
    expect(seen).toEqual(Array(4).fill(["a", "b"]));
    expect(at.slice(1).map((time, i) => time - at[i]!)).toEqual([1_000, 2_000, 4_000]);
  });

  it("halves a failing batch down to the poison, without using up retries, and saves that one alone", async () => {
    const { put, drain, seen, saved, mapping } = setUp(
      { BisectBatchOnFunctionError: true, MaximumRetryAttempts: 2 },
      failing("f"),
    );
    await put(..."abcdefgh");
    await drain();
    const halves = [
      ["a", "b", "c", "d", "e", "f", "g", "h"],
      ["a", "b", "c", "d"],
      ["e", "f", "g", "h"],
      ["e", "f"],
      ["e"],
    ];
    expect(seen).toEqual([...halves, ["f"], ["f"], ["f"], ["g", "h"]]);
    expect(mapping.report).toMatchObject({ invocations: 9, givenUp: 1 });
    expect(saved()).toMatchObject([
      {
        requestContext: { condition: "RetryAttemptsExhausted", approximateInvokeCount: 6 },
        responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
        KinesisBatchInfo: { batchSize: 1 },
      },
    ]);
  });

  it("saves a whole batch under the documented key and with the documented fields", async () => {
    const { put, drain, objects, clock } = setUp({ MaximumRetryAttempts: 0 }, failing("b"), {
      payload: "object",
    });
    const first = clock.now();
    await put("a");
    clock.advance(250);
    await put("b");
    await drain();
    const [[key, body] = ["", ""]] = objects;
    const day = new Date(clock.now()).toISOString();
    expect(key).toMatch(
      new RegExp(
        `^aws/lambda/${IDENTITY.uuid}/shardId-000000000000/${day.slice(0, 10).replaceAll("-", "/")}/${day.slice(0, 19).replaceAll(":", ".")}-[0-9a-f-]{36}$`,
      ),
    );
    const saved = JSON.parse(body);
    const [a, b] = saved.payload.Records;
    expect(saved).toMatchObject({
      requestContext: {
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        functionArn: `${IDENTITY.functionArn}:$LATEST`,
      },
      version: "1.0",
      timestamp: day,
      KinesisBatchInfo: {
        shardId: "shardId-000000000000",
        startSequenceNumber: a.kinesis.sequenceNumber,
        endSequenceNumber: b.kinesis.sequenceNumber,
        approximateArrivalOfFirstRecord: new Date(first).toISOString(),
        approximateArrivalOfLastRecord: new Date(first + 250).toISOString(),
        batchSize: 2,
        streamArn: IDENTITY.streamArn,
      },
    });
  });

  it("gives up what is too old, and only that, without calling the function for it", async () => {
    const { put, drain, seen, saved, clock } = setUp({ MaximumRecordAgeInSeconds: 60 });
    await put("a", "b");
    clock.advance(40_000);
    await put("c");
    clock.advance(30_000);
    await drain();
    expect(seen).toEqual([["c"]]);
    const [object] = saved();
    expect(object).toMatchObject({
      requestContext: { condition: "RecordAgeExceeded", approximateInvokeCount: 0 },
    });
    expect(object).not.toHaveProperty("responseContext");
    expect(JSON.parse(object.payload).Records).toHaveLength(2);
  });

  it("goes on from the first item that failed, where the function may report that", async () => {
    let failures = 1;
    const { put, drain, seen } = setUp(
      { FunctionResponseTypes: ["ReportBatchItemFailures"] },
      (texts, event) => {
        const at = texts.indexOf("c");
        if (at === -1 || failures-- === 0) return { batchItemFailures: [] };
        const [itemIdentifier, later] = [at, at + 1].map((i) => event.Records[i]!.kinesis.sequenceNumber);
        return { batchItemFailures: [{ itemIdentifier: later }, { itemIdentifier }] };
      },
    );
    await put(..."abcd");
    await drain();
    expect(seen).toEqual([
      ["a", "b", "c", "d"],
      ["c", "d"],
    ]);
  });

  it.each([
    { name: "nothing", answer: undefined, calls: 1 },
    { name: "an empty text", answer: "", calls: 1 },
    { name: "null", answer: { batchItemFailures: null }, calls: 1 },
    {
      name: "a number that is not in the batch",
      answer: { batchItemFailures: [{ itemIdentifier: "1" }] },
      calls: 2,
    },
    { name: "a wrong key", answer: { batchItemFailures: [{ id: "1" }] }, calls: 2 },
    { name: "text", answer: "done", calls: 2 },
  ])("takes $name as AWS does", async ({ answer, calls }) => {
    const { put, drain, seen } = setUp(
      { FunctionResponseTypes: ["ReportBatchItemFailures"], MaximumRetryAttempts: 1 },
      () => answer,
    );
    await put("a");
    await drain();
    expect(seen).toHaveLength(calls);
  });

  it("ignores what the function answers where it may not report", async () => {
    const { put, drain, seen } = setUp({}, () => ({ batchItemFailures: [{ itemIdentifier: "1" }] }));
    await put("a");
    await drain();
    expect(seen).toHaveLength(1);
  });

  it("stands still while paused, then tells how far behind it was", async () => {
    const { put, drain, seen, mapping, clock } = setUp({});
    mapping.pause();
    await put("a");
    clock.advance(90_000);
    await drain();
    expect(seen).toEqual([]);
    mapping.resume();
    await drain();
    expect(seen).toEqual([["a"]]);
    expect(mapping.report.iteratorAgeMs).toBe(90_000);
  });
});
