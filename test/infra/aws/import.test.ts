/** From the bucket to the count: real S3 events in SNS's envelopes in SQS, the real functions, and a queue as the template says. */
import { rmSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateStreamCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ENV } from "../../../processors/env.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { dynamoStore } from "../../../processors/stores/dynamodb.ts";
import { dynamoClient } from "../../../processors/stores/dynamodb-table.ts";
import { kinesisStream } from "../../../processors/streams/kinesis.ts";
import {
  type Double,
  LOCAL_AWS,
  localClient,
  startDynalite,
  startKinesalite,
} from "../../conformance/doubles.ts";
import { type Imports, type QueueHandler, startImports } from "../../kit/imports.ts";
import { lambdaEvent } from "../../kit/lambda/event.ts";
import { ask, numbers } from "./requests.ts";
import { type Json, synthesise } from "./synth.ts";

const cloud = synthesise({ context: { imports: "true" } });
const without = synthesise();
afterAll(() => {
  for (const { outdir } of [cloud, without]) rmSync(outdir, { recursive: true, force: true });
});
const named = (type: string, name: RegExp): Json => {
  const found = cloud.of(type).filter(([id]) => name.test(id));
  expect(found, `${type} ${name}`).toHaveLength(1);
  return found[0]![1].Properties;
};
const queue = named("AWS::SQS::Queue", /ImportQueue/);
const importer = named("AWS::Lambda::Function", /Importer/);
const [topicRule] = named("AWS::S3::Bucket", /ImportFiles/).NotificationConfiguration.TopicConfigurations;
const prefix: string = topicRule.Filter.S3Key.Rules[0].Value;

describe("imports on AWS", () => {
  it("are made only where they are asked for", () => {
    expect(without.of("AWS::SQS::Queue")).toEqual([]);
    expect(without.of("AWS::S3::Bucket").length).toBeLessThan(cloud.of("AWS::S3::Bucket").length);
  });

  it("give a message six times the function's time, five tries, and then keep it for two weeks", () => {
    expect(queue.VisibilityTimeout).toBeGreaterThanOrEqual(6 * importer.Timeout);
    expect(queue.ReceiveMessageWaitTimeSeconds).toBe(20);
    expect(queue.RedrivePolicy.maxReceiveCount).toBe(5);
    expect(JSON.stringify(queue.RedrivePolicy.deadLetterTargetArn)).toContain("DeadLetters");
    expect(named("AWS::SQS::Queue", /DeadLetters/).MessageRetentionPeriod).toBe(14 * 86_400);
  });

  it("take one message at a time, two at once at most, and say which failed", () => {
    const mapping = cloud
      .of("AWS::Lambda::EventSourceMapping")
      .map(([, { Properties }]) => Properties)
      .find(({ ScalingConfig }) => ScalingConfig !== undefined);
    expect(mapping).toMatchObject({
      BatchSize: 1,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 2 },
    });
  });

  it("hear of files and never of their own reports, from S3 in this account alone", () => {
    expect(
      cloud.of("AWS::S3::Bucket").filter(([, { Properties }]) => Properties.NotificationConfiguration),
    ).toHaveLength(1);
    expect(topicRule.Event).toBe("s3:ObjectCreated:*");
    expect(prefix).toBe("imports/");
    const policies = JSON.stringify(cloud.of("AWS::SNS::TopicPolicy"));
    expect(policies).toContain('"Condition":{"StringEquals":{"aws:SourceAccount":{"Ref":"AWS::AccountId"}}}');
    // Or S3's first try of the way would fail, and the deployment with it.
    const [, bucket] = cloud.of("AWS::S3::Bucket").find(([id]) => id.includes("ImportFiles"))! as [
      string,
      Json,
    ];
    expect(bucket.DependsOn.join()).toMatch(/ImportTopicPolicy/);
  });

  it("keep files as long as a message may wait and longer, encrypted, private and by TLS", () => {
    const { LifecycleConfiguration, BucketEncryption } = named("AWS::S3::Bucket", /ImportFiles/);
    expect(BucketEncryption).toBeDefined();
    const days = Object.fromEntries(
      LifecycleConfiguration.Rules.map(({ Prefix, ExpirationInDays }: Json) => [Prefix, ExpirationInDays]),
    );
    expect(days["imports/"] * 86_400).toBeGreaterThan(queue.MessageRetentionPeriod);
    expect(days["reports/"]).toBeGreaterThan(days["imports/"]);
    for (const [, { Properties }] of cloud.of("AWS::SQS::QueuePolicy"))
      expect(JSON.stringify(Properties)).toContain('"aws:SecureTransport":"false"');
  });
});

const SITE = "shop.example";
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/** Page views of ten people, a second apart, on the day before yesterday. */
const DAY = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
const views = (count: number, page: string): string => {
  const [year, , day] = DAY.split("-");
  const month = new Date(DAY).toLocaleString("en", { month: "short", timeZone: "UTC" });
  return Array.from({ length: count }, (_, i) => {
    const time = new Date(Date.UTC(2026, 0, 1) + i * 1_000).toISOString().slice(11, 19);
    return `192.0.2.${i % 10} - - [${day}/${month}/${year}:${time} +0000] "GET /${page}/${i % 50} HTTP/1.1" 200 512 "-" "${BROWSER}"\n`;
  }).join("");
};

describe("a file that is dropped into the bucket", () => {
  const open: { close(): Promise<void> }[] = [];
  let imports: Imports;
  let importHandler: QueueHandler;
  let count: () => Promise<void>;
  let pageviews: (site?: string) => Promise<number>;
  let register: (site: string) => Promise<void>;
  let errors: string[] = [];

  beforeAll(async () => {
    imports = await startImports({
      prefix,
      maxReceiveCount: queue.RedrivePolicy.maxReceiveCount,
      queueAttributes: { VisibilityTimeout: String(queue.VisibilityTimeout) },
    });
    const doubles: [Double, Double] = await Promise.all([startDynalite(), startKinesalite()]);
    const [dynamo, kinesisDouble] = doubles;
    const table = cloud.only("AWS::DynamoDB::GlobalTable");
    const tables = new DynamoDBClient(localClient(dynamo.endpoint));
    await tables.send(
      new CreateTableCommand({
        TableName: "rivulet-table",
        BillingMode: table.BillingMode,
        KeySchema: table.KeySchema,
        AttributeDefinitions: table.AttributeDefinitions,
      }),
    );
    tables.destroy();
    const kinesis = new KinesisClient(localClient(kinesisDouble.endpoint));
    await kinesis.send(new CreateStreamCommand({ StreamName: "rivulet-clicks", ShardCount: 1 }));
    for (const [name, value] of Object.entries({
      ...LOCAL_AWS,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
      AWS_ENDPOINT_URL_KINESIS: kinesisDouble.endpoint,
      AWS_ENDPOINT_URL_S3: imports.endpoint,
      AWS_ENDPOINT_URL_SNS: imports.endpoint,
      [ENV.table]: "rivulet-table",
      [ENV.stream]: "rivulet-clicks",
      [ENV.importTopic]: imports.topic,
      [ENV.sites]: SITE,
    }))
      vi.stubEnv(name, value);
    importHandler = (await import("../../../processors/handlers/import.ts")).handler;
    const { handler: aggregate } = await import("../../../processors/handlers/aggregate.ts");
    const { handler: query } = await import("../../../processors/handlers/query.ts");

    const stream = kinesisStream({ stream: "rivulet-clicks", client: kinesis, minReadGapMs: 0 });
    const store = dynamoStore({ table: "rivulet-table", clock: Date, client: dynamoClient() });
    let counted = "";
    count = async () => {
      const [shard] = await stream.shards();
      const { records } = await stream.read(shard!.id, counted, 1_000);
      if (records.length === 0) return;
      await aggregate(
        lambdaEvent(shard!.id, records, { streamArn: "arn:aws:kinesis:us-east-1:1:stream/s", roleArn: "r" }),
      );
      counted = records.at(-1)!.sequence;
    };
    pageviews = async (site = SITE) => {
      await count();
      const [found] = numbers(
        (await query(
          ask({ site_id: site, metrics: ["pageviews"], date_range: [DAY, DAY] }) as never,
        )) as Json,
      );
      return found!;
    };
    register = (site) => registerSites(store, Date, [{ id: site, timeZone: "UTC" }]);
    await register(SITE);
    open.push(imports, ...doubles, store, { close: async () => kinesis.destroy() });
  }, 60_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    for (const one of open) await one.close();
  });
  beforeEach(() => {
    errors = [];
    vi.spyOn(console, "error").mockImplementation((line: string) => void errors.push(line));
    vi.spyOn(console, "log").mockImplementation(() => {});
    vi.spyOn(process.stdout, "write").mockImplementation(() => true); // the functions' metrics
  });
  afterEach(() => void vi.restoreAllMocks());

  it("is counted once though it is told of twice, whatever its name; its bad line is reported beside it", async () => {
    const before = await pageviews();
    const key = `${prefix}${SITE}/access logs/a+b 100% ünï 漢字.log`;
    await imports.drop(key, `${views(20, "once")}this is no line\n${views(5, "once")}`);
    await imports.notify(key);
    expect(await imports.deliver(importHandler)).toBe(2);
    expect(errors).toEqual([]);
    expect(await pageviews()).toBe(before + 25);
    const report = `reports/${SITE}/access logs/a+b 100% ünï 漢字.log.report`;
    expect(await imports.keys("reports/")).toEqual([`${report}.json`, `${report}.ndjson`]);
    expect(JSON.parse(await imports.text(`${report}.ndjson`))).toEqual({
      file: "a+b 100% ünï 漢字.log",
      line: 21,
      reason: "time: no [day/month/year:hour:minute:second zone]",
    });
    expect(JSON.parse(await imports.text(`${report}.json`))).toMatchObject({
      site: SITE,
      events: 25,
      bad: 1,
      lines: 26,
    });
  });

  it("is counted once when two functions get it at once: one of them waits until it is visible again", async () => {
    const before = await pageviews();
    const key = `${prefix}${SITE}/two.log`;
    await imports.drop(key, `${views(20, "two")}no line\n`);
    await imports.notify(key);
    await Promise.all([1, 2].map(() => imports.deliver(importHandler, { invocations: 1 })));
    expect(errors).toEqual([expect.stringContaining("two.log: is being imported already")]);
    expect(await imports.deliver(importHandler)).toBe(1);
    expect(await pageviews()).toBe(before + 20);
    expect((await imports.text(`reports/${SITE}/two.log.report.ndjson`)).split("\n")).toHaveLength(2);
  });

  it("may be packed, Parquet, in a folder whose every request counts, or have columns that a file beside it names", async () => {
    const before = await pageviews();
    await imports.drop(`${prefix}${SITE}/a.log.gz`, gzipSync(views(10, "packed")));
    await imports.drop(`${prefix}${SITE}/2026/a.log.zst`, zstdCompressSync(views(10, "squeezed")));
    await imports.drop(`${prefix}${SITE}/all/a.log`, views(10, "post").replaceAll("GET", "POST"));
    const times = Array.from({ length: 10 }, (_, i) => `${DAY}T11:00:0${i}Z`);
    const columns = [
      { name: "timestamp", data: times },
      { name: "url", data: times.map((_, i) => `https://${SITE}/columns/${i}`) },
    ];
    await imports.drop(
      `${prefix}${SITE}/a.parquet`,
      new Uint8Array(parquetWriteBuffer({ columnData: columns.map((one) => ({ ...one, type: "STRING" })) })),
    );
    expect(await imports.deliver(importHandler)).toBe(4);
    expect(await pageviews()).toBe(before + 40);

    await imports.drop(`${prefix}${SITE}/mapping.json`, '{"time": "When", "url": "Where"}');
    await imports.drop(`${prefix}${SITE}/table.csv`, `When,Where\n${DAY} 10:00:00,https://${SITE}/mapped\n`);
    await imports.drop(`${prefix}${SITE}/folder/`, "");
    await imports.drop(`${prefix}${SITE}/empty.log`, "");
    expect(await imports.deliver(importHandler)).toBe(4);
    expect(errors).toEqual([]);
    expect(await pageviews()).toBe(before + 41);
  });

  it("goes on where it was when the time runs out, and is never given up for being long", async () => {
    const before = await pageviews();
    const lines = 13_000; // four chunks
    await imports.drop(`${prefix}${SITE}/long.log`, views(lines, "long"));
    expect(await imports.deliver(importHandler, { invocations: 1, remainingMs: 60_000 })).toBe(1);
    const first = (await pageviews()) - before;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(lines);
    expect(await imports.deliver(importHandler)).toBe(1);
    expect(errors).toEqual([]);
    expect(await pageviews()).toBe(before + lines);
  });

  it("is not missed for a notification that is only a test", async () => {
    await imports.publish(
      JSON.stringify({ Service: "Amazon S3", Event: "s3:TestEvent", Bucket: imports.bucket, RequestId: "r" }),
    );
    expect(await imports.deliver(importHandler)).toBe(1);
    expect(errors).toEqual([]);
  });

  it("ends in the dead-letter queue when it cannot be counted, and is counted once it comes back from there", async () => {
    const key = `${prefix}new.example/a.log`;
    await imports.drop(key, views(12, "new"));
    expect(await imports.deliver(importHandler)).toBe(queue.RedrivePolicy.maxReceiveCount);
    expect(await imports.dead()).toHaveLength(1);
    expect(errors).toHaveLength(5);
    expect(errors[4]).toContain(`s3://${imports.bucket}/${key} stays in the queue`);
    expect(errors[4]).toContain("received 5 times");
    expect(errors[4]).toContain('site "new.example" is not registered');

    await register("new.example");
    await imports.redrive();
    expect(await imports.dead()).toEqual([]);
    expect(await imports.deliver(importHandler)).toBe(1);
    expect(await pageviews("new.example")).toBe(12);
  });

  it.each([
    { what: "no file", body: "PK\u0003\u0004zip", key: `${prefix}${SITE}/a.zip`, says: "a zip archive" },
    { what: "no site", body: "a", key: `${prefix}a.log`, says: "not imports/SITE/FILE" },
    {
      what: "broken",
      body: gzipSync(views(90, "x")).subarray(0, 200),
      key: `${prefix}${SITE}/b.gz`,
      says: "b.gz: gzip that",
    },
  ])("says why it stays, with its key ($what)", async ({ key, body, says }) => {
    await imports.drop(key, body);
    await imports.deliver(importHandler);
    expect(errors).toHaveLength(5);
    expect(errors[0]).toContain(key);
    expect(errors[0]).toContain(says);
  });

  it("leaves alone what is no notification, and what is gone", async () => {
    await imports.notify(`${prefix}${SITE}/never-was.log`);
    expect(await imports.deliver(importHandler)).toBe(1);
    expect(errors).toEqual([]);
    await imports.publish("rm -rf");
    await imports.deliver(importHandler);
    expect(errors[0]).toContain("notification: Message: not a JSON object");
  });
});
