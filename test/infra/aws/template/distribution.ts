/** Of the template: what CloudFront serves, forwards and keeps. */
import { Match, Template } from "aws-cdk-lib/assertions";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { HostedZone } from "aws-cdk-lib/aws-route53";
import { describe, expect, it } from "vitest";
import { Rivulet } from "../../../../infra/aws/rivulet.ts";
import { PAGE_POLICY } from "../../../../infra/policy.ts";
import { resolve } from "../lambda.ts";
import { bareStack, CERTIFICATE, type Json, PAGES, type Resource, synthesise } from "../synth.ts";
import { chosen, cloud, full, template } from "./deployments.ts";

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
    const stack = bareStack("S".repeat(128), { env });
    new Rivulet(stack, "Rivulet", {
      sites: ["a.example"],
      files: PAGES,
      auth: { cognito: {} },
      firewall: true,
    });
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
    const stack = bareStack("Named", {
      env: { account: "123456789012", region: "eu-west-1" },
    });
    const zone = { hostedZoneId: "Z1", zoneName: "example.com" };
    new Rivulet(stack, "Rivulet", {
      sites: ["a@Asia/Seoul", { id: "b", timeZone: "UTC" }],
      files: PAGES,
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
});
