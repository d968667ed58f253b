/** A log as we want every one of them: it forgets after a month, and goes with the stack. */
import { RemovalPolicy } from "aws-cdk-lib";
import { LogGroup, type LogGroupClass, RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

export const monthLog = (scope: Construct, id: string, logGroupClass?: LogGroupClass): LogGroup =>
  new LogGroup(scope, id, {
    logGroupClass,
    retention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  });
