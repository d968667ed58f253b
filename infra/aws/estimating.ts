/** Shows owners what the deployment costs: a function that works the estimate out each hour and notes it. */
import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import type { CostEstimate } from "./estimate.ts";
import { Handler } from "./function.ts";
import { callEvery } from "./schedule.ts";
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
    callEvery(this, "Hourly", this.handler, {
      every: Duration.hours(1),
      description: "Rivulet: what a month costs",
    });
  }
}
