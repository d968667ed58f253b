/** What wakes the operator: a few alarms on the promises of this system, each naming its section of the runbook. */
import { Aws, Duration } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import type { Alerting } from "./alerting.ts";
import type { Archive } from "./archive.ts";
import type { Budget } from "./budget.ts";
import type { Canary } from "./canary.ts";
import type { CostEstimate } from "./estimate.ts";
import type { Expiry } from "./expiry.ts";
import type { Firewall } from "./firewall.ts";
import type { Import } from "./import.ts";
import { ownMetric } from "./metrics.ts";
import type { Parts } from "./parts.ts";
import type { AlarmOptions } from "./props.ts";

export interface AlarmsProps extends Parts, AlarmOptions {
  readonly alerting: Alerting;
  readonly archive?: Archive | undefined;
  readonly expiry?: Expiry | undefined;
  readonly budget?: Budget | undefined;
  readonly estimate: CostEstimate;
  readonly canary?: Canary | undefined;
  readonly firewall?: Firewall | undefined;
  readonly imports?: Import | undefined;
}

interface Watch {
  /** Both the alarm's id and the anchor in docs/runbook.md. */
  readonly section: string;
  readonly says: string;
  readonly metric: IMetric;
  /** Alarms above this value... */
  readonly above: number;
  /** ...in this many of the metric's periods, a minute each unless it says otherwise, out of as many. */
  readonly minutes: number;
  /** What else runs when it begins and when it is over. */
  readonly action?: IAlarmAction;
}

export class Alarms extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.topic = new Topic(this, "Topic", { displayName: "Rivulet alarms", enforceSSL: true });
    // A policy of its own takes the place of the default one, by which everything in the account may publish.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AlarmsTell",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    );
    const { email, runbook = "docs/runbook.md" } = props;
    if (email) this.topic.addSubscription(new EmailSubscription(email));
    const tell = new SnsAction(this.topic);
    for (const { section, says, metric, above, minutes, action } of watches(props)) {
      const alarm = new Alarm(this, section, {
        alarmDescription: `${says} What to do: ${runbook}#${section}`,
        metric,
        threshold: above,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: minutes,
        // An idle site sends no data points, and that is well.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      const actions = [tell, ...(action ? [action] : [])];
      alarm.addAlarmAction(...actions);
      alarm.addOkAction(...actions);
    }
  }
}

function* watches({
  alerting,
  archive,
  expiry,
  budget,
  estimate,
  data,
  clicks,
  ingestion,
  aggregation,
  compaction,
  serving,
  canary,
  firewall,
  imports,
}: AlarmsProps): Generator<Watch> {
  const throttled = new MathExpression({
    expression: "FILL(reads,0)+FILL(writes,0)",
    usingMetrics: Object.fromEntries(
      ["Read", "Write"].map((kind) => [
        `${kind.toLowerCase()}s`,
        data.table.metric(`${kind}ThrottleEvents`, { statistic: Stats.SUM, period: Duration.minutes(1) }),
      ]),
    ),
    period: Duration.minutes(1),
    label: "throttled reads and writes",
  });
  yield {
    section: "clicks-waiting",
    says: "Clicks have been waiting in the stream for more than a minute, whether or not the consumer runs.",
    metric: ownMetric(data, "Lag", { statistic: Stats.MAXIMUM }),
    above: Duration.minutes(1).toMilliseconds(),
    minutes: 3,
  };
  yield {
    section: "many-rejects",
    says: "More than a hundred events a minute are refused for what is in them.",
    metric: ownMetric(data, "Faulty"),
    above: 100,
    minutes: 10,
  };
  yield {
    section: "commit-conflicts",
    says: "Two workers of one shard keep overtaking each other; counts stay exact, but work is done twice.",
    metric: ownMetric(data, "Conflicts"),
    above: 5,
    minutes: 10,
  };
  yield {
    section: "table-throttled",
    says: "DynamoDB refuses requests; they are tried again, and freshness suffers.",
    metric: throttled,
    above: 0,
    minutes: 5,
  };
  yield {
    section: "alerts-failing",
    says: "The rules of site owners are not looked at, so nobody is told of spikes and drops.",
    metric: alerting.handler.errors(),
    above: 0,
    minutes: 5,
  };
  if (budget) {
    yield {
      section: "over-budget",
      says: `For three hours a month like them would have cost more than the ${budget.monthly} dollars of the budget.`,
      metric: estimate.monthly(),
      above: budget.monthly,
      minutes: 3,
      action: budget.action,
    };
  }
  if (canary) {
    yield {
      section: "canary-failing",
      says: "A click of our own was not in the answers in time, twice within a quarter of an hour.",
      metric: canary.handler.function.metricErrors({ period: Duration.minutes(15) }),
      above: 1,
      minutes: 1,
    };
  }
  if (firewall) {
    yield {
      section: "requests-blocked",
      says: "The firewall refuses many requests: somebody floods the API, or many share an address.",
      metric: firewall.blocked(),
      above: 1_000,
      minutes: 10,
    };
  }
  if (imports) {
    yield {
      section: "imports-failing",
      says: "Files cannot be imported: what tells of them waits in the dead-letter queue.",
      metric: imports.givenUp(),
      above: 0,
      minutes: 1,
    };
  }
  if (archive) {
    yield {
      section: "archive-behind",
      says: "The archive trails the clicks by more than an hour; counting does not wait for it.",
      metric: archive.reader.iteratorAge(),
      above: Duration.hours(1).toMilliseconds(),
      minutes: 5,
    };
    yield {
      section: "archive-gave-up",
      says: "Clicks were counted and not archived: their batch was given up and its payload saved.",
      metric: archive.reader.givenUp(),
      above: 0,
      minutes: 1,
    };
    yield {
      section: "archive-refused",
      says: "Clicks were counted and not archived: the delivery stream put their rows aside.",
      metric: archive.refused(),
      above: 0,
      minutes: 1,
    };
  }
  if (expiry) {
    yield {
      section: "expiry-failing",
      says: "What sites keep no longer was not deleted from the archive today.",
      metric: expiry.handler.errors(),
      above: 0,
      minutes: 1,
    };
  }
  yield {
    section: "consumer-behind",
    says: "The counts trail the clicks by more than a minute.",
    metric: aggregation.reader.iteratorAge(),
    above: Duration.minutes(1).toMilliseconds(),
    minutes: 5,
  };
  yield {
    section: "aggregate-failing",
    says: "Batches of clicks fail and are retried; nothing is lost yet.",
    metric: aggregation.handler.errors(),
    above: 0,
    minutes: 3,
  };
  yield {
    section: "batches-given-up",
    says: "Clicks were not counted: their batch was given up and its payload saved.",
    metric: aggregation.reader.givenUp(),
    above: 0,
    minutes: 1,
  };
  yield {
    section: "compaction-failing",
    says: "Commits are not folded into rollups; answers stay right but get slower.",
    metric: compaction.handler.errors(),
    above: 0,
    minutes: 5,
  };
  yield {
    section: "query-failing",
    says: "The dashboard gets no answers.",
    metric: serving.handler.errors(),
    above: 0,
    minutes: 3,
  };
  yield {
    section: "stream-full",
    says: "A shard is full; browsers are told to try again.",
    metric: clicks.throttles(),
    above: 0,
    minutes: 3,
  };
  yield {
    section: "api-failing",
    says: "The API answers with 5xx.",
    metric: ingestion.api.metricServerError({ statistic: "Sum", period: Duration.minutes(1) }),
    above: 5,
    minutes: 3,
  };
}
