/**
 * What browsers talk to: one CloudFront domain for the dashboard, the collector and the API, so that neither needs
 * CORS among themselves and the edge tells us where a visitor is.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Duration, Stage } from "aws-cdk-lib";
import type { ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  CachePolicy,
  Distribution,
  FunctionEventType,
  HttpVersion,
  S3OriginAccessControl,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { S3BucketOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { AaaaRecord, ARecord, type IHostedZone, RecordTarget } from "aws-cdk-lib/aws-route53";
import { CloudFrontTarget } from "aws-cdk-lib/aws-route53-targets";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { CacheControl, Source } from "aws-cdk-lib/aws-s3-deployment";
import { Construct } from "constructs";
import { COLLECTOR_FILES } from "../../collector/build.ts";
import { EMBED_PATH } from "../../dashboard/build.ts";
import { SIGN_IN_PATH } from "../../processors/env.ts";
import type { OwnPaths } from "../ownpath.ts";
import { EMBED_POLICY, PAGE_POLICY } from "../policy.ts";
import { DOCUMENT_PATH } from "../published.ts";
import { privateBucket } from "./bucket.ts";
import { deployFiles } from "./deployment.ts";
import {
  apiBehavior,
  collectorHeaders,
  edgeName,
  folderIndex,
  ownPattern,
  ownScript,
  pageHeaders,
  readersOnly,
  traceLink,
} from "./edge.ts";
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

/**
 * Errors that are over with the next request.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
 */
const PASSING = [500, 502, 503, 504];

export class Site extends Construct {
  readonly bucket: Bucket;
  readonly distribution: Distribution;

  constructor(scope: Construct, id: string, props: SiteProps) {
    super(scope, id);
    const { ingestion, files, domain, viewerHeader, edgeAclArn, scriptPath, ingestPath, signInOrigin } =
      props;
    this.bucket = privateBucket(this, "Files", []);
    const ingest = apiBehavior(this, ingestion, viewerHeader);
    const ingestAndQuery = { ...ingest, cachePolicy: readersOnly(this, signInOrigin !== undefined) };
    const stored = {
      origin: S3BucketOrigin.withOriginAccessControl(this.bucket, {
        originAccessControl: new S3OriginAccessControl(this, "Access", {
          originAccessControlName: edgeName(this, "Access"),
        }),
      }),
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
      // Else one is repeated to everybody for ten seconds, whatever it says of caching: of the image by its path alone.
      errorResponses: PASSING.map((httpStatus) => ({ httpStatus, ttl: Duration.seconds(0) })),
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
