/**
 * The cloud's shape without the cloud: mapping templates, bundles, environment, permissions and the event source mapping
 * are those of the synthesised template; only the services behind them are local doubles, behind wires that can break.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { compileTemplate } from "../../../infra/local/gateway/vtl.ts";
import { ClickstreamError } from "../../../processors/errors.ts";
import { dynamoStore } from "../../../processors/stores/dynamodb.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { kinesisStream } from "../../../processors/streams/kinesis.ts";
import type { Stream } from "../../../processors/streams/stream.ts";
import {
  awsFailure,
  type Double,
  type Exchange,
  LOCAL_AWS,
  localClient,
  startDynalite,
  startKinesalite,
  startWire,
  type Wire,
} from "../../conformance/doubles.ts";
import type { ManualClock } from "../../kit/clock.ts";
import { type Container, startContainer } from "../../kit/lambda/container.ts";
import { EventSourceMapping, type MappingOptions } from "../../kit/lambda/mapping.ts";
import { mappingSettings } from "../../kit/lambda/settings.ts";
import { type Call, callOf, roleOf } from "./calls.ts";
import { bundleOf, type Known, knownOf, resolve } from "./lambda.ts";
import { type Json, synthesise } from "./synth.ts";

/** Functions by their handlers, and what the template calls them. */
const FUNCTIONS = {
  aggregate: /AggregationAggregateFunction/,
  alerts: /AlertingWatchFunction/,
  archive: /ArchiveConsumerFunction/,
  canary: /CanaryFunction/,
  compact: /CompactionCompactFunction/,
  estimate: /EstimatingEstimateFunction/,
  expire: /ExpiryExpireFunction/,
  import: /ImportImporterFunction/,
  query: /ServingQueryFunction/,
  rebuild: /RebuildStepsFunction/,
  thrift: /BudgetThriftFunction/,
};
export type FunctionName = keyof typeof FUNCTIONS;

/** What a browser's request looks like behind CloudFront. */
export interface Posted {
  /** Default: the collector's route. */
  readonly route?: string;
  readonly body: string;
  readonly requestId: string;
  readonly at: number;
  readonly ip: string;
  /** As CloudFront says it; undefined where the browser talks to the API itself. */
  readonly country?: string;
  readonly agent: string;
  readonly trace?: string;
}

export interface Cloud {
  readonly synthesised: ReturnType<typeof synthesise>;
  /** Of the functions that the template has. */
  readonly ids: Readonly<Record<FunctionName, string>>;
  /** What everything in the template is called. */
  readonly known: Known;
  /** What the containers and the mapping go by: real time, and what it was advanced by. The doubles keep to real time. */
  readonly clock: ManualClock;
  readonly kinesis: KinesisClient;
  /** The table by its own driver. */
  readonly store: Store;
  /** The stream by its own driver, in a hurry. */
  readonly stream: Stream;
  readonly streamName: string;
  /** Documents that reached the X-Ray daemon. */
  readonly segments: readonly Json[];
  /** Whether the role of a function allows a call. */
  may(name: FunctionName, call: Call): boolean;
  /** Calls that a role does not allow, and all others, as `aggregate: dynamodb:Query`. */
  readonly denied: readonly string[];
  readonly used: readonly string[];
  /** A cold start, able to do what its role allows and nothing else. Default timeout: the template's. */
  start(name: FunctionName, timeoutMs?: number): Container;
  /** Posts through the deployed mapping template. Answers the envelope that went into the stream. */
  post(posted: Posted): Promise<Json>;
  /** The deployed event source mapping in front of `invoke`. */
  mapping(
    options: Pick<MappingOptions, "invoke" | "failures" | "payload"> & Partial<Pick<MappingOptions, "clock">>,
  ): EventSourceMapping;
  /** What happens on the way from a function to DynamoDB; undefined lets everything pass. */
  disturb(name: FunctionName, wire: Wire | undefined): void;
  /** Splits a shard in the middle; resolves when the children take records. */
  split(shard: string): Promise<void>;
  /** Merges two neighbours; resolves when the child takes records. */
  merge(a: string, b: string): Promise<void>;
  close(): Promise<void>;
}

const EDGE_PROOF = "51af3dc0-da77-11e4-872e-1234567db123";

/**
 * Synthesises, bundles and starts the doubles of DynamoDB and Kinesis; takes some seconds. `more` has endpoints of other
 * services by their names. Close it, or the process stays.
 */
export async function startCloud(
  context: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = {},
): Promise<Cloud> {
  const synthesised = synthesise({ bundle: true, context });
  const idOf = (type: string, named: RegExp): string => {
    const found = synthesised.of(type).find(([id]) => named.test(id));
    if (!found) throw new Error(`no ${type} is named ${named}`);
    return found[0];
  };
  const ids = Object.fromEntries(
    Object.entries(FUNCTIONS).flatMap(([name, named]) => {
      const found = synthesised.of("AWS::Lambda::Function").find(([id]) => named.test(id));
      return found ? [[name, found[0]]] : [];
    }),
  ) as Record<FunctionName, string>;
  const tableId = idOf("AWS::DynamoDB::GlobalTable", /./);
  const streamId = idOf("AWS::Kinesis::Stream", /./);
  const known = knownOf(synthesised, {
    [tableId]: "rivulet-table",
    [streamId]: "rivulet-clicks",
    "AWS::StackId": `arn:aws:cloudformation:us-east-1:123456789012:stack/Rivulet/${EDGE_PROOF}`,
  });
  const streamName = "rivulet-clicks";

  const open: { close(): Promise<void> }[] = [];
  const denied: string[] = [];
  const used: string[] = [];
  const segments: Json[] = [];
  const wires = new Map<FunctionName, Wire>();

  const [dynamo, kinesisDouble] = await Promise.all([startDynalite(), startKinesalite()]);
  open.push(dynamo, kinesisDouble);
  const table = synthesised.only("AWS::DynamoDB::GlobalTable");
  const dynamoClient = new DynamoDBClient(localClient(dynamo.endpoint));
  await dynamoClient.send(
    new CreateTableCommand({
      TableName: known[tableId]!,
      BillingMode: table.BillingMode,
      KeySchema: table.KeySchema,
      AttributeDefinitions: table.AttributeDefinitions,
    }),
  );
  const store = dynamoStore({ table: "rivulet-table", clock: Date, client: dynamoClient });
  open.push(store);
  const kinesis = new KinesisClient(localClient(kinesisDouble.endpoint));
  await kinesis.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: 1 }));
  await untilActive(kinesis, streamName);
  const stream = kinesisStream({ stream: streamName, client: kinesis, minReadGapMs: 0 });
  // In place of the X-Ray daemon that Lambda runs beside a function.
  const daemon = createSocket("udp4");
  daemon.on("message", (datagram) => segments.push(JSON.parse(datagram.toString().split("\n")[1]!)));
  daemon.bind(0, "127.0.0.1");
  await once(daemon, "listening");

  const endpoints: Readonly<Record<string, string>> = {
    ...more,
    dynamodb: dynamo.endpoint,
    kinesis: kinesisDouble.endpoint,
  };
  const roles = new Map<FunctionName, ReturnType<typeof roleOf>>();
  const gates = new Map<FunctionName, Double>();
  for (const name of Object.keys(ids) as FunctionName[]) {
    const may = roleOf(synthesised, ids[name], known);
    const wire = async (exchange: Exchange): ReturnType<Wire> => {
      const call = callOf(exchange);
      const isAllowed = may(call);
      (isAllowed ? used : denied).push(`${name}: ${call.action}`);
      if (!isAllowed) return awsFailure(400, "AccessDeniedException", call.action);
      const disturbance = exchange.service === "dynamodb" ? wires.get(name) : undefined;
      return disturbance ? disturbance(exchange) : exchange.forward();
    };
    const gate = await startWire((service) => endpoints[service] ?? "http://127.0.0.1:1", wire);
    open.push(gate);
    roles.set(name, may);
    gates.set(name, gate);
  }

  const ahead = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const aheadMs = new Int32Array(ahead);
  const clock: ManualClock = {
    now: () => Date.now() + Atomics.load(aheadMs, 0),
    advance(ms) {
      Atomics.add(aheadMs, 0, Math.ceil(ms));
    },
    advanceTo(at) {
      this.advance(Math.max(0, at - this.now()));
    },
  };

  const paths = synthesised.only("AWS::ApiGateway::RestApi").Body.paths;
  const templates = new Map<string, ReturnType<typeof compileTemplate>>();
  const templateOf = (route: string): ReturnType<typeof compileTemplate> => {
    const text = paths[route].post["x-amazon-apigateway-integration"].requestTemplates["text/plain"];
    const compiled = templates.get(route) ?? compileTemplate(resolve(text, known));
    templates.set(route, compiled);
    return compiled;
  };

  return {
    synthesised,
    ids,
    known,
    clock,
    kinesis,
    store,
    stream,
    streamName,
    segments,
    denied,
    used,
    may: (name, call) => roles.get(name)!(call),
    start(name, timeoutMs) {
      const { Environment, Timeout, Layers } = synthesised.template.toJSON().Resources[ids[name]].Properties;
      const opt = Layers && bundleOf(synthesised, Layers[0].Ref);
      const folder = bundleOf(synthesised, ids[name]);
      const container = startContainer({
        entry: join(folder, "index.mjs"),
        timeoutMs: timeoutMs ?? Timeout * 1_000,
        ahead,
        environment: {
          ...inOpt(resolve(Environment.Variables, known), opt),
          // What Lambda itself sets.
          ...LOCAL_AWS,
          LAMBDA_TASK_ROOT: folder,
          AWS_LAMBDA_FUNCTION_NAME: name,
          _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
          AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${daemon.address().port}`,
          // In place of the services' own addresses.
          AWS_ENDPOINT_URL: gates.get(name)!.endpoint,
        },
      });
      open.push(container);
      return container;
    },
    async post({ route = "/v1/events", body, requestId, at, ip, country, agent, trace }) {
      const rendered = templateOf(route).render(
        {
          body,
          json: jsonOf(body),
          headers: {
            "user-agent": agent,
            ...(country && {
              "cloudfront-viewer-address": `${ip}:46532`,
              "cloudfront-viewer-country": country,
              "x-rivulet-edge": EDGE_PROOF,
            }),
            ...(trace ? { "x-amzn-trace-id": trace } : {}),
          },
        },
        {
          extendedRequestId: requestId,
          requestId,
          requestTimeEpoch: at,
          httpMethod: "POST",
          resourcePath: route,
          identity: { sourceIp: country ? "130.176.0.1" : ip, userAgent: agent },
          responseOverride: { header: {} },
        },
      );
      const { StreamName, PartitionKey, Data } = JSON.parse(rendered);
      const data = Buffer.from(Data, "base64");
      await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey, Data: data }));
      return JSON.parse(data.toString());
    },
    mapping: (options) =>
      new EventSourceMapping({
        uuid: "4c6f2a7e-3b1d-4f7e-9a53-5d0a6a1c2b3d",
        functionArn: "arn:aws:lambda:us-east-1:123456789012:function:aggregate",
        streamArn: `arn:aws:kinesis:us-east-1:123456789012:stream/${streamName}`,
        settings: mappingSettings(
          synthesised
            .of("AWS::Lambda::EventSourceMapping")
            .find(([, { Properties }]) => JSON.stringify(Properties.FunctionName).includes(ids.aggregate))![1]
            .Properties,
        ),
        stream,
        clock,
        ...options,
      }),
    disturb(name, wire) {
      if (wire) wires.set(name, wire);
      else wires.delete(name);
    },
    async split(shard) {
      const { Shards } = await kinesis.send(new ListShardsCommand({ StreamName: streamName }));
      const range = Shards?.find(({ ShardId }) => ShardId === shard)?.HashKeyRange;
      if (!range) throw new ClickstreamError("not_found", `shard ${shard} is not in the stream`);
      const middle = (BigInt(range.StartingHashKey!) + BigInt(range.EndingHashKey!)) / 2n + 1n;
      await kinesis.send(
        new SplitShardCommand({
          StreamName: streamName,
          ShardToSplit: shard,
          NewStartingHashKey: `${middle}`,
        }),
      );
      await untilActive(kinesis, streamName);
    },
    async merge(ShardToMerge, AdjacentShardToMerge) {
      await kinesis.send(
        new MergeShardsCommand({ StreamName: streamName, ShardToMerge, AdjacentShardToMerge }),
      );
      await untilActive(kinesis, streamName);
    },
    async close() {
      kinesis.destroy();
      daemon.close();
      for (const one of open.reverse()) await one.close();
      rmSync(synthesised.outdir, { recursive: true, force: true });
    },
  };
}

/** With paths in a layer's folder, which a container mounts at /opt. */
const inOpt = (variables: Record<string, string>, folder: string | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name,
      folder ? value.replace(/^\/opt\//, `${folder}/`) : value,
    ]),
  );

function jsonOf(body: string): Json {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** kinesalite works off a split a moment after it answered. */
async function untilActive(client: KinesisClient, StreamName: string): Promise<void> {
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
    if (StreamDescriptionSummary?.StreamStatus === "ACTIVE") return;
    await new Promise(setImmediate);
  }
}
