/** Tells site owners what their rules find: a function that looks each minute, and the topic that it tells. */
import { Duration } from "aws-cdk-lib";
import { Alias } from "aws-cdk-lib/aws-kms";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { Handler } from "./function.ts";
import { callEvery } from "./schedule.ts";
import type { AnalyticsTable } from "./table.ts";

export interface AlertingProps {
  readonly data: AnalyticsTable;
  /** Origin of the dashboard. */
  readonly url: string;
  /** Environment that counting and answering share. */
  readonly environment: Readonly<Record<string, string>>;
}

export class Alerting extends Construct {
  readonly handler: Handler;
  /** Of owners, who look at traffic; operators have a topic of their own. */
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { data, url, environment }: AlertingProps) {
    super(scope, id);
    this.topic = new Topic(this, "Topic", {
      displayName: "Rivulet traffic",
      enforceSSL: true,
      // It tells numbers. The operator's topic only says which alarm it is, and CloudWatch cannot use AWS's own key.
      masterKey: Alias.fromAliasName(this, "Key", "alias/aws/sns"),
    });
    this.handler = new Handler(this, "Watch", {
      handler: "alerts",
      description: "Rivulet: holds the rules for alerts against the numbers of each minute",
      timeout: Duration.seconds(50),
      memory: 512,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.url]: url,
        [ENV.alertTopic]: this.topic.topicArn,
        ...environment,
      },
    });
    data.allowReading(this.handler);
    data.allowAlerts(this.handler);
    this.handler.allow(["sns:Publish"], this.topic.topicArn);
    callEvery(this, "EveryMinute", this.handler, {
      every: Duration.minutes(1),
      description: "Rivulet: alerts",
    });
  }
}
