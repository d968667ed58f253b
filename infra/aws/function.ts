/** A Lambda function as we want every one of them: one bundle, one role, one log group that forgets, nothing implied. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duration, Stack } from "aws-cdk-lib";
import type { Metric } from "aws-cdk-lib/aws-cloudwatch";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  type CfnFunction,
  Code,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { bundleHandler, type HandlerName } from "./bundle.ts";
import type { Countries } from "./countries.ts";
import { monthLog } from "./logs.ts";

export interface HandlerProps {
  readonly handler: HandlerName;
  readonly description: string;
  readonly timeout: Duration;
  /** MB; the share of a CPU grows with it (1769 = one). */
  readonly memory: number;
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Whether Lambda begins traces itself where a caller brings none. Default: true. Otherwise the function adds to the traces
   * of others, by X-Ray's API.
   */
  readonly beginsTraces?: boolean | undefined;
  /** For functions that look countries up themselves. */
  readonly countries?: Countries | undefined;
  /** Executions kept for this function and the most it may have. Default: the account's common pool. */
  readonly concurrency?: number | undefined;
}

export class Handler extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  /** MB. */
  readonly memory: number;

  constructor(scope: Construct, id: string, props: HandlerProps) {
    super(scope, id);
    this.memory = props.memory;
    const { beginsTraces = true } = props;
    const logGroup = monthLog(this, "Logs");
    // A role of our own, because the default one may write to every log group of the account.
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: props.description,
    });
    logGroup.grantWrite(this.role);

    this.function = new LambdaFunction(this, "Function", {
      description: props.description,
      // Commands that only list or destroy ask for no code.
      code: Stack.of(this).bundlingRequired
        ? Code.fromAsset(bundled(props.handler))
        : Code.fromInline("// not bundled"),
      handler: "index.handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memory,
      timeout: props.timeout,
      environment: {
        ...props.environment,
        ...(props.countries && { [ENV.countries]: props.countries.path }),
      },
      ...(props.countries && { layers: [props.countries.layer] }),
      reservedConcurrentExecutions: props.concurrency,
      role: this.role,
      logGroup,
      // The library's PASS_THROUGH would also allow telemetry, which only Lambda's daemon sends.
      tracing: beginsTraces ? Tracing.ACTIVE : Tracing.DISABLED,
    });
    if (!beginsTraces) {
      (this.function.node.defaultChild as CfnFunction).tracingConfig = { mode: Tracing.PASS_THROUGH };
      this.allow(["xray:PutTraceSegments"], "*");
    }
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

/** Where this process keeps its bundles, once it has any. CDK copies each into its output when the function is made. */
let home: string | undefined;

/** The folder that holds a handler with all it needs; made once in a process and gone with it. Throws esbuild's errors. */
function bundled(handler: HandlerName): string {
  if (home === undefined) {
    const made = mkdtempSync(join(tmpdir(), "rivulet-bundles-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    home = made;
  }
  const folder = join(home, handler);
  if (!existsSync(folder)) bundleHandler(handler, folder);
  return folder;
}
