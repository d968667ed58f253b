/** How CloudFront treats what it passes: what of a request goes on to the origins, which headers answers get, and its functions. */
import { Duration, Names, Stack } from "aws-cdk-lib";
import {
  AllowedMethods,
  type BehaviorOptions,
  CacheCookieBehavior,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  OriginRequestHeaderBehavior,
  OriginRequestPolicy,
  OriginRequestQueryStringBehavior,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { RestApiOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import type { Construct } from "constructs";
import { COLLECTOR_FILES } from "../../collector/build.ts";
import { SESSION_COOKIE } from "../../processors/env.ts";
import { folderOf } from "../ownpath.ts";
import { PAGE_POLICY } from "../policy.ts";
import type { Ingestion } from "./ingestion.ts";

/**
 * The name of something of CloudFront's. It has one place for all regions of an account, and by the library's own names
 * it would refuse a stack that is there in another region already. At most 64 characters, where `id` has six.
 */
export const edgeName = (scope: Construct, id: string): string =>
  `${Names.uniqueResourceName(scope, { maxLength: 40, separator: "-" })}-${id}-${Stack.of(scope).region}`;

/**
 * Forwards a reader's key, and a session's cookie. CloudFront drops Authorization from GET requests unless it is part of the cache's key, and a
 * key needs a cache that may hold something: at most a second, and nothing that does not ask for it, as no answer does.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization
 */
export const readersOnly = (scope: Construct, hasSessions: boolean): CachePolicy =>
  new CachePolicy(scope, "ForwardKeys", {
    comment: "Rivulet: forwards what names a reader and caches nothing",
    ...(hasSessions && { cookieBehavior: CacheCookieBehavior.allowList(SESSION_COOKIE) }),
    headerBehavior: CacheHeaderBehavior.allowList("Authorization"),
    queryStringBehavior: CacheQueryStringBehavior.all(),
    minTtl: Duration.seconds(0),
    defaultTtl: Duration.seconds(0),
    maxTtl: Duration.seconds(1),
  });

/** Never cached; forwards what the mapping templates and handlers read, and no cookie. */
export function apiBehavior(
  scope: Construct,
  { api, edgeProof }: Ingestion,
  viewerHeader: string | undefined,
): BehaviorOptions {
  return {
    origin: new RestApiOrigin(api, { customHeaders: { [edgeProof.header]: edgeProof.value } }),
    allowedMethods: AllowedMethods.ALLOW_ALL,
    // A redirected POST may lose its body: plain HTTP is refused instead.
    viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
    cachePolicy: CachePolicy.CACHING_DISABLED,
    originRequestPolicy: new OriginRequestPolicy(scope, "ForwardToApi", {
      originRequestPolicyName: edgeName(scope, "ForwardToApi"),
      comment: "Rivulet: what API Gateway needs to know of the viewer",
      // An explicit list (ten at most), because "all viewer headers" brings Host, which API Gateway refuses, and
      // "all but Host" leaves out CloudFront's own.
      headerBehavior: OriginRequestHeaderBehavior.allowList(
        "CloudFront-Viewer-Address",
        "CloudFront-Viewer-Country",
        "User-Agent",
        "Origin",
        "Referer",
        "X-Amzn-Trace-Id",
        "Content-Type",
        "If-None-Match",
        // A preflight's own headers are not among them: the answer to it is always the same.
        ...(viewerHeader ? [viewerHeader] : []),
      ),
      queryStringBehavior: OriginRequestQueryStringBehavior.all(),
    }),
    ...(viewerHeader && {
      functionAssociations: [
        { function: viewerFunction(scope, viewerHeader), eventType: FunctionEventType.VIEWER_REQUEST },
      ],
    }),
  };
}

/** CloudFront's own header for it, CloudFront-Viewer-Address, has the port as well, which no firewall rule can read. */
function viewerFunction(scope: Construct, header: string): EdgeFunction {
  return new EdgeFunction(scope, "Viewer", {
    comment: "Rivulet: the viewer's address, whatever the viewer says of it",
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(
      `function handler({ request, viewer }) { request.headers[${JSON.stringify(header)}] = { value: viewer.ip }; return request; }`,
    ),
  });
}

export function pageHeaders(scope: Construct, id: string, policy: string): ResponseHeadersPolicy {
  return new ResponseHeadersPolicy(scope, id, {
    responseHeadersPolicyName: edgeName(scope, id),
    comment: "Rivulet: pages load from this domain and nowhere else",
    securityHeadersBehavior: {
      contentSecurityPolicy: {
        contentSecurityPolicy: policy,
        override: true,
      },
      contentTypeOptions: { override: true },
      // Browsers follow the policy where there are both, but old ones know only this, and it knows no "anybody".
      ...(policy === PAGE_POLICY
        ? { frameOptions: { frameOption: HeadersFrameOption.DENY, override: true } }
        : {}),
      referrerPolicy: {
        referrerPolicy: HeadersReferrerPolicy.SAME_ORIGIN,
        override: true,
      },
      strictTransportSecurity: { accessControlMaxAge: Duration.days(365), override: true },
    },
  });
}

/** The collector is made to be loaded by other sites, also with integrity checks and from isolated pages. */
export function collectorHeaders(scope: Construct): ResponseHeadersPolicy {
  return new ResponseHeadersPolicy(scope, "CollectorHeaders", {
    responseHeadersPolicyName: edgeName(scope, "CollectorHeaders"),
    comment: "Rivulet: any site may load the collector",
    securityHeadersBehavior: { contentTypeOptions: { override: true } },
    customHeadersBehavior: {
      customHeaders: [
        { header: "Access-Control-Allow-Origin", value: "*", override: true },
        { header: "Cross-Origin-Resource-Policy", value: "cross-origin", override: true },
      ],
    },
  });
}

/** The script's folder, for chunks and pinned versions beside it; in the root they are there anyway. */
export const ownPattern = (scriptPath: string): string =>
  folderOf(scriptPath) === "/" ? scriptPath : `${folderOf(scriptPath)}*`;

/** The collector's files under the operator's own names, and nothing else that the bucket holds. */
export function ownScript(scope: Construct, scriptPath: string): EdgeFunction {
  const named = COLLECTOR_FILES.map((file) => file.replace(".js", "")).join("|");
  return new EdgeFunction(scope, "OwnScript", {
    comment: "Rivulet: the collector under a name of the operator's choice",
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(
      `function handler({ request }) {
  const file = request.uri === ${JSON.stringify(scriptPath)} ? "c.js" : request.uri.slice(${folderOf(scriptPath).length});
  if (!/^(?:(?:c[/])?(?:${named})|c[/][0-9a-f]{16})[.]js$/.test(file)) return { statusCode: 404 };
  request.uri = "/" + file;
  return request;
}`,
    ),
  });
}

/** S3 knows no index of a folder beyond the root. */
export function folderIndex(scope: Construct): EdgeFunction {
  return new EdgeFunction(scope, "FolderIndex", {
    comment: "Rivulet: /demo/ is /demo/index.html",
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(
      "function handler({ request }) { if (request.uri.endsWith('/')) request.uri += 'index.html'; return request; }",
    ),
  });
}

/** Leads from a trace's id to X-Ray's page of it, for whoever may sign in there. */
export function traceLink(scope: Construct): EdgeFunction {
  const { region } = Stack.of(scope);
  const page = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#xray:traces/`;
  return new EdgeFunction(scope, "TraceLink", {
    comment: "Rivulet: /traces?id= is the trace in the X-Ray console",
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(
      `function handler({ request }) { const id = request.querystring.id; return id && /^1-[0-9a-f]{8}-[0-9a-f]{24}$/.test(id.value) ? { statusCode: 302, headers: { location: { value: "${page}" + id.value } } } : { statusCode: 404 }; }`,
    ),
  });
}
