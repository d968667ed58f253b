/** What an operator looks at: one page of graphs, and the traces of this deployment as a group with a rate of its own. */
import { Duration, Names, Stack } from "aws-cdk-lib";
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  type Metric,
  Stats,
} from "aws-cdk-lib/aws-cloudwatch";
import { CfnGroup, CfnSamplingRule } from "aws-cdk-lib/aws-xray";
import { Construct } from "constructs";
import { type MetricName, NAMESPACE } from "../../processors/telemetry.ts";
import { TRACED_PART } from "../prices.ts";
import type { Canary } from "./canary.ts";
import type { CostEstimate } from "./estimate.ts";
import type { Firewall } from "./firewall.ts";
import { ownMetric } from "./metrics.ts";
import type { Parts } from "./parts.ts";
import type { AnalyticsTable } from "./table.ts";

export interface ObservabilityProps extends Parts {
  readonly estimate: CostEstimate;
  readonly canary?: Canary | undefined;
  readonly firewall?: Firewall | undefined;
}

export class Observability extends Construct {
  readonly dashboard: Dashboard;

  /** Where the dashboard is seen, by who may look into the account. */
  get url(): string {
    const { region } = Stack.of(this);
    const page = `#dashboards/dashboard/${this.dashboard.dashboardName}`;
    return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}${page}`;
  }

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id);
    this.dashboard = new Dashboard(this, "Dashboard", { defaultInterval: Duration.hours(3) });
    for (const row of rows(props)) {
      const width = 24 / row.length;
      this.dashboard.addWidgets(
        ...row.map(([title, ...left]) => new GraphWidget({ title, left, width, height: 6 })),
      );
    }
    const { api } = props.ingestion;
    // Every trace of a click begins at this API.
    new CfnGroup(this, "Traces", {
      groupName: Names.uniqueResourceName(this, { maxLength: 32 }),
      filterExpression: `service(id(name: "${api.restApiName}/${api.deploymentStage.stageName}", type: "AWS::ApiGateway::Stage"))`,
      insightsConfiguration: { insightsEnabled: false, notificationsEnabled: false },
    });
    // One in a hundred, and none of AWS's one a second: on most sites that is nearly every click, and a trace costs more than one.
    new CfnSamplingRule(this, "Sampling", {
      samplingRule: {
        ruleName: Names.uniqueResourceName(this, { maxLength: 32 }),
        version: 1,
        priority: 1000,
        reservoirSize: 0,
        fixedRate: TRACED_PART,
        host: "*",
        httpMethod: "*",
        resourceArn: Stack.of(this).formatArn({
          service: "apigateway",
          account: "",
          resource: "/restapis",
          resourceName: `${api.restApiId}/stages/${api.deploymentStage.stageName}`,
        }),
        serviceName: "*",
        serviceType: "*",
        urlPath: "*",
      },
    });
  }
}

/** Rejects by reason, all reasons that there are. */
const rejects = (data: AnalyticsTable): MathExpression =>
  new MathExpression({
    expression: `SEARCH('{${NAMESPACE},Table,Reason} MetricName="Rejects" Table="${data.table.tableName}"', 'Sum', 60)`,
    label: "",
    period: Duration.minutes(1),
  });

type Graph = readonly [title: string, ...metrics: IMetric[]];

function rows({
  data,
  clicks,
  ingestion,
  aggregation,
  compaction,
  serving,
  estimate,
  canary,
  firewall,
}: ObservabilityProps): Graph[][] {
  const minute = { period: Duration.minutes(1) };
  const own = (name: MetricName, statistic?: string): Metric =>
    ownMetric(data, name, statistic ? { statistic } : {});
  return [
    [
      [
        "Freshness: from a click to the count (ms)",
        own("Delay", Stats.p(50)),
        own("Delay", Stats.p(99)),
        own("Lag", Stats.MAXIMUM),
        ...(canary ? [canary.visible()] : []),
      ],
      ["Events", own("Events"), own("Late")],
      ["Cost of a month like the last hour ($)", estimate.monthly()],
    ],
    [
      ["Rejects by reason", rejects(data)],
      ["Commits lost to another worker", own("Conflicts")],
      ["Batches given up, shards full", aggregation.reader.givenUp(), clicks.throttles()],
    ],
    [
      [
        "API: requests and failures",
        ingestion.api.metricCount({ ...minute, statistic: "Sum" }),
        ingestion.api.metricClientError({ ...minute, statistic: "Sum" }),
        ingestion.api.metricServerError({ ...minute, statistic: "Sum" }),
        ...(firewall ? [firewall.blocked()] : []),
      ],
      [
        "API: latency (ms)",
        ingestion.api.metricLatency({ ...minute, statistic: Stats.p(50) }),
        ingestion.api.metricLatency({ ...minute, statistic: Stats.p(99) }),
      ],
    ],
    [
      [
        "Functions: duration (ms, p99)",
        ...[aggregation, compaction, serving].map(({ handler }) =>
          handler.function.metricDuration({ ...minute, statistic: Stats.p(99) }),
        ),
      ],
      ["Functions: errors", ...[aggregation, compaction, serving].map(({ handler }) => handler.errors())],
      [
        "Table: units",
        data.table.metricConsumedWriteCapacityUnits(minute),
        data.table.metricConsumedReadCapacityUnits(minute),
      ],
    ],
  ];
}
