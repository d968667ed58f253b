/** Of the template: the API, and the firewall before it. */
import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { MAX_BODY_BYTES } from "../../../../infra/mapping.ts";
import { ACCESS_LOG_BYTES } from "../../../../infra/prices.ts";
import type { Json } from "../synth.ts";
import { cloud, full, template } from "./deployments.ts";

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
