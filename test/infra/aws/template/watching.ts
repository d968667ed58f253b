/** Of the template: what tells the operator how it goes, and what it costs. */
import { readFileSync } from "node:fs";
import { Duration } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { Rivulet, type RivuletProps } from "../../../../infra/aws/rivulet.ts";
import { ASSUMED } from "../../../../infra/local/cost/bill.ts";
import { ACCESS_LOG_BYTES, PRICES } from "../../../../infra/prices.ts";
import { METRICS, NAMESPACE } from "../../../../processors/telemetry.ts";
import { bareStack, type Json, PAGES, type Resource, type Synthesised } from "../synth.ts";
import { chosen, cloud, full, template } from "./deployments.ts";

describe("alarms", () => {
  const runbook = readFileSync(new URL("../../../../docs/runbook.md", import.meta.url), "utf8");
  const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) => title!);
  const alarms = full.of("AWS::CloudWatch::Alarm");

  it("each tell the topic, and the reader which section of the runbook to open", () => {
    expect(alarms.length).toBeGreaterThan(0);
    const topic = { Ref: cloud.of("AWS::SNS::Topic").find(([id]) => id.startsWith("RivuletAlarms"))![0] };
    for (const [id, { Properties }] of alarms) {
      expect(Properties.AlarmActions[0], id).toEqual(topic);
      expect(Properties.OKActions, id).toEqual(Properties.AlarmActions);
      const anchor = /docs\/runbook\.md#(\S+)$/.exec(Properties.AlarmDescription)?.[1];
      expect(sections, id).toContain(anchor);
    }
  });

  it("may tell it: a policy of the topic's own takes the place of the one by which they might", () => {
    const topic = cloud.of("AWS::SNS::Topic").find(([id]) => id.startsWith("RivuletAlarms"))![0];
    template.hasResourceProperties("AWS::SNS::TopicPolicy", {
      Topics: [{ Ref: topic }],
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: "Allow",
            Action: "sns:Publish",
            Principal: { Service: "cloudwatch.amazonaws.com" },
            Resource: { Ref: topic },
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          }),
        ]),
      },
    });
  });

  it("have every section of the runbook to themselves", () => {
    const anchors = alarms.map(([, { Properties }]) => Properties.AlarmDescription.split("#")[1]);
    expect(anchors.toSorted()).toEqual(sections.filter((title) => /^[a-z-]+$/.test(title)).toSorted());
  });

  /** What an alarm looks at: its own metric, or those that its formula adds up. */
  const metricsOf = ({ Properties }: Resource): Json[] =>
    Properties.Metrics?.flatMap(({ MetricStat }: Json) => MetricStat?.Metric ?? []) ?? [Properties];

  it("watch freshness, failures, lost batches, a full stream, throttling, rejects, conflicts and 5xx", () => {
    const watched = alarms.flatMap(([, alarm]) =>
      metricsOf(alarm).map(({ Namespace, MetricName }) => `${Namespace} ${MetricName}`),
    );
    expect([...new Set(watched)].toSorted()).toEqual(
      expect.arrayContaining([
        "AWS/ApiGateway 5XXError",
        "AWS/DynamoDB ReadThrottleEvents",
        "AWS/DynamoDB WriteThrottleEvents",
        "AWS/Firehose FailedConversion.Records",
        "AWS/Firehose PartitionCountExceeded",
        "AWS/Kinesis WriteProvisionedThroughputExceeded",
        "AWS/Lambda Errors",
        "AWS/Lambda IteratorAge",
        "AWS/Lambda OnFailureDestinationDeliveredEventCount",
        "AWS/WAFV2 BlockedRequests",
        "Rivulet Conflicts",
        "Rivulet Faulty",
        "Rivulet Lag",
      ]),
    );
  });

  it("name dimensions, because a metric without them belongs to the whole account", () => {
    for (const [id, alarm] of alarms)
      for (const { MetricName, Dimensions } of metricsOf(alarm))
        expect(Dimensions?.length, `${id} ${MetricName}`).toBeGreaterThan(0);
  });

  it("look at as many metrics as the cost model counts", () => {
    const looked = cloud.of("AWS::CloudWatch::Alarm").flatMap(([, alarm]) => metricsOf(alarm));
    expect(looked).toHaveLength(ASSUMED.alarms);
  });

  it("tell the API of one deployment from those of others by a name that is its own, as the document has it too", () => {
    const stack = bareStack("Shared");
    const names = ["Shop", "Blog"].map((id) => {
      const { api } = new Rivulet(stack, id, { sites: ["a.example"], files: PAGES }).ingestion;
      return api.restApiName;
    });
    const shared = Template.fromStack(stack);
    for (const Name of names)
      shared.hasResourceProperties("AWS::ApiGateway::RestApi", {
        Name,
        Body: Match.objectLike({ info: Match.objectLike({ title: Name }) }),
      });
    const asked = Object.values(shared.findResources("AWS::CloudWatch::Alarm"))
      .flatMap(({ Properties }) => Properties.Dimensions ?? [])
      .filter((one: Json) => one.Name === "ApiName");
    expect(asked.map((one: Json) => one.Value)).toEqual(names);
    expect(new Set(names).size).toBe(2);
  });

  it("look at metrics that the functions tell, under the table's name", () => {
    const own = alarms
      .flatMap(([, alarm]) => metricsOf(alarm))
      .filter(({ Namespace }) => Namespace === NAMESPACE);
    for (const { MetricName, Dimensions } of own) {
      expect(Object.keys(METRICS)).toContain(MetricName);
      expect(Dimensions).toContainEqual({
        Name: "Table",
        Value: { Ref: cloud.of("AWS::DynamoDB::GlobalTable")[0]![0] },
      });
    }
  });

  it("write to the address that was given", () => {
    chosen.template.hasResourceProperties("AWS::SNS::Subscription", {
      Protocol: "email",
      Endpoint: "ops@example.com",
    });
  });
});

describe("the budget", () => {
  const [, alarm] = full.of("AWS::CloudWatch::Alarm").find(([id]) => id.includes("overbudget"))!;
  const [thrift, { Properties }] = full
    .of("AWS::Lambda::Function")
    .find(([, one]) => /over the budget/.test(one.Properties.Description))!;

  it("is held against what an hour costs, by metrics that are this deployment's and no more than an alarm takes", () => {
    expect(cloud.of("AWS::CloudWatch::Alarm").filter(([id]) => id.includes("overbudget"))).toEqual([]);
    expect(alarm.Properties).toMatchObject({ Threshold: 60, EvaluationPeriods: 3 });
    const stats = alarm.Properties.Metrics.filter(({ MetricStat }: Json) => MetricStat);
    expect(stats.length).toBeLessThanOrEqual(10);
    for (const { MetricStat } of stats) expect(MetricStat).toMatchObject({ Period: 3_600, Stat: "Sum" });
  });

  /** What the formula of an alarm says where its metrics were as `used`. */
  const estimated = ({ Metrics }: Json, used: Record<string, number>): number => {
    const { Expression } = Metrics.find((one: Json) => one.Expression);
    const formula = Expression.replace(/FILL\((\w+),0\)/g, (_: string, name: string) =>
      String(used[name] ?? 0),
    );
    expect(formula).toMatch(/^[\d.+*/()]+$/);
    return new Function(`return ${formula}`)();
  };

  it("estimates what the prices say, and a quiet hour at what is due anyway", () => {
    const dollars = (used: Record<string, number>): number => estimated(alarm.Properties, used);
    // On demand, with the firewall.
    expect(dollars({})).toBeCloseTo(730 * PRICES.onDemandHour + 8, 6);
    const hour = { requests: 1_000, writes: 2_000, reads: 4_000, calls: 3_600, aggregationMs: 3_600 * 50 };
    const rate =
      1_000 * (3.5e-6 + 1e-6 + 0.6e-6 + 0.1e-6 + 0.25 * (ACCESS_LOG_BYTES / 2 ** 30) + 0.01 * 5e-6) +
      2_000 * 0.625e-6 +
      4_000 * 0.125e-6 +
      3_600 * (0.2e-6 + 0.2875 * 5e-6) + // four shards: one call a second and a twentieth of three are traced
      180 * 0.0000133334;
    expect(dollars(hour) - dollars({})).toBeCloseTo(730 * rate, 6);
  });

  it("estimates readers of their own, each at each shard, and a stream that keeps records for longer than a day", () => {
    const monthOf = (props: Partial<RivuletProps>): ((bytes: number) => number) => {
      const stack = bareStack("Dear");
      new Rivulet(stack, "Rivulet", {
        sites: ["a.example"],
        files: PAGES,
        budget: { monthly: 60 },
        ...props,
      });
      const [own] = Object.entries(Template.fromStack(stack).findResources("AWS::CloudWatch::Alarm")).filter(
        ([id]) => id.includes("overbudget"),
      );
      return (bytes) => estimated(own![1].Properties, { bytes });
    };
    const dear = { stream: { shards: 2 }, archive: true, enhancedFanOut: true, retention: Duration.days(30) };
    const provisioned = monthOf(dear);
    expect(provisioned(0)).toBeCloseTo(730 * 2 * (0.015 + 2 * 0.015 + 0.02), 4);
    expect(provisioned(2 ** 30) - provisioned(0)).toBeCloseTo(730 * 2 * 0.013 + 23 * 24 * 0.023, 1);
    const demanded = monthOf({ stream: "on-demand", archive: true, retention: Duration.days(2) });
    expect(demanded(2 ** 30) - demanded(0)).toBeCloseTo(730 * (0.08 + 2 * 0.04) + 24 * 0.1, 1);
  });

  it("widens the interval of commits by its alarm, and narrows it again, in one mapping and nowhere else", () => {
    const arn = { "Fn::GetAtt": [thrift, "Arn"] };
    expect(alarm.Properties.AlarmActions).toContainEqual(arn);
    const [[counting, mapping]] = full
      .of("AWS::Lambda::EventSourceMapping")
      .filter(([, one]) => JSON.stringify(one.Properties.FunctionName).includes("Aggregate")) as [
      [string, Resource],
    ];
    expect(Properties.Environment.Variables).toMatchObject({
      RIVULET_MAPPING: { Ref: counting },
      RIVULET_USUAL_WINDOW_S: String(mapping.Properties.MaximumBatchingWindowInSeconds),
      RIVULET_THRIFTY_WINDOW_S: "10",
    });
    const [, policy] = full.of("AWS::IAM::Policy").find(([id]) => id.includes("Thrift"))!;
    const statement = policy.Properties.PolicyDocument.Statement.find(
      ({ Action }: Json) => Action === "lambda:UpdateEventSourceMapping",
    );
    expect(JSON.stringify(statement.Resource)).toMatch(
      new RegExp(`:event-source-mapping:",{"Ref":"${counting}"}`),
    );
    full.template.hasResourceProperties("AWS::Lambda::Permission", {
      FunctionName: arn,
      Principal: "lambda.alarms.cloudwatch.amazonaws.com",
      SourceArn: Match.anyValue(),
    });
  });
});

describe("observability", () => {
  it("shows freshness, rejects, conflicts, failures and units on one page", () => {
    const [[, { Properties }]] = cloud.of("AWS::CloudWatch::Dashboard") as [[string, Resource]];
    const body = JSON.stringify(Properties.DashboardBody);
    for (const text of [
      "Freshness",
      "Rejects by reason",
      "Conflicts",
      "Visible",
      "Cost of a month like the last hour",
      "ConsumedWriteCapacityUnits",
    ])
      expect(body).toContain(text);
  });

  it("says where that page is", () => {
    const { Value } = Object.values(cloud.template.findOutputs("*")).find(({ Description }: Json) =>
      /Graphs for the operator/.test(Description),
    )!;
    const [[id]] = cloud.of("AWS::CloudWatch::Dashboard") as [[string, Resource]];
    expect(JSON.stringify(Value)).toMatch(new RegExp(`#dashboards/dashboard/",{"Ref":"${id}"}`));
  });

  it("gathers this deployment's traces, and keeps one in a hundred of them", () => {
    expect(cloud.of("AWS::XRay::Group")).toHaveLength(1);
    expect(cloud.only("AWS::XRay::SamplingRule").SamplingRule).toMatchObject({
      ReservoirSize: 0,
      FixedRate: 0.01,
    });
  });

  it("clicks where pages report to, and where readers need a key asks the function that answers, which it may call", () => {
    const canary = (of: Synthesised): Json =>
      of
        .of("AWS::Lambda::Function")
        .find(([, { Properties }]) => /clicks, and asks/.test(Properties.Description))![1].Properties
        .Environment.Variables;
    const calls = (of: Synthesised): Json[] =>
      of
        .of("AWS::IAM::Policy")
        .filter(([id]) => id.startsWith("RivuletCanary"))
        .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement)
        .filter(({ Action }: Json) => Action === "lambda:InvokeFunction");
    expect(JSON.stringify(canary(cloud).RIVULET_REPORT_URL)).toMatch(/execute-api.*\/v1\/events/);
    expect(canary(cloud)).not.toHaveProperty("RIVULET_QUERY_FUNCTION");
    expect(calls(cloud)).toEqual([]);
    expect(JSON.stringify(canary(chosen).RIVULET_REPORT_URL)).toMatch(/DomainName.*\/stats\/e/);
    const [[query]] = chosen
      .of("AWS::Lambda::Function")
      .filter(([id]) => id.startsWith("RivuletServingQuery")) as [[string, Resource]];
    expect(canary(chosen).RIVULET_QUERY_FUNCTION).toEqual({ Ref: query });
    expect(calls(chosen)).toEqual([
      { Action: "lambda:InvokeFunction", Effect: "Allow", Resource: { "Fn::GetAtt": [query, "Arn"] } },
    ]);
  });
});
