/** A Lambda function as we want every one of them: one bundle, one role, one log group that forgets, nothing implied. */
import { fileURLToPath } from "node:url";
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import type { Metric } from "aws-cdk-lib/aws-cloudwatch";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogLevel, NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

const root = fileURLToPath(new URL("../..", import.meta.url));

const UNUSED_CREDENTIALS = [
  ...["ini", "login", "process", "sso", "web-identity"].map((kind) => `@aws-sdk/credential-provider-${kind}`),
  "@smithy/credential-provider-imds", // of an EC2 instance
];

export interface HandlerProps {
  /** Name of the file in processors/handlers that exports `handler`. */
  readonly handler: "aggregate" | "compact" | "query";
  readonly description: string;
  readonly timeout: Duration;
  /** MB; the share of a CPU grows with it (1769 = one). */
  readonly memory: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Executions kept for this function and the most it may have. Default: the account's common pool. */
  readonly concurrency?: number | undefined;
}

export class Handler extends Construct {
  readonly function: NodejsFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: HandlerProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, "Logs", {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // A role of our own, because the default one may write to every log group of the account.
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: props.description,
    });
    logGroup.grantWrite(this.role);

    this.function = new NodejsFunction(this, "Function", {
      description: props.description,
      entry: `${root}processors/handlers/${props.handler}.ts`,
      projectRoot: root,
      depsLockFilePath: `${root}package-lock.json`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memory,
      timeout: props.timeout,
      environment: { ...props.environment },
      reservedConcurrentExecutions: props.concurrency,
      role: this.role,
      logGroup,
      tracing: Tracing.ACTIVE,
      // The variable only serves SDK v2, which is not in the bundle.
      awsSdkConnectionReuse: false,
      bundling: {
        format: OutputFormat.ESM,
        target: "node24",
        minify: true,
        sourceMap: false,
        logLevel: LogLevel.WARNING,
        forceDockerBundling: false,
        // The SDK goes in: the version that was tested is the version that runs. All but its ways to credentials that
        // Lambda never takes (they are loaded on demand, and its runtime has them): a fifth of the bundle.
        externalModules: UNUSED_CREDENTIALS,
        mainFields: ["module", "main"],
        // CommonJS packages inside an ES module (the X-Ray SDK among them) still call require.
        banner:
          'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
      },
    });
  }

  /** Allows exactly these actions on exactly these resources. */
  allow(actions: string[], ...resources: string[]): void {
    this.role.addToPolicy(new PolicyStatement({ actions, resources }));
  }

  /** Failed invocations in a minute. */
  errors(): Metric {
    return this.function.metricErrors({ period: Duration.minutes(1) });
  }
}
