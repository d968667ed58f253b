/** Counting again from the archive: a state machine whose steps are one function. It runs when somebody starts it, and costs nothing until then. */
import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import { Policy, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { rebuildWorkflow } from "../workflow.ts";
import type { Archive } from "./archive.ts";
import { Handler } from "./function.ts";
import { monthLog } from "./logs.ts";
import type { AnalyticsTable } from "./table.ts";

export interface RebuildProps {
  readonly archive: Archive;
  readonly data: AnalyticsTable;
}

export class Rebuild extends Construct {
  readonly handler: Handler;
  readonly role: Role;
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, { archive, data }: RebuildProps) {
    super(scope, id);
    const { bucket } = archive;
    this.handler = new Handler(this, "Steps", {
      handler: "rebuild",
      description: "Rivulet: does the steps of a rebuild",
      // The most that there is of time, and of memory in a new account: steps are cut to fit.
      timeout: Duration.minutes(15),
      memory: 3008,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.archiveBucket]: bucket.bucketName,
      },
    });
    data.allowReadingAndWriting(this.handler);
    this.handler.allow(["s3:ListBucket"], bucket.bucketArn);
    // Puts rows back without those that are to be erased.
    this.handler.allow(["s3:GetObject", "s3:PutObject"], bucket.arnForObjects("archive/*"));
    this.handler.allow(["s3:GetObject", "s3:PutObject"], bucket.arnForObjects("rebuild/*"));
    // What is left of an execution holds pseudonyms, as the archive does.
    bucket.addLifecycleRule({ prefix: "rebuild/interim/", expiration: Duration.days(3) });
    bucket.addLifecycleRule({ prefix: "rebuild/reports/", expiration: Duration.days(90) });
    // As long as somebody may start an erasure again that has failed.
    bucket.addLifecycleRule({ prefix: "rebuild/erasing/", expiration: Duration.days(90) });

    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("states.amazonaws.com"),
      description: "Rivulet: calls the steps of a rebuild",
    });
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["lambda:InvokeFunction"],
        resources: [this.handler.function.functionArn],
      }),
    );
    this.stateMachine = new StateMachine(this, "Workflow", {
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(
        Stack.of(this).toJsonString(rebuildWorkflow(this.handler.function.functionArn)),
      ),
      role: this.role,
      tracingEnabled: true,
      logs: {
        destination: monthLog(this, "Logs"),
        // Inputs and answers name a site and days, and of whom is to be erased a pseudonym whose rows are gone then.
        includeExecutionData: true,
        level: LogLevel.ALL,
      },
    });
    // Apart from the role's own policy, which the state machine waits for.
    new Policy(this, "Children", {
      roles: [this.role],
      statements: [
        new PolicyStatement({
          actions: ["states:StartExecution"],
          resources: [this.stateMachine.stateMachineArn],
        }),
        new PolicyStatement({
          actions: ["states:DescribeExecution", "states:StopExecution"],
          resources: [
            Stack.of(this).formatArn({
              service: "states",
              resource: "execution",
              resourceName: `${this.stateMachine.stateMachineName}/*`,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ],
        }),
      ],
    });
  }
}
