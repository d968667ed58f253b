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

const many = Array.from({ length: 1_203 }, (_, i) => ({
  partitionKey: `key-${i % 7}`,
  data: new TextEncoder().encode(`record ${i}`),
}));

it("puts many records with few requests, and says where each is", async () => {
  const stream = kinesisStream({ stream: await createStream(2), client, ...gap });
  const placed = await stream.putMany(many);
  const found = new Map<string, string>();
  for (const { id } of await stream.shards())
    for (const { sequence, data } of (await stream.read(id, "", 10_000)).records)
      found.set(`${id} ${sequence}`, new TextDecoder().decode(data));
  expect(placed.map(({ shard, sequence }) => found.get(`${shard} ${sequence}`))).toEqual(
    many.map(({ data }) => new TextDecoder().decode(data)),
  );
  expect(found.size).toBe(many.length);
});

it.skipIf(isRemote)("keeps each request to 500 records and 5 MiB", async () => {
  const requests: { records: number; bytes: number }[] = [];
  const wire: Wire = async ({ operation, body, forward }) => {
    if (operation === "PutRecords") {
      const { Records } = JSON.parse(body.toString()) as {
        Records: { Data: string; PartitionKey: string }[];
      };
      const size = ({ Data, PartitionKey }: (typeof Records)[number]) =>
        Buffer.from(Data, "base64").length + PartitionKey.length;
      requests.push({ records: Records.length, bytes: Records.reduce((sum, one) => sum + size(one), 0) });
    }
    return forward();
  };
  await withWire(wire, async (stream) => {
    await stream.putMany(many);
    await stream.putMany(
      Array.from({ length: 12 }, () => ({ partitionKey: "a", data: new Uint8Array(900_000) })),
    );
  });
  expect(requests.map(({ records }) => records)).toEqual([500, 500, 203, 5, 5, 2]);
  for (const { bytes } of requests) expect(bytes).toBeLessThanOrEqual(5 * 1024 * 1024);
});

/** A stream that refuses records of a PutRecords, as `isRefused` says by number of the request and index in it. */
async function refusing(
  isRefused: (request: number, index: number) => boolean,
  code: string,
): Promise<{ error: unknown; requests: string[][]; waits: number[]; stored: string[] }> {
  const requests: string[][] = [];
  const waits: number[] = [];
  const wire: Wire = async ({ operation, body, forward }) => {
    if (operation !== "PutRecords") return forward();
    const asked = JSON.parse(body.toString()) as { StreamName: string; Records: { Data: string }[] };
    const number = requests.push(asked.Records.map(({ Data }) => atob(Data))) - 1;
    const taken = asked.Records.filter((_, i) => !isRefused(number, i));
    const placed: { ShardId: string; SequenceNumber: string }[] = [];
    for (const { Data } of taken) {
      const { shard, sequence } = await direct.put({ partitionKey: "a", data: Buffer.from(Data, "base64") });
      placed.push({ ShardId: shard, SequenceNumber: sequence });
    }
    const Records = asked.Records.map((_, i) =>
      isRefused(number, i) ? { ErrorCode: code, ErrorMessage: "of account 123456789012" } : placed.shift(),
    );
    return { ...awsFailure(200, ""), body: Buffer.from(JSON.stringify({ FailedRecordCount: 1, Records })) };
  };
  const name = await createStream(1);
  const direct = kinesisStream({ stream: name, client, minReadGapMs: 0 });
  const proxy = await startWire(double!.endpoint, wire);
  const wired = new KinesisClient({ ...localClient(proxy.endpoint), maxAttempts: 1 });
  const wait = async (ms: number): Promise<void> => void waits.push(ms);
  const stream = kinesisStream({ stream: name, client: wired, wait, random: () => 0.5 });
  const error = await stream.putMany(many.slice(0, 4)).then(
    () => undefined,
    (it: unknown) => it,
  );
  const { records } = await direct.read((await direct.shards())[0]!.id, "", 100);
  wired.destroy();
  await proxy.close();
  return { error, requests, waits, stored: records.map(({ data }) => new TextDecoder().decode(data)) };
}

it.skipIf(isRemote)(
  "puts again only what was refused within an answer of 200, after waits that grow",
  async () => {
    const refused = [[1, 3], [1], []];
    const { error, requests, waits, stored } = await refusing(
      (request, index) => refused[request]!.includes(index),
      "ProvisionedThroughputExceededException",
    );
    expect(error).toBeUndefined();
    expect(requests).toEqual([
      ["record 0", "record 1", "record 2", "record 3"],
      ["record 1", "record 3"],
      ["record 3"],
    ]);
    expect(waits).toEqual([100, 200]);
    expect(stored.toSorted()).toEqual(["record 0", "record 1", "record 2", "record 3"]);
  },
);

it.skipIf(isRemote).each([
  { reason: "ProvisionedThroughputExceededException", code: "throttled" },
  { reason: "InternalFailure", code: "unavailable" },
])("gives up with $code what is refused again and again, without AWS' text", async ({ reason, code }) => {
  const { error, requests, stored } = await refusing((_, index) => index === 0, reason);
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toContain("1 of 4 records refused 12 times");
  expect((error as Error).message).not.toContain("123456789012");
  expect(requests).toHaveLength(12);
  expect(stored.toSorted()).toEqual(["record 1", "record 2", "record 3"]);
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
