/**
 * What browsers talk to: one CloudFront domain for the dashboard, the collector and the API, so that neither needs
 * CORS among themselves and the edge tells us where a visitor is.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Duration, RemovalPolicy, Stack, Stage } from "aws-cdk-lib";
import type { ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  AllowedMethods,
  type BehaviorOptions,
  CacheCookieBehavior,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginRequestHeaderBehavior,
  OriginRequestPolicy,
  OriginRequestQueryStringBehavior,
  ResponseHeadersPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { RestApiOrigin, S3BucketOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { AaaaRecord, ARecord, type IHostedZone, RecordTarget } from "aws-cdk-lib/aws-route53";
import { CloudFrontTarget } from "aws-cdk-lib/aws-route53-targets";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { CacheControl, Source } from "aws-cdk-lib/aws-s3-deployment";
import { Construct } from "constructs";
import { COLLECTOR_FILES } from "../../collector/build.ts";
import { EMBED_PATH } from "../../dashboard/build.ts";
import { SESSION_COOKIE, SIGN_IN_PATH } from "../../processors/env.ts";
import type { OwnPaths } from "../ownpath.ts";
import { DOCUMENT_PATH } from "../published.ts";
import { privateBucket } from "./bucket.ts";
import { deployFiles } from "./deployment.ts";
import type { Ingestion } from "./ingestion.ts";
import type { SignIn } from "./users.ts";

/** Files by URL path; a path that ends with "/" is that folder's index.html. */
export type SiteFiles = ReadonlyMap<string, { readonly body: Uint8Array }>;

export interface SiteDomain {
  readonly name: string;
  /** Of us-east-1, where CloudFront reads certificates. */
  readonly certificate: ICertificate;
  /** Where the name's records are made. Default: you point it at the distribution yourself. */
  readonly hostedZone?: IHostedZone;
}

export interface SiteProps extends OwnPaths {
  readonly ingestion: Ingestion;
  readonly files: SiteFiles;
  /** Own name, with a certificate of us-east-1 that covers it. Default: CloudFront's name and certificate. */
  readonly domain?: SiteDomain | undefined;
  /** Header in which the API is told the viewer's address. Default: it needs none. */
  readonly viewerHeader?: string | undefined;
  /** A web ACL of scope CLOUDFRONT. */
  readonly edgeAclArn?: string | undefined;
  /** Origin of the pages where people sign in. Default: nobody signs in. */
  readonly signInOrigin?: string | undefined;
}

/** The collector's files by name, as S3 calls them, and by content: 16 digits of its hash. */
const NAMED = COLLECTOR_FILES.flatMap((file) => [file, `c/${file}`]);
const PINNED = `c/${"?".repeat(16)}.js`;
/** Known only when the user pool knows this distribution. */
const SIGN_IN_CONFIG = `${SIGN_IN_PATH.slice(1)}config.json`;
const COLLECTOR_PATHS = [...COLLECTOR_FILES.map((file) => `/${file}`), "/c/*"];

export class Site extends Construct {
  readonly bucket: Bucket;
  readonly distribution: Distribution;

  constructor(scope: Construct, id: string, props: SiteProps) {
    super(scope, id);
    const { ingestion, files, domain, viewerHeader, edgeAclArn, scriptPath, ingestPath, signInOrigin } =
      props;
    // Made again by every deployment.
    this.bucket = privateBucket(this, "Files", [], RemovalPolicy.DESTROY);
    const ingest = apiBehavior(this, ingestion, viewerHeader);
    const ingestAndQuery = { ...ingest, cachePolicy: readersOnly(this, signInOrigin !== undefined) };
    const stored = {
      origin: S3BucketOrigin.withOriginAccessControl(this.bucket),
      viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      cachePolicy: CachePolicy.CACHING_OPTIMIZED,
    };
    const collector = { ...stored, responseHeadersPolicy: collectorHeaders(this) };
    const folders = folderIndex(this);
    this.distribution = new Distribution(this, "Distribution", {
      comment: "Rivulet",
      httpVersion: HttpVersion.HTTP2_AND_3,
      ...(edgeAclArn && { webAclId: edgeAclArn }),
      ...(domain && {
        domainNames: [domain.name],
        certificate: domain.certificate,
        minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      }),
      defaultRootObject: "index.html",
      defaultBehavior: {
        ...stored,
        responseHeadersPolicy: pageHeaders(this, "PageHeaders", PAGE_POLICY),
        functionAssociations: [{ function: folders, eventType: FunctionEventType.VIEWER_REQUEST }],
      },
      additionalBehaviors: {
        [DOCUMENT_PATH]: stored,
        // One machine has a page there, to which the event feed links.
        "/traces": {
          ...stored,
          functionAssociations: [{ function: traceLink(this), eventType: FunctionEventType.VIEWER_REQUEST }],
        },
        [`${EMBED_PATH}*`]: {
          ...stored,
          responseHeadersPolicy: pageHeaders(this, "EmbedHeaders", EMBED_POLICY),
          functionAssociations: [{ function: folders, eventType: FunctionEventType.VIEWER_REQUEST }],
        },
        ...(signInOrigin && {
          [`${SIGN_IN_PATH}*`]: {
            ...stored,
            responseHeadersPolicy: pageHeaders(
              this,
              "SignInHeaders",
              `${PAGE_POLICY}; connect-src 'self' ${signInOrigin}`,
            ),
            functionAssociations: [{ function: folders, eventType: FunctionEventType.VIEWER_REQUEST }],
          },
        }),
        "/v1/*": ingest,
        "/api/*": ingestAndQuery,
        "/p.gif": ingest,
        ...Object.fromEntries(COLLECTOR_PATHS.map((path) => [path, collector])),
        // Before the script's folder, in which it may lie.
        ...(ingestPath && { [ingestPath]: ingest }),
        ...(scriptPath && {
          [ownPattern(scriptPath)]: {
            ...collector,
            functionAssociations: [
              { function: ownScript(this, scriptPath), eventType: FunctionEventType.VIEWER_REQUEST },
            ],
          },
        }),
      },
    });
    if (domain?.hostedZone) {
      const record = {
        zone: domain.hostedZone,
        recordName: `${domain.name}.`,
        target: RecordTarget.fromAlias(new CloudFrontTarget(this.distribution)),
      };
      new ARecord(this, "Name", record);
      new AaaaRecord(this, "NameV6", record);
    }
    this.#deploy(files);
  }

  /** Tells the sign-in page where to send people. */
  offerSignIn(signIn: SignIn): void {
    deployFiles(this, "SignInFile", this, {
      sources: [Source.jsonData(SIGN_IN_CONFIG, signIn)],
      prune: false,
      cacheControl: [CacheControl.noCache()],
    });
  }

  #deploy(files: SiteFiles): void {
    const folder = Source.asset(writeFolder(this, files));
    // Pages ask every time and mostly hear 304; the collector would ask on every page view of every site.
    deployFiles(this, "PageFiles", this, {
      sources: [folder],
      exclude: [...NAMED, PINNED, SIGN_IN_CONFIG],
      cacheControl: [CacheControl.noCache()],
    });
    deployFiles(this, "CollectorFiles", this, {
      sources: [folder],
      exclude: ["*"],
      include: NAMED,
      prune: false,
      cacheControl: [CacheControl.setPublic(), CacheControl.maxAge(Duration.hours(1))],
    });
    // Earlier versions stay, because pages that name them accept no other.
    deployFiles(this, "PinnedFiles", this, {
      sources: [folder],
      exclude: ["*"],
      include: [PINNED],
      prune: false,
      cacheControl: [
        CacheControl.setPublic(),
        CacheControl.maxAge(Duration.days(365)),
        CacheControl.immutable(),
      ],
    });
  }
}

/**
 * Forwards a reader's key, and a session's cookie. CloudFront drops Authorization from GET requests unless it is part of the cache's key, and a
 * key needs a cache that may hold something: at most a second, and nothing that does not ask for it, as no answer does.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization
 */
const readersOnly = (scope: Construct, hasSessions: boolean): CachePolicy =>
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
function apiBehavior(
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

/** The same as on one machine, so that a page that works there works here; a test compares them. */
const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/** The one page that other sites may frame; it shows nothing without a share link. */
const EMBED_POLICY = PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *");

function pageHeaders(scope: Construct, id: string, policy: string): ResponseHeadersPolicy {
  return new ResponseHeadersPolicy(scope, id, {
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
function collectorHeaders(scope: Construct): ResponseHeadersPolicy {
  return new ResponseHeadersPolicy(scope, "CollectorHeaders", {
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

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/") + 1);

/** The script's folder, for chunks and pinned versions beside it; in the root they are there anyway. */
const ownPattern = (scriptPath: string): string =>
  folderOf(scriptPath) === "/" ? scriptPath : `${folderOf(scriptPath)}*`;

/** The collector's files under the operator's own names, and nothing else that the bucket holds. */
function ownScript(scope: Construct, scriptPath: string): EdgeFunction {
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
function folderIndex(scope: Construct): EdgeFunction {
  return new EdgeFunction(scope, "FolderIndex", {
    comment: "Rivulet: /demo/ is /demo/index.html",
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromInline(
      "function handler({ request }) { if (request.uri.endsWith('/')) request.uri += 'index.html'; return request; }",
    ),
  });
}

/** Leads from a trace's id to X-Ray's page of it, for whoever may sign in there. */
function traceLink(scope: Construct): EdgeFunction {
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

/** A deployment takes a folder and a build makes a map: the folder lies beside the template, with all else that was made. */
function writeFolder(scope: Construct, files: SiteFiles): string {
  const folder = join(Stage.of(scope)!.outdir, `site.${scope.node.addr}`);
  rmSync(folder, { recursive: true, force: true });
  for (const [path, { body }] of files) {
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, body);
  }
  return folder;
}
