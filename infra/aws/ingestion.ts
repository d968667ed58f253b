/** The door: the REST API of infra/api.ts, allowed to put records into one stream and to call one function. */
import { Aws, Fn, Names, RemovalPolicy, Stack } from "aws-cdk-lib";
import {
  AccessLogFormat,
  ApiDefinition,
  EndpointType,
  LogGroupLogDestination,
  MethodLoggingLevel,
  SpecRestApi,
} from "aws-cdk-lib/aws-apigateway";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { LogGroupClass } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { apiDocument } from "../api.ts";
import type { Handler } from "./function.ts";
import { monthLog } from "./logs.ts";
import type { ClickStream } from "./stream.ts";
import type { Users } from "./users.ts";

export interface IngestionProps {
  readonly clicks: ClickStream;
  readonly query: Handler;
  /** Requests per second that the stage takes for long, and at once; beyond, it answers 429. */
  readonly throttle: { readonly rate: number; readonly burst: number };
  readonly believeSenders: boolean;
  /** A second path for batches. */
  readonly ingestPath?: string | undefined;
  readonly users?: Users | undefined;
}

/**
 * Enough to find a request and its trace; no address, no agent, no query string, so that a log names nobody. In few bytes,
 * because each is paid (ACCESS_LOG_BYTES). `upstream` is the stream, or the function that answers.
 */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    id: "$context.extendedRequestId",
    at: "$context.requestTimeEpoch",
    method: "$context.httpMethod",
    resource: "$context.resourcePath",
    status: "$context.status",
    ms: "$context.responseLatency",
    upstream: "$context.integration.integrationStatus",
    upstream_ms: "$context.integration.latency",
    error: "$context.error.responseType",
    trace: "$context.xrayTraceId",
  }),
);

export class Ingestion extends Construct {
  readonly api: SpecRestApi;
  /** The header by which the distribution shows the API that a request came through it. */
  readonly edgeProof: { readonly header: string; readonly value: string };

  constructor(scope: Construct, id: string, props: IngestionProps) {
    super(scope, id);
    const { clicks, query, throttle, believeSenders, ingestPath, users } = props;
    const role = new Role(this, "PutRole", {
      assumedBy: new ServicePrincipal("apigateway.amazonaws.com"),
      description: "Rivulet: API Gateway puts records into the stream",
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ["kinesis:PutRecord"], resources: [clicks.stream.streamArn] }),
    );
    // Half the price; it is searched when something is wrong, and nothing is made of it.
    const accessLog = monthLog(this, "RequestLog", LogGroupClass.INFREQUENT_ACCESS);
    const { region, partition } = Stack.of(this);
    // The id's last part is random and known to nobody outside the account: a secret that costs nothing and does not
    // appear in the template. It only decides whose word for a visitor's address is taken.
    this.edgeProof = { header: "x-rivulet-edge", value: Fn.select(2, Fn.split("/", Aws.STACK_ID)) };
    // Metrics and traces of the API go by its name alone, and every deployment of the account has them in one place. Both
    // ways of naming it say the same: the documents of AWS do not tell which of them holds.
    const name = Names.uniqueResourceName(this, { maxLength: 128, separator: "-" });
    this.api = new SpecRestApi(this, "Api", {
      restApiName: name,
      apiDefinition: ApiDefinition.fromInline(
        apiDocument({
          title: name,
          partition,
          region,
          streamName: clicks.stream.streamName,
          ingestRoleArn: role.roleArn,
          queryFunctionArn: query.function.functionArn,
          clientAddress: { from: "cloudfront", proof: this.edgeProof },
          believeSenders,
          ingestPath,
          signIn: users && { userPoolArn: users.pool.userPoolArn, scope: users.scope },
        }),
      ),
      endpointTypes: [EndpointType.REGIONAL],
      // Access logs need the account's own role, once per account and region; it must outlive this stack.
      cloudWatchRole: true,
      cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN,
      deployOptions: {
        stageName: "live",
        tracingEnabled: true,
        metricsEnabled: true,
        throttlingRateLimit: throttle.rate,
        throttlingBurstLimit: throttle.burst,
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat: ACCESS_LOG,
        // Execution logs quote requests.
        loggingLevel: MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
      },
    });
    query.function.addPermission("Api", {
      principal: new ServicePrincipal("apigateway.amazonaws.com"),
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: this.api.arnForExecuteApi("*", "/api/v2/*", this.api.deploymentStage.stageName),
    });
  }
}
