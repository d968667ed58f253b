/** The settings of the template that carry a promise, resource by resource. */
import { readFileSync, rmSync } from "node:fs";
import { App, Duration, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { HostedZone } from "aws-cdk-lib/aws-route53";
import { afterAll, describe, expect, it } from "vitest";
import { Rivulet, type RivuletProps } from "../../../infra/aws/rivulet.ts";
import { ASSUMED } from "../../../infra/local/cost/bill.ts";
import { MAX_BODY_BYTES } from "../../../infra/mapping.ts";
import { PAGE_POLICY } from "../../../infra/policy.ts";
import { ACCESS_LOG_BYTES, PRICES } from "../../../infra/prices.ts";
import { SESSION_COOKIE } from "../../../processors/env.ts";
import { OWNERS, READERS } from "../../../processors/pipeline/access.ts";
import { METRICS, NAMESPACE } from "../../../processors/telemetry.ts";
import { resolve } from "./lambda.ts";
import { type Json, type Resource, synthesise } from "./synth.ts";

const cloud = synthesise({ validate: true });
const { template } = cloud;
/** With every option that changes the template; one synthesis for all of them keeps the file quick. */
const chosen = synthesise({
  validate: true,
  context: {
    reserveConcurrency: "true",
    shards: "3",
    auth: "cognito",
    alarmEmail: "ops@example.com",
    enhancedFanOut: "true",
    latenessSeconds: "300",
    retentionHours: "168",
    sites: "shop.example@Asia/Seoul,blog.example",
    direct: "false",
    scriptPath: "/stats/s.js",
    ingestPath: "/stats/e",
  },
});
/** With all that can be added: every alarm that there is. */
const full = synthesise({
  validate: true,
  context: {
    shards: "on-demand",
    reserveConcurrency: "true",
    imports: "true",
    archive: "true",
    firewall: "true",
    budget: "60",
    tracing: "all",
  },
});
afterAll(() => {
  for (const { outdir } of [cloud, chosen, full]) rmSync(outdir, { recursive: true, force: true });
});

const CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/4b1f7e52-3a0f-4a1e-9c0f-0d6a4a6a3b11";
const ours = (type: string) => cloud.of(type).filter(([id]) => id.startsWith("Rivulet"));

describe("functions", () => {
  it("run Node 24 on arm64, and name their memory, timeout and log group", () => {
    const functions = ours("AWS::Lambda::Function");
    const entries = functions.map(([, { Properties }]) => Properties.Description).toSorted();
    expect(new Set(entries).size).toBeGreaterThanOrEqual(4);
    for (const [id, { Properties }] of functions) {
      expect(Properties, id).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        MemorySize: expect.any(Number),
        Timeout: expect.any(Number),
        LoggingConfig: { LogGroup: expect.anything() },
      });
    }
  });

  it("trace, every one; those that the stream calls begin no traces unless that is chosen", () => {
    const tracing = (of: typeof cloud) =>
      of
        .of("AWS::Lambda::Function")
        .filter(([id]) => id.startsWith("Rivulet"))
        .map(([id, { Properties }]) => [id, Properties.TracingConfig?.Mode] as const);
    const consumer = /^RivuletAggregation/;
    for (const [id, mode] of tracing(cloud))
      expect(mode, id).toBe(consumer.test(id) ? "PassThrough" : "Active");
    for (const [id, mode] of tracing(full)) expect(mode, id).toBe("Active");
    // What it adds to the traces of clicks is sent with its own permission.
    const policies = cloud.of("AWS::IAM::Policy").filter(([id]) => consumer.test(id));
    expect(policies).toHaveLength(1);
    for (const [, { Properties }] of policies)
      expect(Properties.PolicyDocument.Statement.filter(({ Resource }: Json) => Resource === "*")).toEqual([
        { Action: "xray:PutTraceSegments", Effect: "Allow", Resource: "*" },
      ]);
  });

  it("have a role each", () => {
    const roles = ours("AWS::Lambda::Function").map(([, { Properties }]) => JSON.stringify(Properties.Role));
    expect(new Set(roles).size).toBe(roles.length);
  });

  it("keep no executions of the account unless asked, and then as many as shards may need", () => {
    template.allResourcesProperties(
      "AWS::Lambda::Function",
      Match.objectLike({ ReservedConcurrentExecutions: Match.absent() }),
    );
    chosen.template.hasResourceProperties("AWS::Lambda::Function", {
      Description: Match.stringLikeRegexp("commit"),
      ReservedConcurrentExecutions: 6,
    });
    full.template.hasResourceProperties("AWS::Lambda::Function", {
      Description: Match.stringLikeRegexp("commit"),
      // Nobody knows the number of shards, and a limit below it would let the counts fall behind.
      ReservedConcurrentExecutions: Match.absent(),
    });
  });
});

describe("the event source mapping", () => {
  it("reads each shard with one reader from the oldest record, and gives up a poison record with its payload", () => {
    template.resourceCountIs("AWS::Lambda::EventSourceMapping", 1);
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      StartingPosition: "TRIM_HORIZON",
      ParallelizationFactor: 1,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 100,
      MaximumBatchingWindowInSeconds: 1,
      MetricsConfig: { Metrics: ["EventCount"] },
      DestinationConfig: {
        OnFailure: { Destination: { "Fn::GetAtt": [Match.stringLikeRegexp("Failures"), "Arn"] } },
      },
      // The handler returns nothing: with either of these, nothing would mean something.
      FunctionResponseTypes: Match.absent(),
      TumblingWindowInSeconds: Match.absent(),
    });
  });

  it("reads by a consumer of its own where enhanced fan-out is asked for", () => {
    template.resourceCountIs("AWS::Kinesis::StreamConsumer", 0);
    const [[consumer, { Properties }]] = chosen.of("AWS::Kinesis::StreamConsumer") as [[string, Resource]];
    expect(Properties.StreamARN).toEqual({
      "Fn::GetAtt": [chosen.of("AWS::Kinesis::Stream")[0]![0], "Arn"],
    });
    expect(chosen.only("AWS::Lambda::EventSourceMapping")).toMatchObject({
      EventSourceArn: { "Fn::GetAtt": [consumer, "ConsumerARN"] },
      ParallelizationFactor: 1,
    });
    chosen.template.hasResourceProperties("AWS::IAM::Policy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: Match.arrayWith(["kinesis:SubscribeToShard"]),
            Resource: { "Fn::GetAtt": [consumer, "ConsumerARN"] },
          }),
        ]),
      },
    });
  });

  it("saves a payload before the stream forgets it, and tries one for longer where the stream keeps it for longer", () => {
    const hours = (of: typeof cloud): number[] => [
      of.only("AWS::Kinesis::Stream").RetentionPeriodHours,
      of.only("AWS::Lambda::EventSourceMapping").MaximumRecordAgeInSeconds / 3_600,
    ];
    expect(hours(cloud)).toEqual([24, 12]);
    expect(hours(chosen)).toEqual([168, 84]);
    const longest = synthesise({ context: { retentionHours: "8760" } });
    expect(hours(longest)).toEqual([8_760, 168]);
    rmSync(longest.outdir, { recursive: true });
  });
});

describe("data", () => {
  it("is one table on demand that forgets by `exp`, restores to any second of a week and outlives the stack", () => {
    template.hasResource("AWS::DynamoDB::GlobalTable", {
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        BillingMode: "PAY_PER_REQUEST",
        KeySchema: [
          { AttributeName: "pk", KeyType: "HASH" },
          { AttributeName: "sk", KeyType: "RANGE" },
        ],
        TimeToLiveSpecification: { AttributeName: "exp", Enabled: true },
        SSESpecification: { SSEEnabled: true },
        Replicas: [
          Match.objectLike({
            DeletionProtectionEnabled: true,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 7 },
          }),
        ],
      },
    });
  });

  it("keeps its name from version to version, and so does all that pages, people and queues know: a new name is a new and empty one", () => {
    const types = [
      "AWS::ApiGateway::RestApi",
      "AWS::CloudFront::Distribution",
      "AWS::Cognito::UserPool",
      "AWS::DynamoDB::GlobalTable",
      "AWS::Glue::Table",
      "AWS::Kinesis::Stream",
      "AWS::S3::Bucket",
      "AWS::SNS::Topic",
      "AWS::SQS::Queue",
    ];
    const names = types.flatMap((type) => [...full.of(type), ...chosen.of(type)].map(([id]) => id));
    expect([...new Set(names)].sort()).toEqual([
      "RivuletAggregationFailures487F1926",
      "RivuletAlarmsTopic020A496A",
      "RivuletAlertingTopic151721DE",
      "RivuletArchiveFailures4142BF2F",
      "RivuletArchiveRows413A0042",
      "RivuletArchiveTableA39D24BB",
      "RivuletClicksStreamDBE94C78",
      "RivuletDataTable33BECB18",
      "RivuletExploreResultsE01A63F2",
      "RivuletImportDeadLetters2F02ADA4",
      "RivuletImportFiles3D12E0CF",
      "RivuletImportQueue933B1483",
      "RivuletImportTopic2238EFBD",
      "RivuletIngestionApi2DE02400",
      "RivuletSiteDistribution88794310",
      "RivuletSiteFiles5F4ED047",
      "RivuletUsersPool8CF4B3B8",
    ]);
  });

  it("has a key type that the store driver writes", () => {
    template.hasResourceProperties("AWS::DynamoDB::GlobalTable", {
      AttributeDefinitions: [
        { AttributeName: "pk", AttributeType: "S" },
        { AttributeName: "sk", AttributeType: "S" },
      ],
    });
  });

  it("passes through an encrypted stream of one provisioned shard by default", () => {
    template.hasResourceProperties("AWS::Kinesis::Stream", {
      ShardCount: 1,
      RetentionPeriodHours: 24,
      StreamModeDetails: { StreamMode: "PROVISIONED" },
      StreamEncryption: { EncryptionType: "KMS" },
    });
  });

  it("passes through an on-demand stream when asked", () => {
    full.template.hasResourceProperties("AWS::Kinesis::Stream", {
      ShardCount: Match.absent(),
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
    });
  });
});

describe("topics", () => {
  it("take TLS only, and the one that tells numbers keeps them encrypted", () => {
    const topics = full.of("AWS::SNS::Topic");
    expect(topics.length).toBeGreaterThanOrEqual(3);
    for (const [id] of topics) {
      const policy = full
        .of("AWS::SNS::TopicPolicy")
        .find(([, { Properties }]) => JSON.stringify(Properties.Topics).includes(`"${id}"`));
      expect(policy?.[1].Properties.PolicyDocument.Statement, id).toContainEqual(
        expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
      );
    }
    const [, alerting] = topics.find(([id]) => id.includes("Alerting"))!;
    expect(JSON.stringify(alerting.Properties.KmsMasterKeyId)).toContain(":alias/aws/sns");
  });
});

describe("buckets", () => {
  it("are private, encrypted and refuse plain HTTP", () => {
    const buckets = cloud.of("AWS::S3::Bucket");
    expect(buckets).toHaveLength(2);
    for (const [id, { Properties }] of buckets) {
      expect(Properties, id).toMatchObject({
        BucketEncryption: expect.anything(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
      expect(Properties, id).not.toHaveProperty("AccessControl");
      expect(Properties, id).not.toHaveProperty("WebsiteConfiguration");
      const policy = cloud.of("AWS::S3::BucketPolicy").find(([, p]) => p.Properties.Bucket.Ref === id);
      expect(policy?.[1].Properties.PolicyDocument.Statement, id).toContainEqual(
        expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
      );
    }
  });

  it("stay when the stack goes, which they would stop by what is in them", () => {
    for (const [id, bucket] of full.of("AWS::S3::Bucket")) expect(bucket.DeletionPolicy, id).toBe("Retain");
  });

  it("forget failed batches, which hold addresses, after two weeks", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([Match.objectLike({ ExpirationInDays: 14, Status: "Enabled" })]),
      },
    });
  });

  it("are read by one distribution and by nobody else", () => {
    const allows = cloud
      .of("AWS::S3::BucketPolicy")
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement)
      .filter(({ Effect }) => Effect === "Allow");
    expect(allows.length).toBeGreaterThan(0);
    for (const statement of allows) {
      // The deployment's own role may write there; everybody else must be this distribution.
      const isDeployer = JSON.stringify(statement.Principal).includes("CDKBucketDeployment");
      if (isDeployer) continue;
      expect(statement).toMatchObject({
        Action: "s3:GetObject",
        Principal: { Service: "cloudfront.amazonaws.com" },
        Condition: { StringEquals: { "AWS:SourceArn": expect.anything() } },
      });
    }
  });
});

describe("the door", () => {
  it("traces, throttles and measures, and logs neither addresses nor agents nor query strings", () => {
    template.hasResourceProperties("AWS::ApiGateway::Stage", {
      TracingEnabled: true,
      MethodSettings: [
        Match.objectLike({
          HttpMethod: "*",
          ResourcePath: "/*",
          MetricsEnabled: true,
          DataTraceEnabled: false,
          ThrottlingRateLimit: 1_000,
          ThrottlingBurstLimit: 2_000,
        }),
      ],
    });
    const stage = cloud.only("AWS::ApiGateway::Stage");
    const logged = Object.values(JSON.parse(stage.AccessLogSetting.Format)).join(" ");
    expect(logged).toContain("$context.extendedRequestId");
    expect(logged).not.toMatch(/identity|userAgent|sourceIp|\$context\.path|input|querystring/i);
    const values: Record<string, string> = {
      "$context.extendedRequestId": "QdBMzFgEoAMFZ5g=",
      "$context.requestTimeEpoch": "1795972016067",
      "$context.httpMethod": "POST",
      "$context.resourcePath": "/v1/events",
      "$context.status": "204",
      "$context.responseLatency": "12",
      "$context.integration.integrationStatus": "200",
      "$context.integration.latency": "10",
      "$context.error.responseType": "-",
      "$context.xrayTraceId": "1-66e0f000-000000000000000000000001",
    };
    const line = stage.AccessLogSetting.Format.replace(/\$context[\w.]+/g, (name: string) => values[name]);
    expect(line.length + 26, "as prices.ts says").toBe(ACCESS_LOG_BYTES);
  });

  it("is the API document, with this stream, this role and this function in it", () => {
    const api = cloud.only("AWS::ApiGateway::RestApi");
    const { paths } = api.Body;
    const ingest = paths["/v1/events"].post["x-amazon-apigateway-integration"];
    expect(JSON.stringify(ingest.credentials)).toContain("PutRole");
    expect(JSON.stringify(ingest.requestTemplates["text/plain"])).toContain("ClicksStream");
    const query = paths["/api/v2/query"].post["x-amazon-apigateway-integration"];
    expect(query.type).toBe("aws_proxy");
    expect(JSON.stringify(query.uri)).toContain("QueryFunction");
  });

  it("believes the viewer's address from this distribution alone, and puts the proof into no template", () => {
    const proof = { "Fn::Select": [2, { "Fn::Split": ["/", { Ref: "AWS::StackId" }] }] };
    template.hasResourceProperties("AWS::CloudFront::Distribution", {
      DistributionConfig: {
        Origins: Match.arrayWith([
          Match.objectLike({ OriginCustomHeaders: [{ HeaderName: "x-rivulet-edge", HeaderValue: proof }] }),
        ]),
      },
    });
    const api = cloud.only("AWS::ApiGateway::RestApi");
    expect(JSON.stringify(api.Body)).toContain(JSON.stringify(proof));
  });

  it("lets API Gateway call the query function for reading routes of this API only", () => {
    const calls = cloud
      .of("AWS::Lambda::Permission")
      .filter(([, { Properties }]) => Properties.Principal === "apigateway.amazonaws.com");
    expect(calls).toHaveLength(1);
    const source = JSON.stringify(calls[0]![1].Properties.SourceArn);
    expect(source).toContain("IngestionApi");
    expect(source).toMatch(/DeploymentStagelive\w+"},"\/\*\/api\/v2\/\*"/);
  });
});

describe("the firewall", () => {
  const rule = (named: string): Json =>
    full.only("AWS::WAFv2::WebACL").Rules.find(({ Name }: Json) => Name === named);

  it("stands before the stage of the API, where it is asked for", () => {
    const stage = full.of("AWS::ApiGateway::Stage")[0]![0];
    const { ResourceArn, WebACLArn } = full.only("AWS::WAFv2::WebACLAssociation");
    expect(JSON.stringify(ResourceArn)).toContain(JSON.stringify({ Ref: stage }));
    expect(WebACLArn).toEqual({ "Fn::GetAtt": [full.of("AWS::WAFv2::WebACL")[0]![0], "Arn"] });
    for (const type of ["AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"])
      expect(cloud.of(type)).toEqual([]);
  });

  it("lets pass what came through the distribution, which shows it by the API's own proof", () => {
    const { Statement, Action } = rule("around-the-edge");
    const { ByteMatchStatement: match } = Statement.NotStatement.Statement;
    const [origin] = full
      .only("AWS::CloudFront::Distribution")
      .DistributionConfig.Origins.filter((one: Json) => one.OriginCustomHeaders);
    const [{ HeaderName, HeaderValue }] = origin.OriginCustomHeaders;
    expect(match).toMatchObject({
      FieldToMatch: { SingleHeader: { Name: HeaderName } },
      SearchString: HeaderValue,
      PositionalConstraint: "EXACTLY",
    });
    const { ResponseCode, ResponseHeaders } = Action.Block.CustomResponse;
    expect(ResponseCode, "pages with a tag of before keep what they have for the new one").toBe(503);
    expect(ResponseHeaders).toContainEqual({ Name: "Access-Control-Allow-Origin", Value: "*" });
  });

  it("bounds each viewer's rate, by an address that no viewer can write, and asks to come again", () => {
    const { Statement, Action } = rule("rate");
    const { HeaderName } = Statement.RateBasedStatement.ForwardedIPConfig;
    expect(Statement.RateBasedStatement).toMatchObject({
      Limit: 10_000,
      EvaluationWindowSec: 300,
      AggregateKeyType: "FORWARDED_IP",
      ForwardedIPConfig: { FallbackBehavior: "MATCH" },
    });
    const { ResponseCode, ResponseHeaders } = Action.Block.CustomResponse;
    expect(ResponseCode).toBe(429);
    expect(ResponseHeaders.map(({ Name }: Json) => Name)).toEqual([
      "Access-Control-Allow-Origin",
      "Retry-After",
    ]);
    // The edge's own function writes the header, whatever came in it; and it is forwarded.
    const { FunctionCode } = full
      .of("AWS::CloudFront::Function")
      .find(([id]) => id.includes("Viewer"))![1].Properties;
    const handler = new Function(`${FunctionCode}; return handler;`)();
    const request = { headers: { [HeaderName]: { value: "198.51.100.9" } } };
    expect(handler({ request, viewer: { ip: "203.0.113.7" } }).headers[HeaderName]).toEqual({
      value: "203.0.113.7",
    });
    const policy = full.only("AWS::CloudFront::OriginRequestPolicy").OriginRequestPolicyConfig;
    expect(policy.HeadersConfig.Headers).toContain(HeaderName);
    const behaviors = full.only("AWS::CloudFront::Distribution").DistributionConfig.CacheBehaviors;
    for (const path of ["/v1/*", "/api/*", "/p.gif"])
      expect(JSON.stringify(behaviors.find(({ PathPattern }: Json) => PathPattern === path)), path).toContain(
        "Viewer",
      );
  });

  it("refuses bodies by their length, and looks into none, so that no click is lost for what it says", () => {
    const acl = full.only("AWS::WAFv2::WebACL");
    expect(acl.AssociationConfig.RequestBody.API_GATEWAY.DefaultSizeInspectionLimit).toBe("KB_16");
    const { SizeConstraintStatement: size } = rule("large-body").Statement;
    expect(size).toMatchObject({
      FieldToMatch: { SingleHeader: { Name: "content-length" } },
      ComparisonOperator: "GT",
    });
    expect(String(MAX_BODY_BYTES).length, "what the API takes").toBeLessThanOrEqual(size.Size);
    expect(JSON.stringify(acl.Rules)).not.toMatch(/"(Body|JsonBody|ManagedRuleGroupStatement)"/);
  });

  it("keeps no samples of requests, which hold addresses", () => {
    const acl = full.only("AWS::WAFv2::WebACL");
    for (const { VisibilityConfig } of [acl, ...acl.Rules])
      expect(VisibilityConfig).toMatchObject({
        SampledRequestsEnabled: false,
        CloudWatchMetricsEnabled: true,
      });
  });
});

describe("the distribution", () => {
  const config = () => cloud.only("AWS::CloudFront::Distribution").DistributionConfig;

  const headersOf = ({ ResponseHeadersPolicyId }: Json): Json =>
    cloud.of("AWS::CloudFront::ResponseHeadersPolicy").find(([id]) => id === ResponseHeadersPolicyId.Ref)?.[1]
      .Properties.ResponseHeadersPolicyConfig;

  it("keeps no error of the API, so that the next request may pass", () => {
    const ttls = config().CustomErrorResponses.map(({ ErrorCode, ErrorCachingMinTTL }: Json) => [
      ErrorCode,
      ErrorCachingMinTTL,
    ]);
    expect(ttls).toEqual([500, 502, 503, 504].map((status) => [status, 0]));
  });

  it("sends ingest and API to API Gateway, uncached, over HTTPS only", () => {
    const isFile = (path: string) =>
      /\.js(on)?$/.test(path) || ["/c/*", "/embed/*", "/traces"].includes(path);
    const patterns = config().CacheBehaviors.map(({ PathPattern }: Json) => PathPattern);
    // The first that matches serves: the document is a file, though it lies below the API.
    expect(patterns.indexOf("/api/openapi.json")).toBeLessThan(patterns.indexOf("/api/*"));
    expect(patterns).toContain("/api/openapi.json");
    const behaviors = config().CacheBehaviors.filter(({ PathPattern }: Json) => !isFile(PathPattern));
    expect(behaviors.map(({ PathPattern }: Json) => PathPattern)).toEqual(["/v1/*", "/api/*", "/p.gif"]);
    for (const behavior of behaviors) {
      expect(behavior.ViewerProtocolPolicy).toBe("https-only");
      expect(behavior.AllowedMethods).toContain("POST");
    }
    const [ingest, api] = behaviors;
    expect(ingest.CachePolicyId).toBe("4135ea2d-6df8-44a3-9df3-4b5a84be39ad"); // managed: CachingDisabled
    expect(cloud.of("AWS::CloudFront::CachePolicy").map(([id]) => ({ Ref: id }))).toEqual([
      api.CachePolicyId,
    ]);
  });

  it("forwards a reader's key, keeps no answer that does not ask for it, and mixes up no two readers", () => {
    const { CachePolicyConfig: policy } = cloud.only("AWS::CloudFront::CachePolicy");
    const { HeadersConfig, QueryStringsConfig } = policy.ParametersInCacheKeyAndForwardedToOrigin;
    expect(HeadersConfig).toEqual({ HeaderBehavior: "whitelist", Headers: ["Authorization"] });
    expect(QueryStringsConfig).toEqual({ QueryStringBehavior: "all" });
    expect([policy.MinTTL, policy.DefaultTTL, policy.MaxTTL]).toEqual([0, 0, 1]);
  });

  it("forwards what the mapping templates read, and not Host", () => {
    const policy = cloud.only("AWS::CloudFront::OriginRequestPolicy");
    const { HeadersConfig, CookiesConfig } = policy.OriginRequestPolicyConfig;
    expect(HeadersConfig.HeaderBehavior).toBe("whitelist");
    expect(HeadersConfig.Headers).toEqual(
      expect.arrayContaining([
        "CloudFront-Viewer-Address",
        "CloudFront-Viewer-Country",
        "User-Agent",
        "Origin",
        "Referer",
        "X-Amzn-Trace-Id",
      ]),
    );
    expect(HeadersConfig.Headers.length, "the service's limit").toBeLessThanOrEqual(10);
    expect(HeadersConfig.Headers).not.toContain("Host");
    expect(CookiesConfig.CookieBehavior).toBe("none");
  });

  it("is made in a second region of the account too: names at the edge have the region in them, and room for a long stack's", () => {
    const longest = "ap-northeast-2";
    const env = { account: "123456789012", region: longest };
    const stack = new Stack(new App({ context: { "aws:cdk:bundling-stacks": [] } }), "S".repeat(128), {
      env,
    });
    const files = new Map([["/", { body: new TextEncoder().encode("dashboard") }]]);
    new Rivulet(stack, "Rivulet", { sites: ["a.example"], files, auth: { cognito: {} }, firewall: true });
    const configs = Object.values(Template.fromStack(stack).toJSON().Resources as Record<string, Resource>)
      .filter(({ Type }) => Type.startsWith("AWS::CloudFront::") && !Type.endsWith("::Distribution"))
      .map(({ Type, Properties: { Name, ...config } }) => ({
        Type,
        name: Name ?? (Object.values(config)[0] as Json).Name,
      }));
    expect(new Set(configs.map(({ Type }) => Type)).size).toBe(5);
    for (const { Type, name } of configs) {
      expect(name, Type).toContain(longest);
      expect(name.length, name).toBeLessThanOrEqual(/Function|AccessControl/.test(Type) ? 64 : 128);
    }
    expect(new Set(configs.map(({ name }) => name)).size).toBe(configs.length);
  });

  it("serves pages that load nothing from elsewhere and cannot be framed", () => {
    const { ContentSecurityPolicy, FrameOptions, StrictTransportSecurity } = headersOf(
      config().DefaultCacheBehavior,
    ).SecurityHeadersConfig;
    expect(ContentSecurityPolicy.ContentSecurityPolicy, "as on one machine").toBe(PAGE_POLICY);
    expect(ContentSecurityPolicy.ContentSecurityPolicy).toMatch(/^default-src 'self';/);
    expect(ContentSecurityPolicy.ContentSecurityPolicy).not.toMatch(/unsafe|\*/);
    expect(FrameOptions.FrameOption).toBe("DENY");
    expect(StrictTransportSecurity.AccessControlMaxAgeSec).toBeGreaterThanOrEqual(31_536_000);
  });

  it("lets other sites frame the one page that is made for it", () => {
    const behavior = config().CacheBehaviors.find(
      ({ PathPattern }: { PathPattern: string }) => PathPattern === "/embed/*",
    );
    const { ContentSecurityPolicy, FrameOptions } = headersOf(behavior).SecurityHeadersConfig;
    expect(ContentSecurityPolicy.ContentSecurityPolicy).toBe(
      PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *"),
    );
    expect(FrameOptions).toBeUndefined();
  });

  it("lets any site load the collector", () => {
    for (const path of ["/c.js", "/lite.js", "/vitals.js", "/errors.js", "/rage.js", "/c/*"]) {
      const collector = config().CacheBehaviors.find(({ PathPattern }: Json) => PathPattern === path);
      expect(headersOf(collector).CustomHeadersConfig.Items, path).toEqual([
        { Header: "Access-Control-Allow-Origin", Value: "*", Override: true },
        { Header: "Cross-Origin-Resource-Policy", Value: "cross-origin", Override: true },
      ]);
    }
  });

  it("offers the collector and takes its reports under names of one's own, and nothing else there", () => {
    const behaviors = chosen.only("AWS::CloudFront::Distribution").DistributionConfig.CacheBehaviors;
    const at = (path: string): Json => behaviors.find(({ PathPattern }: Json) => PathPattern === path);
    const own = behaviors
      .map(({ PathPattern }: Json) => PathPattern)
      .filter((path: string) => /stats/.test(path));
    expect(own, "the first that matches serves").toEqual(["/stats/e", "/stats/*"]);
    expect({ ...at("/stats/e"), PathPattern: "" }).toEqual({ ...at("/v1/*"), PathPattern: "" });
    const { FunctionAssociations, ...script } = at("/stats/*");
    expect({ ...script, PathPattern: "" }).toEqual({ ...at("/c.js"), PathPattern: "" });
    const [[, edge]] = chosen
      .of("AWS::CloudFront::Function")
      .filter(([id]) => id === FunctionAssociations[0].FunctionARN["Fn::GetAtt"][0]) as [[string, Resource]];
    const handler = new Function(`${edge.Properties.FunctionCode}; return handler`)();
    const served = (uri: string) => {
      const { uri: file, statusCode } = handler({ request: { uri } });
      return file ?? statusCode;
    };
    const pinned = "c/0123456789abcdef.js";
    expect(served("/stats/s.js")).toBe("/c.js");
    for (const file of ["c.js", "lite.js", "vitals.js", "c/vitals.js", pinned])
      expect(served(`/stats/${file}`)).toBe(`/${file}`);
    for (const file of ["", "index.html", "app.js", "c/", "c/../app.js", "s.js/c.js", "stats/c.js"])
      expect(served(`/stats/${file}`)).toBe(404);

    const { paths } = chosen.only("AWS::ApiGateway::RestApi").Body;
    const { operationId: _, ...alias } = paths["/stats/e"].post;
    const { operationId: __, ...events } = paths["/v1/events"].post;
    expect(alias).toEqual(events);
    const [snippet] = Object.entries(chosen.template.findOutputs("*")).filter(([name]) =>
      /Snippet/.test(name),
    );
    expect(JSON.stringify(snippet)).toMatch(/\/stats\/s\.js\\" data-api=.*\/stats\/e\\" data-site/);
    expect(() => synthesise({ context: { scriptPath: "/api/s.js" } })).toThrow(/not a path such as/);
    expect(() => synthesise({ context: { ingestPath: "stats" } })).toThrow(/not a path such as/);
  });

  it("leads from the event feed to a trace in X-Ray's console, and nowhere else", () => {
    const [, edge] = cloud
      .of("AWS::CloudFront::Function")
      .find(([, { Properties }]) => /X-Ray/.test(Properties.FunctionConfig.Comment))!;
    const handler = new Function(
      `${resolve(edge.Properties.FunctionCode, { "AWS::Region": "eu-west-1" })}; return handler`,
    )();
    const led = (id?: string) =>
      handler({ request: { querystring: id === undefined ? {} : { id: { value: id } } } });
    const id = "1-67000000-000000000000000000000001";
    expect(led(id).headers.location.value).toBe(
      `https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#xray:traces/${id}`,
    );
    for (const wrong of [undefined, "", "https://evil.example/", `${id}/../x`])
      expect(led(wrong)).toEqual({ statusCode: 404 });
  });

  it("caches the collector for an hour, its pinned versions for ever, and pages not at all", () => {
    template.resourceCountIs("Custom::CDKBucketDeployment", 3);
    template.hasResourceProperties("Custom::CDKBucketDeployment", {
      Exclude: Match.arrayWith(["c.js", "c/????????????????.js"]),
      SystemMetadata: { "cache-control": "no-cache" },
    });
    template.hasResourceProperties("Custom::CDKBucketDeployment", {
      Include: Match.arrayWith(["c.js", "lite.js", "c/vitals.js"]),
      Prune: false,
      SystemMetadata: { "cache-control": "public, max-age=3600" },
    });
    template.hasResourceProperties("Custom::CDKBucketDeployment", {
      Include: ["c/????????????????.js"],
      Prune: false,
      SystemMetadata: { "cache-control": "public, max-age=31536000, immutable" },
    });
  });

  it("answers to an own name, and makes its records where it is told the zone", () => {
    const stack = new Stack(new App({ context: { "aws:cdk:bundling-stacks": [] } }), "Named", {
      env: { account: "123456789012", region: "eu-west-1" },
    });
    const zone = { hostedZoneId: "Z1", zoneName: "example.com" };
    new Rivulet(stack, "Rivulet", {
      sites: ["a@Asia/Seoul", { id: "b", timeZone: "UTC" }],
      files: new Map([["/", { body: new TextEncoder().encode("<!doctype html>") }]]),
      domain: "stats.example.com",
      certificate: Certificate.fromCertificateArn(stack, "Certificate", CERTIFICATE),
      hostedZone: HostedZone.fromHostedZoneAttributes(stack, "Zone", zone),
      canary: false,
    });
    const named = Template.fromStack(stack);
    named.hasResourceProperties("AWS::CloudFront::Distribution", {
      DistributionConfig: {
        Aliases: ["stats.example.com"],
        ViewerCertificate: { AcmCertificateArn: CERTIFICATE, MinimumProtocolVersion: "TLSv1.2_2021" },
      },
    });
    for (const Type of ["A", "AAAA"])
      named.hasResourceProperties("AWS::Route53::RecordSet", {
        Name: "stats.example.com.",
        HostedZoneId: "Z1",
        Type,
      });
    // Sites may be named as on the command line.
    named.hasResourceProperties("AWS::Lambda::Function", {
      Environment: { Variables: Match.objectLike({ RIVULET_SITES: "a@Asia/Seoul,b@UTC" }) },
    });
  });

  it("offers a new collector only when the consumers can read what it sends", () => {
    const consumers = full
      .of("AWS::Lambda::EventSourceMapping")
      .map(([, { Properties }]) => Properties.FunctionName.Ref ?? Properties.FunctionName["Fn::GetAtt"][0]);
    const files = full
      .of("Custom::CDKBucketDeployment")
      .filter(([, { Properties }]) => JSON.stringify(Properties.Include ?? "").includes("c.js"));
    expect(files.length).toBe(1);
    const streamReaders = consumers.filter((id) => /Aggregation|Archive/.test(id));
    expect(streamReaders.length).toBeGreaterThan(1);
    expect((files[0]![1] as Json).DependsOn).toEqual(expect.arrayContaining(streamReaders));
  });

  it.each<{ name: string; context: Record<string, string> }>([
    {
      name: "an own domain",
      context: { domain: "stats.example.com", certificate: CERTIFICATE, enhancedFanOut: "true" },
    },
    { name: "no CloudFront", context: { direct: "true", archive: "true", imports: "true", budget: "50" } },
  ])("holds to CloudFormation's rules with $name too", ({ context }) => {
    const { template: valid, outdir } = synthesise({ validate: true, context });
    expect(Object.keys(valid.toJSON().Resources).length).toBeGreaterThan(50);
    rmSync(outdir, { recursive: true });
  });

  it("is not made with an option that says nothing", () => {
    expect(() => synthesise({ context: { shards: "many" } })).toThrow(
      /shards is not a whole number above zero: many/,
    );
    for (const key of [
      "direct",
      "enhancedFanOut",
      "firewall",
      "believeSenders",
      "imports",
      "reserveConcurrency",
    ])
      expect(() => synthesise({ context: { [key]: "yes" } })).toThrow(`${key} is not true or false: yes`);
    expect(() => synthesise({ context: { tracing: "none" } })).toThrow("tracing is not clicks or all: none");
  });

  it.each<{ rule: string; props: Partial<RivuletProps>; says: string }>([
    { rule: "a site", props: { sites: [] }, says: "sites: no list of sites" },
    {
      rule: "sites that are read as they were written",
      props: { sites: [{ id: "a,b", timeZone: "UTC" }] },
      says: 'the handlers would read "a,b@UTC,_canary@UTC" as "a@UTC,b@UTC,_canary@UTC"',
    },
    {
      rule: "names that sites can have, which the functions would refuse with every batch",
      props: { sites: ["shop.example blog.example"] },
      says: 'site id "shop.example blog.example": use 1 to 253 printable characters without spaces',
    },
    { rule: "a shard", props: { stream: { shards: 0 } }, says: "stream.shards is not a whole number from 1" },
    { rule: "whole shards", props: { stream: { shards: 1.5 } }, says: "stream.shards is not" },
    {
      rule: "a throttle that lets something pass",
      props: { throttle: { rate: 0, burst: 10 } },
      says: "throttle.rate is not a whole number from 1",
    },
    {
      rule: "a bound of an address that WAF takes",
      props: { firewall: { perAddress: 9 } },
      says: "firewall.perAddress is not a whole number from 10 to 2000000000: 9",
    },
    {
      rule: "a day in the archive",
      props: { archive: { retention: Duration.days(0) } },
      says: "archive: days to keep is not a whole number from 1",
    },
    {
      rule: "an archive that says for how long",
      props: { archive: 90 as unknown as boolean },
      says: "archive is not true, false or { retention, sites }: 90",
    },
    {
      rule: "somebody who can be told",
      props: { alarms: { email: "ops" } },
      says: "alarms.email is no mail address: ops",
    },
    {
      rule: "a way to read that there is",
      props: { auth: "cognito" as unknown as "shared" },
      says: 'auth is not public, shared or { cognito: {...} }: "cognito"',
    },
    {
      rule: "a path for the script and another for reports",
      props: { scriptPath: "/x", ingestPath: "/x" },
      says: "scriptPath and ingestPath: both are /x",
    },
    {
      rule: "a name instead of an address",
      props: { domain: "https://stats.example.com/" },
      says: "domain is not a host's name such as stats.example.com: https://stats.example.com/",
    },
  ])("has to have $rule, and is told so before anything is deployed", ({ props, says }) => {
    const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
    expect(
      () =>
        new Rivulet(new Stack(app, "Wrong"), "Rivulet", {
          sites: ["example.com"],
          files: new Map(),
          ...props,
        }),
    ).toThrow(says);
  });

  it("takes an own domain only together with its certificate", () => {
    expect(() => synthesise({ context: { domain: "stats.example.com" } })).toThrow(/needs a certificate/);
    expect(() => synthesise({ context: { certificate: CERTIFICATE } })).toThrow(/need the domain/);
  });
});

describe("logs", () => {
  it("of requests, which nobody reads while all is well, are of the cheaper class", () => {
    const { AccessLogSetting } = cloud.only("AWS::ApiGateway::Stage");
    const { LogGroupClass } = cloud
      .of("AWS::Logs::LogGroup")
      .find(([id]) => JSON.stringify(AccessLogSetting.DestinationArn).includes(`"${id}"`))![1].Properties;
    expect(LogGroupClass).toBe("INFREQUENT_ACCESS");
  });

  it("are kept for a month, all of them", () => {
    const groups = cloud.of("AWS::Logs::LogGroup");
    expect(groups.length).toBeGreaterThan(ours("AWS::Lambda::Function").length);
    for (const [id, { Properties }] of groups) expect(Properties.RetentionInDays, id).toBe(30);
  });
});

describe("alarms", () => {
  const runbook = readFileSync(new URL("../../../docs/runbook.md", import.meta.url), "utf8");
  const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) => title!);
  const alarms = full.of("AWS::CloudWatch::Alarm");

  it("each tell the topic, and the reader which section of the runbook to open", () => {
    expect(alarms.length).toBeGreaterThan(0);
    const topic = { Ref: cloud.of("AWS::SNS::Topic").find(([id]) => id.startsWith("RivuletAlarms"))![0] };
    for (const [id, { Properties }] of alarms) {
      expect(Properties.AlarmActions[0], id).toEqual(topic);
      expect(Properties.OKActions, id).toEqual(Properties.AlarmActions);
      const anchor = /docs\/runbook\.md#(\S+)$/.exec(Properties.AlarmDescription)?.[1];
      expect(sections, id).toContain(anchor);
    }
  });

  it("may tell it: a policy of the topic's own takes the place of the one by which they might", () => {
    const topic = cloud.of("AWS::SNS::Topic").find(([id]) => id.startsWith("RivuletAlarms"))![0];
    template.hasResourceProperties("AWS::SNS::TopicPolicy", {
      Topics: [{ Ref: topic }],
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: "Allow",
            Action: "sns:Publish",
            Principal: { Service: "cloudwatch.amazonaws.com" },
            Resource: { Ref: topic },
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          }),
        ]),
      },
    });
  });

  it("have every section of the runbook to themselves", () => {
    const anchors = alarms.map(([, { Properties }]) => Properties.AlarmDescription.split("#")[1]);
    expect(anchors.toSorted()).toEqual(sections.filter((title) => /^[a-z-]+$/.test(title)).toSorted());
  });

  /** What an alarm looks at: its own metric, or those that its formula adds up. */
  const metricsOf = ({ Properties }: Resource): Json[] =>
    Properties.Metrics?.flatMap(({ MetricStat }: Json) => MetricStat?.Metric ?? []) ?? [Properties];

  it("watch freshness, failures, lost batches, a full stream, throttling, rejects, conflicts and 5xx", () => {
    const watched = alarms.flatMap(([, alarm]) =>
      metricsOf(alarm).map(({ Namespace, MetricName }) => `${Namespace} ${MetricName}`),
    );
    expect([...new Set(watched)].toSorted()).toEqual(
      expect.arrayContaining([
        "AWS/ApiGateway 5XXError",
        "AWS/DynamoDB ReadThrottleEvents",
        "AWS/DynamoDB WriteThrottleEvents",
        "AWS/Firehose FailedConversion.Records",
        "AWS/Firehose PartitionCountExceeded",
        "AWS/Kinesis WriteProvisionedThroughputExceeded",
        "AWS/Lambda Errors",
        "AWS/Lambda IteratorAge",
        "AWS/Lambda OnFailureDestinationDeliveredEventCount",
        "AWS/WAFV2 BlockedRequests",
        "Rivulet Conflicts",
        "Rivulet Faulty",
        "Rivulet Lag",
      ]),
    );
  });

  it("name dimensions, because a metric without them belongs to the whole account", () => {
    for (const [id, alarm] of alarms)
      for (const { MetricName, Dimensions } of metricsOf(alarm))
        expect(Dimensions?.length, `${id} ${MetricName}`).toBeGreaterThan(0);
  });

  it("look at as many metrics as the cost model counts", () => {
    const looked = cloud.of("AWS::CloudWatch::Alarm").flatMap(([, alarm]) => metricsOf(alarm));
    expect(looked).toHaveLength(ASSUMED.alarms);
  });

  it("tell the API of one deployment from those of others by a name that is its own, as the document has it too", () => {
    const stack = new Stack(new App({ context: { "aws:cdk:bundling-stacks": [] } }), "Shared");
    const files = new Map([["/", { body: new TextEncoder().encode("dashboard") }]]);
    const names = ["Shop", "Blog"].map((id) => {
      const { api } = new Rivulet(stack, id, { sites: ["a.example"], files }).ingestion;
      return api.restApiName;
    });
    const shared = Template.fromStack(stack);
    for (const Name of names)
      shared.hasResourceProperties("AWS::ApiGateway::RestApi", {
        Name,
        Body: Match.objectLike({ info: Match.objectLike({ title: Name }) }),
      });
    const asked = Object.values(shared.findResources("AWS::CloudWatch::Alarm"))
      .flatMap(({ Properties }) => Properties.Dimensions ?? [])
      .filter((one: Json) => one.Name === "ApiName");
    expect(asked.map((one: Json) => one.Value)).toEqual(names);
    expect(new Set(names).size).toBe(2);
  });

  it("look at metrics that the functions tell, under the table's name", () => {
    const own = alarms
      .flatMap(([, alarm]) => metricsOf(alarm))
      .filter(({ Namespace }) => Namespace === NAMESPACE);
    for (const { MetricName, Dimensions } of own) {
      expect(Object.keys(METRICS)).toContain(MetricName);
      expect(Dimensions).toContainEqual({
        Name: "Table",
        Value: { Ref: cloud.of("AWS::DynamoDB::GlobalTable")[0]![0] },
      });
    }
  });

  it("write to the address that was given", () => {
    chosen.template.hasResourceProperties("AWS::SNS::Subscription", {
      Protocol: "email",
      Endpoint: "ops@example.com",
    });
  });
});

describe("the budget", () => {
  const [, alarm] = full.of("AWS::CloudWatch::Alarm").find(([id]) => id.includes("overbudget"))!;
  const [thrift, { Properties }] = full
    .of("AWS::Lambda::Function")
    .find(([, one]) => /over the budget/.test(one.Properties.Description))!;

  it("is held against what an hour costs, by metrics that are this deployment's and no more than an alarm takes", () => {
    expect(cloud.of("AWS::CloudWatch::Alarm").filter(([id]) => id.includes("overbudget"))).toEqual([]);
    expect(alarm.Properties).toMatchObject({ Threshold: 60, EvaluationPeriods: 3 });
    const stats = alarm.Properties.Metrics.filter(({ MetricStat }: Json) => MetricStat);
    expect(stats.length).toBeLessThanOrEqual(10);
    for (const { MetricStat } of stats) expect(MetricStat).toMatchObject({ Period: 3_600, Stat: "Sum" });
  });

  /** What the formula of an alarm says where its metrics were as `used`. */
  const estimated = ({ Metrics }: Json, used: Record<string, number>): number => {
    const { Expression } = Metrics.find((one: Json) => one.Expression);
    const formula = Expression.replace(/FILL\((\w+),0\)/g, (_: string, name: string) =>
      String(used[name] ?? 0),
    );
    expect(formula).toMatch(/^[\d.+*/()]+$/);
    return new Function(`return ${formula}`)();
  };

  it("estimates what the prices say, and a quiet hour at what is due anyway", () => {
    const dollars = (used: Record<string, number>): number => estimated(alarm.Properties, used);
    // On demand, with the firewall.
    expect(dollars({})).toBeCloseTo(730 * PRICES.onDemandHour + 8, 6);
    const hour = { requests: 1_000, writes: 2_000, reads: 4_000, calls: 3_600, aggregationMs: 3_600 * 50 };
    const rate =
      1_000 * (3.5e-6 + 1e-6 + 0.6e-6 + 0.1e-6 + 0.25 * (ACCESS_LOG_BYTES / 2 ** 30) + 0.01 * 5e-6) +
      2_000 * 0.625e-6 +
      4_000 * 0.125e-6 +
      3_600 * (0.2e-6 + 0.2875 * 5e-6) + // four shards: one call a second and a twentieth of three are traced
      180 * 0.0000133334;
    expect(dollars(hour) - dollars({})).toBeCloseTo(730 * rate, 6);
  });

  it("estimates readers of their own, each at each shard, and a stream that keeps records for longer than a day", () => {
    const monthOf = (props: Partial<RivuletProps>): ((bytes: number) => number) => {
      const stack = new Stack(new App({ context: { "aws:cdk:bundling-stacks": [] } }), "Dear");
      const files = new Map([["/", { body: new TextEncoder().encode("dashboard") }]]);
      new Rivulet(stack, "Rivulet", { sites: ["a.example"], files, budget: { monthly: 60 }, ...props });
      const [own] = Object.entries(Template.fromStack(stack).findResources("AWS::CloudWatch::Alarm")).filter(
        ([id]) => id.includes("overbudget"),
      );
      return (bytes) => estimated(own![1].Properties, { bytes });
    };
    const dear = { stream: { shards: 2 }, archive: true, enhancedFanOut: true, retention: Duration.days(30) };
    const provisioned = monthOf(dear);
    expect(provisioned(0)).toBeCloseTo(730 * 2 * (0.015 + 2 * 0.015 + 0.02), 4);
    expect(provisioned(2 ** 30) - provisioned(0)).toBeCloseTo(730 * 2 * 0.013 + 23 * 24 * 0.023, 1);
    const demanded = monthOf({ stream: "on-demand", archive: true, retention: Duration.days(2) });
    expect(demanded(2 ** 30) - demanded(0)).toBeCloseTo(730 * (0.08 + 2 * 0.04) + 24 * 0.1, 1);
  });

  it("widens the interval of commits by its alarm, and narrows it again, in one mapping and nowhere else", () => {
    const arn = { "Fn::GetAtt": [thrift, "Arn"] };
    expect(alarm.Properties.AlarmActions).toContainEqual(arn);
    const [[counting, mapping]] = full
      .of("AWS::Lambda::EventSourceMapping")
      .filter(([, one]) => JSON.stringify(one.Properties.FunctionName).includes("Aggregate")) as [
      [string, Resource],
    ];
    expect(Properties.Environment.Variables).toMatchObject({
      RIVULET_MAPPING: { Ref: counting },
      RIVULET_USUAL_WINDOW_S: String(mapping.Properties.MaximumBatchingWindowInSeconds),
      RIVULET_THRIFTY_WINDOW_S: "10",
    });
    const [, policy] = full.of("AWS::IAM::Policy").find(([id]) => id.includes("Thrift"))!;
    const statement = policy.Properties.PolicyDocument.Statement.find(
      ({ Action }: Json) => Action === "lambda:UpdateEventSourceMapping",
    );
    expect(JSON.stringify(statement.Resource)).toMatch(
      new RegExp(`:event-source-mapping:",{"Ref":"${counting}"}`),
    );
    full.template.hasResourceProperties("AWS::Lambda::Permission", {
      FunctionName: arn,
      Principal: "lambda.alarms.cloudwatch.amazonaws.com",
      SourceArn: Match.anyValue(),
    });
  });
});

describe("observability", () => {
  it("shows freshness, rejects, conflicts, failures and units on one page", () => {
    const [[, { Properties }]] = cloud.of("AWS::CloudWatch::Dashboard") as [[string, Resource]];
    const body = JSON.stringify(Properties.DashboardBody);
    for (const text of [
      "Freshness",
      "Rejects by reason",
      "Conflicts",
      "Visible",
      "Cost of a month like the last hour",
      "ConsumedWriteCapacityUnits",
    ])
      expect(body).toContain(text);
  });

  it("says where that page is", () => {
    const { Value } = Object.values(cloud.template.findOutputs("*")).find(({ Description }: Json) =>
      /Graphs for the operator/.test(Description),
    )!;
    const [[id]] = cloud.of("AWS::CloudWatch::Dashboard") as [[string, Resource]];
    expect(JSON.stringify(Value)).toMatch(new RegExp(`#dashboards/dashboard/",{"Ref":"${id}"}`));
  });

  it("gathers this deployment's traces, and keeps one in a hundred of them", () => {
    expect(cloud.of("AWS::XRay::Group")).toHaveLength(1);
    expect(cloud.only("AWS::XRay::SamplingRule").SamplingRule).toMatchObject({
      ReservoirSize: 0,
      FixedRate: 0.01,
    });
  });

  it("clicks where pages report to, and where readers need a key asks the function that answers, which it may call", () => {
    const canary = (of: typeof cloud): Json =>
      of
        .of("AWS::Lambda::Function")
        .find(([, { Properties }]) => /clicks, and asks/.test(Properties.Description))![1].Properties
        .Environment.Variables;
    const calls = (of: typeof cloud): Json[] =>
      of
        .of("AWS::IAM::Policy")
        .filter(([id]) => id.startsWith("RivuletCanary"))
        .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement)
        .filter(({ Action }: Json) => Action === "lambda:InvokeFunction");
    expect(JSON.stringify(canary(cloud).RIVULET_REPORT_URL)).toMatch(/execute-api.*\/v1\/events/);
    expect(canary(cloud)).not.toHaveProperty("RIVULET_QUERY_FUNCTION");
    expect(calls(cloud)).toEqual([]);
    expect(JSON.stringify(canary(chosen).RIVULET_REPORT_URL)).toMatch(/DomainName.*\/stats\/e/);
    const [[query]] = chosen
      .of("AWS::Lambda::Function")
      .filter(([id]) => id.startsWith("RivuletServingQuery")) as [[string, Resource]];
    expect(canary(chosen).RIVULET_QUERY_FUNCTION).toEqual({ Ref: query });
    expect(calls(chosen)).toEqual([
      { Action: "lambda:InvokeFunction", Effect: "Allow", Resource: { "Fn::GetAtt": [query, "Arn"] } },
    ]);
  });
});

describe("the need of a key", () => {
  it("is told to the function that answers, where the operator wants it", () => {
    const variables = (of: ReturnType<typeof synthesise>): string[] =>
      of
        .of("AWS::Lambda::Function")
        .flatMap(([, { Properties }]) => Properties.Environment?.Variables?.RIVULET_REQUIRE_KEY ?? []);
    expect(variables(chosen)).toEqual(["1"]);
    expect(variables(cloud)).toEqual([]);
  });
});

describe("people who sign in", () => {
  const resource = (type: string): Json => chosen.only(type);

  it("are there only where they are asked for", () => {
    for (const type of ["AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"])
      expect(cloud.of(type), type).toEqual([]);
    const patterns = cloud.only("AWS::CloudFront::Distribution").DistributionConfig.CacheBehaviors;
    expect(patterns.map(({ PathPattern }: Json) => PathPattern)).not.toContain("/login/*");
    expect(cloud.only("AWS::ApiGateway::RestApi").Body.paths).not.toHaveProperty("/api/v2/session");
  });

  it("are invited, have a second factor, and outlive the stack", () => {
    const [[, pool]] = chosen.of("AWS::Cognito::UserPool") as [[string, Resource]];
    expect(pool.DeletionPolicy).toBe("Retain");
    expect(pool.Properties).toMatchObject({
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      DeletionProtection: "ACTIVE",
      MfaConfiguration: "ON",
      EnabledMfas: ["SOFTWARE_TOKEN_MFA"],
      Policies: { PasswordPolicy: { MinimumLength: 12 } },
    });
    const groups = chosen.of("AWS::Cognito::UserPoolGroup").map(([, { Properties }]) => Properties.GroupName);
    expect(groups.toSorted()).toEqual([OWNERS, READERS]);
  });

  it("come by the code grant without a secret, to the sign-in page of this distribution alone", () => {
    const client = resource("AWS::Cognito::UserPoolClient");
    expect(client).toMatchObject({
      AllowedOAuthFlows: ["code"],
      GenerateSecret: false,
      PreventUserExistenceErrors: "ENABLED",
      CallbackURLs: client.LogoutURLs,
    });
    const [[distribution]] = chosen.of("AWS::CloudFront::Distribution") as [[string, Resource]];
    expect(client.CallbackURLs).toEqual([
      { "Fn::Join": ["", ["https://", { "Fn::GetAtt": [distribution, "DomainName"] }, "/login/"]] },
    ]);
    expect(JSON.stringify(client.AllowedOAuthScopes)).toContain("/session");
  });

  it("begin a session with a token that API Gateway itself has checked, on that one route", () => {
    const { paths, components } = resource("AWS::ApiGateway::RestApi").Body;
    const [[pool]] = chosen.of("AWS::Cognito::UserPool") as [[string, Resource]];
    expect(components.securitySchemes.users).toMatchObject({
      "x-amazon-apigateway-authtype": "cognito_user_pools",
      "x-amazon-apigateway-authorizer": { providerARNs: [{ "Fn::GetAtt": [pool, "Arn"] }] },
    });
    expect(paths["/api/v2/session"].post.security).toEqual([{ users: ["rivulet/session"] }]);
    const guarded = Object.values<Json>(paths)
      .flatMap((methods) => Object.values<Json>(methods))
      .filter(({ security }) => security);
    expect(guarded).toHaveLength(1);
  });

  it("have their cookie forwarded to the API, as part of the cache's key, and to nothing else", () => {
    const { CookiesConfig } = resource("AWS::CloudFront::CachePolicy").CachePolicyConfig
      .ParametersInCacheKeyAndForwardedToOrigin;
    expect(CookiesConfig).toEqual({ CookieBehavior: "whitelist", Cookies: [SESSION_COOKIE] });
  });

  it("are sent on by a page that may talk to the user pool, which no other page may", () => {
    const policies = chosen
      .of("AWS::CloudFront::ResponseHeadersPolicy")
      .map(
        ([, { Properties }]) =>
          Properties.ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy
            ?.ContentSecurityPolicy,
      )
      .filter((policy) => JSON.stringify(policy)?.includes("connect-src"));
    expect(policies).toHaveLength(1);
    expect(JSON.stringify(policies[0])).toMatch(/connect-src 'self' https:\/\/.*\.auth\./);
    const written = chosen
      .of("Custom::CDKBucketDeployment")
      .find(([id]) => id.includes("SignIn"))![1].Properties;
    expect(written.Prune).toBe(false);
    const pages = chosen
      .of("Custom::CDKBucketDeployment")
      .find(([id]) => id.includes("PageFiles"))![1].Properties;
    expect(pages.Exclude).toContain("login/config.json");
  });

  it("stay signed in no longer than a day", () => {
    const variables = chosen
      .of("AWS::Lambda::Function")
      .flatMap(([, { Properties }]) => Properties.Environment?.Variables?.RIVULET_SESSION_MS ?? []);
    expect(variables).toEqual([String(8 * 3_600_000)]);
    const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
    const auth = { cognito: { session: Duration.days(2) } };
    expect(
      () =>
        new Rivulet(new Stack(app, "Long"), "Rivulet", {
          sites: [{ id: "a", timeZone: "UTC" }],
          files: new Map(),
          auth,
        }),
    ).toThrow(/RIVULET_SESSION_MS/);
  });
});

describe("the allowed lateness", () => {
  const variable = (of: ReturnType<typeof synthesise>): string[] =>
    of
      .of("AWS::Lambda::Function")
      .flatMap(([, { Properties }]) => Properties.Environment?.Variables?.RIVULET_LATENESS_MS ?? []);

  it("is the same where events are counted and where answers say what is final", () => {
    expect(variable(cloud).length).toBeGreaterThanOrEqual(2);
    expect(new Set(variable(cloud))).toEqual(new Set(["60000"]));
    expect(new Set(variable(chosen))).toEqual(new Set(["300000"]));
  });

  it("stops the synthesis when it is more than a day", () => {
    expect(() => synthesise({ context: { latenessSeconds: "86401" } })).toThrow(/RIVULET_LATENESS_MS/);
  });
});

describe("sites", () => {
  const variable = (of: ReturnType<typeof synthesise>): string[] =>
    of
      .of("AWS::Lambda::Function")
      .flatMap(([, { Properties }]) => Properties.Environment?.Variables?.RIVULET_SITES ?? []);

  it("reach the functions that register them, with their time zones", () => {
    expect(variable(chosen)).toEqual(Array(2).fill("shop.example@Asia/Seoul,blog.example@UTC,_canary@UTC"));
  });

  it("are demo in UTC when none is named, as on one machine, and the one of the canary", () => {
    expect(variable(cloud)).toEqual(Array(2).fill("demo@UTC,_canary@UTC"));
  });

  it("stop the synthesis when a time zone does not exist or the list is too long for a function", () => {
    expect(() => synthesise({ context: { sites: "a@Mars/Olympus" } })).toThrow(/time zone/);
    const many = Array.from({ length: 400 }, (_, at) => `site-${at}.example`).join(",");
    expect(() => synthesise({ context: { sites: many } })).toThrow(/bytes/);
  });
});
