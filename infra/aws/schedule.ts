/** Calls a function by the clock. The next call is the retry of one that failed, so none is repeated or kept for long. */
import { Duration } from "aws-cdk-lib";
import { Rule, RuleTargetInput, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { Construct } from "constructs";
import type { Handler } from "./function.ts";

export interface Timetable {
  readonly every: Duration;
  readonly description: string;
  /** What the function is called with; default: the event of EventBridge. */
  readonly input?: object;
}

const ONCE = { retryAttempts: 0, maxEventAge: Duration.minutes(1) };

/** `id` names the rule within `scope`. */
export function callEvery(
  scope: Construct,
  id: string,
  handler: Handler,
  { every, description, input }: Timetable,
): void {
  handler.function.configureAsyncInvoke(ONCE);
  const event = input && { event: RuleTargetInput.fromObject(input) };
  new Rule(scope, id, {
    description,
    schedule: Schedule.rate(every),
    targets: [new LambdaFunction(handler.function, { ...event, ...ONCE })],
  });
}
