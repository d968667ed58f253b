/** While the estimate is over the budget somebody is told, and clicks are gathered for longer before they are counted. */
import { Duration } from "aws-cdk-lib";
import { LambdaAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { type Aggregation, BATCHING_WINDOW } from "./aggregation.ts";
import { Handler } from "./function.ts";

export interface BudgetProps {
  /** US dollars a month, at list prices of us-east-1. */
  readonly monthly: number;
  readonly aggregation: Aggregation;
}

/** A tenth of the commits, and still within the canary's patience. */
const THRIFTY_WINDOW = Duration.seconds(10);

export class Budget extends Construct {
  readonly handler: Handler;
  readonly monthly: number;
  /** Of the alarm: to begin, and to end, to be thrifty. */
  readonly action: LambdaAction;

  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id);
    if (!(props.monthly > 0)) throw new Error(`a budget of ${props.monthly} dollars a month is none`);
    this.monthly = props.monthly;
    const { reader } = props.aggregation;
    this.handler = new Handler(this, "Thrift", {
      handler: "thrift",
      description: "Rivulet: gathers clicks for longer while the estimate is over the budget",
      timeout: Duration.seconds(30),
      memory: 256,
      environment: {
        [ENV.mapping]: reader.mappingId,
        [ENV.usualWindow]: String(BATCHING_WINDOW.toSeconds()),
        [ENV.thriftyWindow]: String(THRIFTY_WINDOW.toSeconds()),
      },
    });
    this.handler.allow(["lambda:UpdateEventSourceMapping"], reader.mappingArn);
    this.action = new LambdaAction(this.handler.function);
  }
}
