import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Double,
  LOCAL_AWS,
  localClient,
  startDynalite,
  startKinesalite,
} from "../conformance/doubles.ts";
import { metrics, postLanes } from "../kit/client.ts";
import { poll, runCommand, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";
import { differences } from "./check.ts";
import { makeLoad } from "./load.ts";

const SITE = "example.com";
const STREAM = "clicks";
const SEED = Number(process.env.RIVULET_SEED ?? 13);
const load = makeLoad({ site: SITE, seed: SEED, batches: 120, now: Date.now(), connections: 4 });

let kinesalite: Double;
let dynalite: Double;
let client: KinesisClient;
const data = temporaryDirectory();
let server: ServerProcess;

const untilActive = () =>
  poll(
    async () => {
      const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName: STREAM }));
      return answer.StreamDescriptionSummary?.StreamStatus === "ACTIVE";
    },
    { within: 5_000, what: "an active stream" },
  );

const environment = () => ({
  ...LOCAL_AWS,
  AWS_ENDPOINT_URL_KINESIS: kinesalite.endpoint,
  AWS_ENDPOINT_URL_DYNAMODB: dynalite.endpoint,
});
const start = () =>
  startServer({
    data: data,
    args: ["--stream", `kinesis:${STREAM}`, "--store", "dynamodb:rivulet", "--site", SITE, "--trust-proxy"],
    env: environment(),
  });

beforeAll(async () => {
  [kinesalite, dynalite] = await Promise.all([startKinesalite(), startDynalite()]);
  client = new KinesisClient(localClient(kinesalite.endpoint));
  await client.send(new CreateStreamCommand({ StreamName: STREAM, ShardCount: 2 }));
  await untilActive();
  server = await start();
});
afterAll(async () => {
  await server?.stop();
  client?.destroy();
  await Promise.all([kinesalite?.close(), dynalite?.close()]);
});

async function splitFirstShard(): Promise<void> {
  const { Shards } = await client.send(new ListShardsCommand({ StreamName: STREAM }));
  const { ShardId, HashKeyRange } = Shards![0]!;
  const middle = (BigInt(HashKeyRange!.StartingHashKey!) + BigInt(HashKeyRange!.EndingHashKey!)) / 2n + 1n;
  await client.send(
    new SplitShardCommand({
      StreamName: STREAM,
      ShardToSplit: ShardId,
      NewStartingHashKey: middle.toString(),
    }),
  );
  await untilActive();
}

describe(`the same process on a Kinesis stream and a DynamoDB table (RIVULET_SEED=${SEED})`, () => {
  it("counts a load exactly while one of its shards is split, a fifth of the batches sent twice", async () => {
    const half = load.lanes.flat().length / 2;
    const statuses = new Set<number>();
    let answers = 0;
    let splitting: Promise<void> | undefined;
    await postLanes(server.url, load.lanes, (_, status) => {
      statuses.add(status);
      if (++answers >= half) splitting ??= splitFirstShard();
    });
    await splitting;
    expect([...statuses]).toEqual([204]);
    const { Shards } = await client.send(new ListShardsCommand({ StreamName: STREAM }));
    expect(Shards?.length).toBe(4);
    const answeredAt = performance.now();
    await poll(
      async () => (await metrics(server.url)).get("rivulet_records_total") === load.lanes.flat().length,
      { within: 20_000, every: 100, what: "all records" },
    );
    console.log(`all counted ${(performance.now() - answeredAt).toFixed(0)} ms after the last 204`);
    expect(await differences(server.url, SITE, load.happenings)).toEqual([]);
  });

  it("goes on where it was after SIGKILL", async () => {
    await server.kill("SIGKILL");
    server = await start();
    await poll(
      async () => (await metrics(server.url)).get("rivulet_records_total") === load.lanes.flat().length,
      { within: 20_000, every: 100, what: "all records" },
    );
    expect(await differences(server.url, SITE, load.happenings)).toEqual([]);
  });

  it.each([
    {
      name: "a stream that does not exist",
      flags: ["--stream", "kinesis:nowhere"],
      env: {},
      says: /"nowhere".*not found/,
    },
    {
      name: "a store that does not answer",
      flags: ["--store", "dynamodb:rivulet"],
      env: { AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:1" },
      says: /table "rivulet".*ECONNREFUSED/,
    },
  ])("ends at once with $name, and says which", async ({ flags, env, says }) => {
    const { code, output } = await runCommand(["start", "--port", "0", "--data", data, ...flags], {
      ...environment(),
      ...env,
    });
    expect(output).toMatch(says);
    expect(output).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });
});
