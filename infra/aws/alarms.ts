/** What wakes the operator: a few alarms on the promises of this system, each naming its section of the runbook. */
import { Duration } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import type { Aggregation } from "./aggregation.ts";
import type { Compaction } from "./compaction.ts";
import type { Ingestion } from "./ingestion.ts";
import type { Serving } from "./serving.ts";
import type { ClickStream } from "./stream.ts";

export interface AlarmsProps {
  readonly clicks: ClickStream;
  readonly ingestion: Ingestion;
  readonly aggregation: Aggregation;
  readonly compaction: Compaction;
  readonly serving: Serving;
  /** Address that is told; it must confirm once. Default: subscribe to the topic yourself. */
  readonly email?: string | undefined;
  /** Where the reader of an alarm finds the runbook; the section's anchor is appended. */
  readonly runbook: string;
}

interface Watch {
  /** Both the alarm's id and the anchor in docs/runbook.md. */
  readonly section: string;
  readonly says: string;
  readonly metric: IMetric;
  /** Alarms above this value... */
  readonly above: number;
  /** ...in this many minutes out of as many. */
  readonly minutes: number;
}

export class Alarms extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.topic = new Topic(this, "Topic", { displayName: "Rivulet alarms", enforceSSL: true });
    if (props.email) this.topic.addSubscription(new EmailSubscription(props.email));
    const action = new SnsAction(this.topic);
    for (const { section, says, metric, above, minutes } of watches(props)) {
      const alarm = new Alarm(this, section, {
        alarmDescription: `${says} What to do: ${props.runbook}#${section}`,
        metric,
        threshold: above,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: minutes,
        // An idle site sends no data points, and that is well.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
  }
}

function watches({ clicks, ingestion, aggregation, compaction, serving }: AlarmsProps): Watch[] {
  return [
    {
      section: "consumer-behind",
      says: "The counts trail the clicks by more than a minute.",
      metric: aggregation.iteratorAge(),
      above: Duration.minutes(1).toMilliseconds(),
      minutes: 5,
    },
    {
      section: "aggregate-failing",
      says: "Batches of clicks fail and are retried; nothing is lost yet.",
      metric: aggregation.handler.errors(),
      above: 0,
      minutes: 3,
    },
    {
      section: "batches-given-up",
      says: "Clicks were not counted: their batch was given up and its payload saved.",
      metric: aggregation.givenUp(),
      above: 0,
      minutes: 1,
    },
    {
      section: "compaction-failing",
      says: "Commits are not folded into rollups; answers stay right but get slower.",
      metric: compaction.handler.errors(),
      above: 0,
      minutes: 5,
    },
    {
      section: "query-failing",
      says: "The dashboard gets no answers.",
      metric: serving.handler.errors(),
      above: 0,
      minutes: 3,
    },
    {
      section: "stream-full",
      says: "A shard is full; browsers are told to try again.",
      metric: clicks.throttles(),
      above: 0,
      minutes: 3,
    },
    {
      section: "api-failing",
      says: "The API answers with 5xx.",
      metric: ingestion.api.metricServerError({ statistic: "Sum", period: Duration.minutes(1) }),
      above: 5,
      minutes: 3,
    },
  ];
}
