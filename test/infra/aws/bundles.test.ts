/**
 * The cloud's shape without the cloud: the mapping template, the bundles, the environment and the permissions are those
 * of the synthesised template; only the services behind them are local doubles.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordCommand,
  type _Record as StoredRecord,
} from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileTemplate } from "../../../infra/local/gateway/vtl.ts";
import {
  awsFailure,
  type Double,
  localClient,
  startDynalite,
  startKinesalite,
  startWire,
} from "../../conformance/doubles.ts";
import { bundleOf, type Known, type LambdaFunction, resolve, startFunction } from "./lambda.ts";
import { type Json, synthesise } from "./synth.ts";

const cloud = synthesise({ bundle: true, context: { sites: "shop.example@Asia/Seoul" } });

const idOf = (type: string, named: RegExp): string =>
  cloud.of(type).find(([id]) => named.test(id))?.[0] ?? expect.fail(`no ${type} is named ${named}`);
const functions = {
  aggregate: idOf("AWS::Lambda::Function", /Aggregate/),
  compact: idOf("AWS::Lambda::Function", /Compact/),
  query: idOf("AWS::Lambda::Function", /Query/),
};
const tableId = idOf("AWS::DynamoDB::GlobalTable", /./);
const streamId = idOf("AWS::Kinesis::Stream", /./);

const known: Known = {
  [tableId]: "rivulet-table",
  [streamId]: "rivulet-clicks",
  "AWS::StackId":
    "arn:aws:cloudformation:us-east-1:123456789012:stack/Rivulet/51af3dc0-da77-11e4-872e-1234567db123",
};
const EDGE_PROOF = "51af3dc0-da77-11e4-872e-1234567db123";

/** Operations of a service that a function's role allows. */
function allowed(functionId: string, service: string): Set<string> {
  const roleId = cloud.of("AWS::Lambda::Function").find(([id]) => id === functionId)![1].Properties.Role[
    "Fn::GetAtt"
  ][0];
  const actions = cloud
    .of("AWS::IAM::Policy")
    .filter(([, { Properties }]) => Properties.Roles.some(({ Ref }: Json) => Ref === roleId))
    .flatMap(([, { Properties }]) =>
      Properties.PolicyDocument.Statement.flatMap(({ Action }: Json) => Action),
    );
  return new Set(actions.filter((a) => a.startsWith(`${service}:`)).map((a) => a.slice(service.length + 1)));
}

const open: { close(): Promise<void> }[] = [];
const denied: string[] = [];
const used: string[] = [];
/** In place of the X-Ray daemon that Lambda runs beside a function. */
const daemon = createSocket("udp4");
const segments: Json[] = [];
let dynamo: Double;
let kinesis: Double;
let kinesisClient: KinesisClient;

beforeAll(async () => {
  [dynamo, kinesis] = await Promise.all([startDynalite(), startKinesalite()]);
  open.push(dynamo, kinesis);
  const table = cloud.only("AWS::DynamoDB::GlobalTable");
  const dynamoClient = new DynamoDBClient(localClient(dynamo.endpoint));
  kinesisClient = new KinesisClient(localClient(kinesis.endpoint));
  await dynamoClient.send(
    new CreateTableCommand({
      TableName: known[tableId],
      BillingMode: table.BillingMode,
      KeySchema: table.KeySchema,
      AttributeDefinitions: table.AttributeDefinitions,
    }),
  );
  dynamoClient.destroy();
  daemon.on("message", (datagram) => segments.push(JSON.parse(datagram.toString().split("\n")[1]!)));
  daemon.bind(0, "127.0.0.1");
  await once(daemon, "listening");
  await kinesisClient.send(new CreateStreamCommand({ StreamName: known[streamId], ShardCount: 1 }));
});

afterAll(async () => {
  kinesisClient?.destroy();
  daemon.close();
  for (const one of open.reverse()) await one.close();
  rmSync(cloud.outdir, { recursive: true, force: true });
});

/** A cold start, able to do what its role allows and nothing else. */
async function start(name: keyof typeof functions): Promise<LambdaFunction> {
  const id = functions[name];
  const gate = async (service: string, target: string): Promise<Double> => {
    const may = allowed(id, service);
    const double = await startWire(target, async ({ operation, forward }) => {
      const action = `${name}: ${service}:${operation}`;
      (may.has(operation) ? used : denied).push(action);
      return may.has(operation) ? forward() : awsFailure(400, "AccessDeniedException", action);
    });
    open.push(double);
    return double;
  };
  const [dynamoGate, kinesisGate] = await Promise.all([
    gate("dynamodb", dynamo.endpoint),
    gate("kinesis", kinesis.endpoint),
  ]);
  const { Variables } = cloud.template.toJSON().Resources[id].Properties.Environment;
  const lambda = startFunction(cloud, id, {
    ...resolve(Variables, known),
    // What Lambda itself sets.
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    LAMBDA_TASK_ROOT: bundleOf(cloud, id),
    AWS_LAMBDA_FUNCTION_NAME: name,
    _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${daemon.address().port}`,
    // In place of the services' own addresses.
    AWS_ENDPOINT_URL_DYNAMODB: dynamoGate.endpoint,
    AWS_ENDPOINT_URL_KINESIS: kinesisGate.endpoint,
  });
  open.push(lambda);
  return lambda;
}

const NOW = Date.now();
/** The trace of the first visitor's batch, which the edge chose to sample. */
const TRACE = "1-67891233-abcdef012345678912345678";
const template = () =>
  compileTemplate(
    resolve(
      cloud.only("AWS::ApiGateway::RestApi").Body.paths["/v1/events"].post["x-amazon-apigateway-integration"]
        .requestTemplates["text/plain"],
      known,
    ),
  );

/** Posts a batch through the deployed mapping template, as API Gateway would. */
async function post(batch: { b: string; e: object[] }, visitor: number): Promise<void> {
  const body = JSON.stringify({
    s: "shop.example",
    t: Date.now(),
    c: { u: "https://shop.example/" },
    ...batch,
  });
  const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
  const headers = {
    "user-agent": userAgent,
    "cloudfront-viewer-address": `203.0.113.${visitor}:46532`,
    "cloudfront-viewer-country": visitor % 2 === 0 ? "KR" : "DE",
    "x-rivulet-edge": EDGE_PROOF,
    "x-amzn-trace-id": `Root=${visitor === 1 ? TRACE : "1-5759e988-000000000000000000000000"};Sampled=${visitor === 1 ? 1 : 0}`,
  };
  const rendered = template().render(
    { body, json: JSON.parse(body), headers },
    {
      extendedRequestId: `request-${batch.b}`,
      requestId: `request-${batch.b}`,
      requestTimeEpoch: Date.now(),
      httpMethod: "POST",
      resourcePath: "/v1/events",
      identity: { sourceIp: "130.176.0.1", userAgent },
      responseOverride: { header: {} },
    },
  );
  const { StreamName, PartitionKey, Data } = JSON.parse(rendered);
  expect(StreamName).toBe(known[streamId]);
  await kinesisClient.send(
    new PutRecordCommand({ StreamName, PartitionKey, Data: Buffer.from(Data, "base64") }),
  );
}

/** Everything in the stream's only shard, as the event that Lambda makes of it. */
async function shardEvent(): Promise<{ Records: Json[] }> {
  const StreamName = known[streamId];
  const { Shards } = await kinesisClient.send(new ListShardsCommand({ StreamName }));
  const ShardId = Shards![0]!.ShardId!;
  const { ShardIterator } = await kinesisClient.send(
    new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
  );
  const { Records } = await kinesisClient.send(new GetRecordsCommand({ ShardIterator }));
  return {
    Records: Records!.map((record: StoredRecord) => ({
      eventID: `${ShardId}:${record.SequenceNumber}`,
      kinesis: {
        kinesisSchemaVersion: "1.0",
        partitionKey: record.PartitionKey,
        sequenceNumber: record.SequenceNumber,
        data: Buffer.from(record.Data!).toString("base64"),
        approximateArrivalTimestamp: record.ApproximateArrivalTimestamp!.getTime() / 1_000,
      },
    })),
  };
}

const request = (httpMethod: string, path: string, over: Json = {}): Json => ({
  httpMethod,
  path,
  headers: {},
  queryStringParameters: null,
  body: null,
  isBase64Encoded: false,
  requestContext: { requestId: "r-1" },
  ...over,
});
const ask = (body: object): Json => request("POST", "/api/v2/query", { body: JSON.stringify(body) });

const VISITORS = 10;
const totals = ask({
  site_id: "shop.example",
  metrics: ["visitors", "pageviews", "events"],
  date_range: "24h",
});
const expected = [VISITORS, VISITORS * 2, VISITORS * 3];

describe("the functions as they are deployed", () => {
  it("count every click once: template, stream, consumer, compaction and query, each with its own permissions", async () => {
    for (let visitor = 1; visitor <= VISITORS; visitor++) {
      const batch = {
        b: `batch-${visitor}`,
        e: [
          { n: "pageview", t: NOW - 2_000 },
          { n: "pageview", t: NOW - 1_500, u: "https://shop.example/cart" },
          { n: "signup", t: NOW - 1_000, u: "https://shop.example/cart" },
        ],
      };
      await post(batch, visitor);
      if (visitor % 5 === 0) await post(batch, visitor); // a browser that tries again
    }
    const { Records } = await shardEvent();
    expect(Records).toHaveLength(VISITORS + 2);

    const [aggregate, compact, query] = [
      await start("aggregate"),
      await start("compact"),
      await start("query"),
    ];
    await aggregate.invoke({ Records: Records.slice(0, 7) });
    await aggregate.invoke({ Records: Records.slice(0, 7) }); // Lambda retries a batch
    const restarted = await start("aggregate");
    await restarted.invoke({ Records: Records.slice(4) }); // another instance, bisected elsewhere
    await aggregate.invoke({ Records }); // the first one wakes up

    const fresh = await query.invoke(totals);
    expect(fresh, fresh.body).toMatchObject({ statusCode: 200 });
    expect(JSON.parse(fresh.body).results[0].metrics, "before any compaction").toEqual(expected);

    expect(await compact.invoke({})).toMatchObject({ commits: expect.any(Number) });
    expect(await compact.invoke({}), "a second run finds nothing new").toMatchObject({ runs: 1, commits: 0 });
    expect(JSON.parse((await query.invoke(totals)).body).results[0].metrics, "compacted").toEqual(expected);
    const cold = await start("query");
    expect(JSON.parse((await cold.invoke(totals)).body).results[0].metrics, "a cold reader").toEqual(
      expected,
    );

    const countries = await query.invoke(
      ask({
        site_id: "shop.example",
        metrics: ["visitors"],
        dimensions: ["visit:country"],
        date_range: "24h",
      }),
    );
    expect(
      JSON.parse(countries.body)
        .results.map(({ dimensions, metrics }: Json) => [...dimensions, ...metrics])
        .toSorted(),
      "the country that CloudFront saw",
    ).toEqual([
      ["DE", 5],
      ["KR", 5],
    ]);
  });

  it("answer readers as the API document says", async () => {
    const query = await start("query");
    const sites = await query.invoke(request("GET", "/api/v2/sites"));
    expect(JSON.parse(sites.body)).toEqual({ sites: [{ site_id: "shop.example", time_zone: "Asia/Seoul" }] });

    const live = request("GET", "/api/v2/live", { queryStringParameters: { site_id: "shop.example" } });
    const first = await query.invoke(live);
    expect(JSON.parse(first.body)).toMatchObject({ current_visitors: VISITORS, has_events: true });
    const again = await query.invoke({ ...live, headers: { "If-None-Match": first.headers.etag } });
    expect([200, 304]).toContain(again.statusCode); // 200 if a minute ended in between

    expect(await query.invoke(ask({ site_id: "shop.example" }))).toMatchObject({ statusCode: 400 });
    expect(await query.invoke(request("POST", "/api/v2/query", { body: "{" }))).toMatchObject({
      statusCode: 400,
    });
    expect(await query.invoke(request("GET", "/api/v2/else"))).toMatchObject({ statusCode: 404 });
    const unknown = request("GET", "/api/v2/live", { queryStringParameters: { site_id: "other.example" } });
    expect(await query.invoke(unknown)).toMatchObject({ statusCode: 404 });
  });

  it("continue the trace of a click that was sampled at the edge, and of no other", async () => {
    await expect.poll(() => segments.length).toBeGreaterThan(0);
    for (const segment of segments) {
      expect(segment).toMatchObject({ trace_id: TRACE, name: "rivulet-aggregate" });
    }
    // A repeated batch is in already and shows only how it was recognised.
    const steps = segments.flatMap(({ subsegments }) => subsegments.map(({ name }: Json) => name));
    expect(steps).toEqual(expect.arrayContaining(["decode", "enrich", "fold", "commit"]));
  });

  it("tried nothing that their roles do not allow", () => {
    expect(denied).toEqual([]);
    expect(used).toContain("query: dynamodb:Query");
  });

  it.each(Object.keys(functions) as (keyof typeof functions)[])("are one small file: %s", (name) => {
    const folder = bundleOf(cloud, functions[name]);
    expect(readdirSync(folder)).toEqual(["index.mjs"]);
    expect(statSync(join(folder, "index.mjs")).size).toBeLessThan(500_000);
  });
});
