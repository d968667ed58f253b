import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CreateStreamCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kinesisStream } from "../../processors/streams/kinesis.ts";
import { type Double, LOCAL_AWS, localClient, startKinesalite } from "../conformance/doubles.ts";
import { runHere } from "../kit/command.ts";
import { lambdaEvent } from "../kit/lambda/event.ts";
import { failureBody, failureKey, type GivenUp } from "../kit/lambda/failure.ts";
import { runCommand } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const IDENTITY = {
  uuid: "4c6f2a7e-0000-4000-8000-000000000000",
  functionArn: "arn:aws:lambda:us-east-1:123456789012:function:aggregate",
  streamArn: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
};

let kinesalite: Double;
let client: KinesisClient;
const folder = temporaryDirectory();
beforeAll(async () => {
  kinesalite = await startKinesalite();
  client = new KinesisClient(localClient(kinesalite.endpoint));
  await client.send(new CreateStreamCommand({ StreamName: "clicks", ShardCount: 1 }));
});
afterAll(async () => {
  client?.destroy();
  await kinesalite?.close();
});

const environment = () => ({
  ...LOCAL_AWS,
  AWS_ENDPOINT_URL_KINESIS: kinesalite.endpoint,
});

/** Saves a batch as Lambda does, below the folder; answers the object's path. */
async function save(shard: string, sequence: number, texts: string[], payload: "object" | "text") {
  const at = Date.now();
  const records = texts.map((text, i) => ({
    sequence: String(49_600_000 + sequence + i),
    partitionKey: `visitor of ${text}`,
    arrivalAt: at,
    data: Buffer.from(text),
  }));
  const event = lambdaEvent(shard, records, {
    streamArn: IDENTITY.streamArn,
    roleArn: "arn:aws:iam::1:role/r",
  });
  const failure: GivenUp = {
    at,
    condition: "RetryAttemptsExhausted",
    shard,
    records,
    event,
    invocations: 101,
    threw: true,
  };
  const path = join(folder, failureKey(IDENTITY, failure, `${shard}-${sequence}`));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, failureBody(IDENTITY, failure, "request", payload));
  return path;
}

describe("rivulet redrive", () => {
  it("puts the batches below a folder back into the stream, the oldest first, and says what it did", async () => {
    await save("shardId-000000000001", 50, ["e"], "text");
    await save("shardId-000000000000", 10, ["c", "d"], "object");
    await save("shardId-000000000000", 2, ["a", "b 한"], "text");
    const { code, output } = await runCommand(
      ["redrive", folder, "--stream", "kinesis:clicks"],
      environment(),
    );
    expect(code, output).toBe(0);
    expect(output).toContain("5 records of 3 batches put into the stream");
    expect(output).toMatch(
      /shardId-000000000000\/.*: 2 records of shardId-000000000000 \(RetryAttemptsExhausted\)/,
    );

    const stream = kinesisStream({ stream: "clicks", client, minReadGapMs: 0 });
    const { records } = await stream.read("shardId-000000000000", "", 100);
    expect(records.map(({ data, partitionKey }) => [Buffer.from(data).toString(), partitionKey])).toEqual(
      ["a", "b 한", "c", "d", "e"].map((text) => [text, `visitor of ${text}`]),
    );
  });

  it.each([
    { name: "without a stream", args: () => [folder], says: "--stream" },
    {
      name: "to anything but Kinesis",
      args: () => [folder, "--stream", "sqlite:x"],
      says: "kinesis:NAME",
    },
    {
      name: "to a stream that does not exist",
      args: () => [folder, "--stream", "kinesis:none"],
      says: "none",
    },
    {
      name: "from where nothing is",
      args: () => ["/nowhere", "--stream", "kinesis:clicks"],
      says: "/nowhere",
    },
    {
      name: "from something else",
      args: () => ["package.json", "--stream", "kinesis:clicks"],
      says: "no batch saved",
    },
  ])("refuses to go $name, and says why", async ({ args, says }) => {
    const { code, output } = await runHere(["redrive", ...args()], environment());
    expect(code).toBe(1);
    expect(output).toContain(says);
    expect(output).not.toMatch(/^\s+at /m);
  });
});
