/** Of the template: functions, and how the stream calls them. */
import { rmSync } from "node:fs";
import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { type Json, type Resource, type Synthesised, synthesise } from "../synth.ts";
import { chosen, cloud, full, ours, template } from "./deployments.ts";

describe("functions", () => {
  it("run Node 24 on arm64, and name their memory, timeout and log group", () => {
    const functions = ours("AWS::Lambda::Function");
    const entries = functions.map(([, { Properties }]) => Properties.Description).toSorted();
    expect(new Set(entries).size).toBeGreaterThanOrEqual(4);
    for (const [id, { Properties }] of functions) {
      expect(Properties, id).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        MemorySize: expect.any(Number),
        Timeout: expect.any(Number),
        LoggingConfig: { LogGroup: expect.anything() },
      });
    }
  });

  it("trace, every one; those that the stream calls begin no traces unless that is chosen", () => {
    const tracing = (of: Synthesised) =>
      of
        .of("AWS::Lambda::Function")
        .filter(([id]) => id.startsWith("Rivulet"))
        .map(([id, { Properties }]) => [id, Properties.TracingConfig?.Mode] as const);
    const consumer = /^RivuletAggregation/;
    for (const [id, mode] of tracing(cloud))
      expect(mode, id).toBe(consumer.test(id) ? "PassThrough" : "Active");
    for (const [id, mode] of tracing(full)) expect(mode, id).toBe("Active");
    // What it adds to the traces of clicks is sent with its own permission.
    const policies = cloud.of("AWS::IAM::Policy").filter(([id]) => consumer.test(id));
    expect(policies).toHaveLength(1);
    for (const [, { Properties }] of policies)
      expect(Properties.PolicyDocument.Statement.filter(({ Resource }: Json) => Resource === "*")).toEqual([
        { Action: "xray:PutTraceSegments", Effect: "Allow", Resource: "*" },
      ]);
  });

  it("have a role each", () => {
    const roles = ours("AWS::Lambda::Function").map(([, { Properties }]) => JSON.stringify(Properties.Role));
    expect(new Set(roles).size).toBe(roles.length);
  });

  it("keep no executions of the account unless asked, and then as many as shards may need", () => {
    template.allResourcesProperties(
      "AWS::Lambda::Function",
      Match.objectLike({ ReservedConcurrentExecutions: Match.absent() }),
    );
    chosen.template.hasResourceProperties("AWS::Lambda::Function", {
      Description: Match.stringLikeRegexp("commit"),
      ReservedConcurrentExecutions: 6,
    });
    full.template.hasResourceProperties("AWS::Lambda::Function", {
      Description: Match.stringLikeRegexp("commit"),
      // Nobody knows the number of shards, and a limit below it would let the counts fall behind.
      ReservedConcurrentExecutions: Match.absent(),
    });
  });
});

describe("the event source mapping", () => {
  it("reads each shard with one reader from the oldest record, and gives up a poison record with its payload", () => {
    template.resourceCountIs("AWS::Lambda::EventSourceMapping", 1);
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      StartingPosition: "TRIM_HORIZON",
      ParallelizationFactor: 1,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 100,
      MaximumBatchingWindowInSeconds: 1,
      MetricsConfig: { Metrics: ["EventCount"] },
      DestinationConfig: {
        OnFailure: { Destination: { "Fn::GetAtt": [Match.stringLikeRegexp("Failures"), "Arn"] } },
      },
      // The handler returns nothing: with either of these, nothing would mean something.
      FunctionResponseTypes: Match.absent(),
      TumblingWindowInSeconds: Match.absent(),
    });
  });

  it("reads by a consumer of its own where enhanced fan-out is asked for", () => {
    template.resourceCountIs("AWS::Kinesis::StreamConsumer", 0);
    const [[consumer, { Properties }]] = chosen.of("AWS::Kinesis::StreamConsumer") as [[string, Resource]];
    expect(Properties.StreamARN).toEqual({
      "Fn::GetAtt": [chosen.of("AWS::Kinesis::Stream")[0]![0], "Arn"],
    });
    expect(chosen.only("AWS::Lambda::EventSourceMapping")).toMatchObject({
      EventSourceArn: { "Fn::GetAtt": [consumer, "ConsumerARN"] },
      ParallelizationFactor: 1,
    });
    chosen.template.hasResourceProperties("AWS::IAM::Policy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: Match.arrayWith(["kinesis:SubscribeToShard"]),
            Resource: { "Fn::GetAtt": [consumer, "ConsumerARN"] },
          }),
        ]),
      },
    });
  });

  it("saves a payload before the stream forgets it, and tries one for longer where the stream keeps it for longer", () => {
    const hours = (of: Synthesised): number[] => [
      of.only("AWS::Kinesis::Stream").RetentionPeriodHours,
      of.only("AWS::Lambda::EventSourceMapping").MaximumRecordAgeInSeconds / 3_600,
    ];
    expect(hours(cloud)).toEqual([24, 12]);
    expect(hours(chosen)).toEqual([168, 84]);
    const longest = synthesise({ context: { retentionHours: "8760" } });
    expect(hours(longest)).toEqual([8_760, 168]);
    rmSync(longest.outdir, { recursive: true });
  });
});
