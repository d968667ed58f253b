/** Shows owners what the deployment costs: a function that works the estimate out each hour and notes it. */
import { Duration } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import type { CostEstimate } from "./estimate.ts";
import { Handler } from "./function.ts";
import type { AnalyticsTable } from "./table.ts";

export interface EstimatingProps {
  readonly data: AnalyticsTable;
  readonly estimate: CostEstimate;
}

export class Estimating extends Construct {
  readonly handler: Handler;

  constructor(scope: Construct, id: string, { data, estimate }: EstimatingProps) {
    super(scope, id);
    this.handler = new Handler(this, "Estimate", {
      handler: "estimate",
      description: "Rivulet: notes each hour what a month like it would cost",
      timeout: Duration.seconds(30),
      memory: 256,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.estimate]: estimate.terms(this),
      },
    });
    data.allowReading(this.handler);
    data.allowOperations(this.handler);
    // It reads metrics of services that have no resources to name.
    this.handler.allow(["cloudwatch:GetMetricData"], "*");
    // The next hour is the retry.
    this.handler.function.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
    new Rule(this, "Hourly", {
      description: "Rivulet: what a month costs",
      schedule: Schedule.rate(Duration.hours(1)),
      targets: [
        new LambdaFunction(this.handler.function, { retryAttempts: 0, maxEventAge: Duration.minutes(1) }),
      ],
    });
  }
}
