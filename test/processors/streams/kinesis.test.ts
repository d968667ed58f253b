import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { kinesisStream, parentsFirst } from "../../../processors/streams/kinesis.ts";
import {
  awsFailure,
  type Double,
  localClient,
  startKinesalite,
  startWire,
  type Wire,
} from "../../conformance/doubles.ts";
import { describeStream } from "../../conformance/stream.ts";

/** With REMOTE=1 the suite makes and deletes a stream of two shards in the account that the AWS_* variables name. */
const isRemote = process.env.REMOTE === "1";
const prefix = process.env.REMOTE_STREAM ?? "rivulet-test";

let double: Double | undefined;
let client: KinesisClient;
const made: string[] = [];
beforeAll(async () => {
  if (!isRemote) double = await startKinesalite();
  client = double ? new KinesisClient(localClient(double.endpoint)) : new KinesisClient({});
});
afterAll(async () => {
  for (const StreamName of made) await client.send(new DeleteStreamCommand({ StreamName }));
  client.destroy();
  await double?.close();
});

const untilActive = async (StreamName: string): Promise<void> => {
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
    if (StreamDescriptionSummary?.StreamStatus === "ACTIVE") return;
    await new Promise((done) => setTimeout(done, isRemote ? 1_000 : 2));
  }
};

const createStream = async (shards: number): Promise<string> => {
  const StreamName = `${prefix}-${Date.now().toString(36)}-${made.length}`;
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: shards }));
  made.push(StreamName);
  await untilActive(StreamName);
  return StreamName;
};

const reshard = (StreamName: string) => ({
  async split(shard: string) {
    const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
    const range = Shards?.find((it) => it.ShardId === shard)?.HashKeyRange;
    const middle = (BigInt(range!.StartingHashKey!) + BigInt(range!.EndingHashKey!)) / 2n + 1n;
    await client.send(
      new SplitShardCommand({ StreamName, ShardToSplit: shard, NewStartingHashKey: String(middle) }),
    );
    await untilActive(StreamName);
  },
  async merge(a: string, b: string) {
    await client.send(new MergeShardsCommand({ StreamName, ShardToMerge: a, AdjacentShardToMerge: b }));
    await untilActive(StreamName);
  },
});

/** The double never throttles, so its readers need not wait. */
const gap = isRemote ? {} : { minReadGapMs: 0 };

describeStream("kinesis", async ({ shards }) => {
  const name = await createStream(shards);
  const stream = kinesisStream({ stream: name, client, ...gap });
  return { stream, trims: false, usesClock: false, reshard: reshard(name) };
});

/** A stream behind a wire that can break. */
const withWire = async (wire: Wire, use: (stream: ReturnType<typeof kinesisStream>) => Promise<void>) => {
  const proxy = await startWire(double!.endpoint, wire);
  const wired = new KinesisClient({ ...localClient(proxy.endpoint), maxAttempts: 1 });
  try {
    await use(kinesisStream({ stream: await createStream(1), client: wired, minReadGapMs: 0 }));
  } finally {
    wired.destroy();
    await proxy.close();
  }
};
const record = { partitionKey: "a", data: Uint8Array.of(1, 2, 3) };

it.skipIf(isRemote)("goes on from the same record when its iterator has expired", async () => {
  const answers: string[] = [];
  const wire: Wire = async ({ forward }) => {
    const answer = await forward();
    answers.push(answer.body.toString());
    return answer;
  };
  await withWire(wire, async (stream) => {
    const { shard, sequence } = await stream.put(record);
    expect((await stream.read(shard, "", 10)).records).toHaveLength(1);
    await stream.put(record);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6 * 60_000 }); // iterators live for 5 minutes
    try {
      expect((await stream.read(shard, sequence, 10)).records).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
    expect(answers.filter((it) => it.includes("ExpiredIteratorException"))).toHaveLength(1);
  });
});

it.skipIf(isRemote)(
  "follows the new iterator over empty pages instead of asking from the old record again",
  async () => {
    const iterators: string[] = [];
    let emptyPages = 2;
    const wire: Wire = async ({ operation, body, forward }) => {
      const answer = await forward();
      if (operation !== "GetRecords") return answer;
      const { ShardIterator } = JSON.parse(body.toString());
      iterators.push(ShardIterator);
      if (emptyPages-- <= 0) return answer;
      // Kinesis may find nothing in the part of the shard that it looked at.
      const page = { Records: [], MillisBehindLatest: 1_000, NextShardIterator: ShardIterator };
      return { ...answer, body: Buffer.from(JSON.stringify(page)) };
    };
    await withWire(wire, async (stream) => {
      const { shard } = await stream.put(record);
      expect(await stream.read(shard, "", 10)).toEqual({ records: [], atEnd: false, caughtUp: false });
      expect(await stream.read(shard, "", 10)).toEqual({ records: [], atEnd: false, caughtUp: false });
      expect((await stream.read(shard, "", 10)).records).toHaveLength(1);
      expect(new Set(iterators).size).toBe(1);
    });
  },
);

it.skipIf(isRemote).each([
  {
    failure: awsFailure(400, "ProvisionedThroughputExceededException", "account 123456789012"),
    code: "throttled",
  },
  { failure: awsFailure(400, "LimitExceededException", "account 123456789012"), code: "throttled" },
  { failure: awsFailure(400, "AccessDeniedException", "account 123456789012"), code: "config" },
  { failure: awsFailure(500, "InternalFailure", "account 123456789012"), code: "unavailable" },
  { failure: undefined, code: "unavailable" },
])("reports $code, with the cause and without AWS' text (case %#)", async ({ failure, code }) => {
  await withWire(
    async () => failure,
    async (stream) => {
      for (const call of [stream.put(record), stream.shards(), stream.read("shardId-000000000000", "", 1)]) {
        const error = await call.then(
          () => undefined,
          (it: Error) => it,
        );
        expect(error).toMatchObject({ code, cause: expect.any(Error) });
        expect(error?.message).not.toContain("123456789012");
      }
    },
  );
});

it.skipIf(isRemote)("leaves 200 ms between two reads of one shard, unless told otherwise", async () => {
  const stream = kinesisStream({ stream: await createStream(2), client });
  const [one, two] = await stream.shards();
  const done: string[] = [];
  const read = (shard: string, as: string) => stream.read(shard, "", 1).then(() => done.push(as));
  const start = performance.now();
  await Promise.all([read(one!.id, "one"), read(one!.id, "one again"), read(two!.id, "two")]);
  expect(performance.now() - start).toBeGreaterThanOrEqual(199); // timers may fire a fraction early
  expect(done.at(-1)).toBe("one again");
});

it.skipIf(isRemote)("lists the shards of every page", async () => {
  const asked: string[][] = [];
  const wire: Wire = async ({ operation, body, forward }) => {
    if (operation !== "ListShards") return forward();
    const { StreamName, NextToken } = JSON.parse(body.toString());
    asked.push([StreamName, NextToken]);
    const page = Number(NextToken ?? 0);
    // The double knows no pages, the service gives up to 1,000 shards on one.
    const Shards = [0, 1].map((i) => ({
      ShardId: `shardId-00000000000${2 * page + i}`,
      HashKeyRange: { StartingHashKey: "0", EndingHashKey: "1" },
      SequenceNumberRange: { StartingSequenceNumber: "1" },
    }));
    const more = page < 2 ? { NextToken: String(page + 1) } : {};
    return { ...awsFailure(200, ""), body: Buffer.from(JSON.stringify({ Shards, ...more })) };
  };
  await withWire(wire, async (stream) => {
    expect((await stream.shards()).map((it) => Number(it.id.slice(-3)))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(asked).toEqual([
      [expect.any(String), undefined],
      [undefined, "1"],
      [undefined, "2"],
    ]);
  });
});

it("orders parents before children whatever the service's order, and drops parents that have left", () => {
  const range = { StartingHashKey: "0", EndingHashKey: "1" };
  const shard = (ShardId: string, ParentShardId?: string, AdjacentParentShardId?: string) => ({
    ShardId,
    HashKeyRange: range,
    SequenceNumberRange: { StartingSequenceNumber: "1" },
    ...(ParentShardId === undefined ? {} : { ParentShardId }),
    ...(AdjacentParentShardId === undefined ? {} : { AdjacentParentShardId }),
  });
  const ordered = parentsFirst([shard("d", "b", "c"), shard("c", "gone"), shard("b", "a"), shard("a")]);
  expect(ordered.map(({ id, parents }) => [id, parents])).toEqual([
    ["a", []],
    ["b", ["a"]],
    ["c", []],
    ["d", ["b", "c"]],
  ]);
});
