/**
 * The firewall before the API: nobody goes around CloudFront, one address cannot spend the budget of all, and what is too
 * large is refused before it is read. It looks into no body: a page's address may well look like an attack, and it is
 * data that must be counted; queries are parsed strictly behind it.
 */
import { Duration, Names, Stack } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { CfnWebACL, CfnWebACLAssociation } from "aws-cdk-lib/aws-wafv2";
import { Construct } from "constructs";
import type { Ingestion } from "./ingestion.ts";
import { checkNumber } from "./number.ts";

export interface FirewallOptions {
  /** Requests that one address may make in any five minutes; beyond, it is told 429. Default: 10,000; at least 10. */
  readonly perAddress?: number;
  /** ARN of a web ACL of your own of scope CLOUDFRONT, which is always in us-east-1: attached to the distribution. */
  readonly edgeAclArn?: string;
}

export interface FirewallProps extends Pick<FirewallOptions, "perAddress"> {
  readonly ingestion: Ingestion;
}

/** In it the distribution names the viewer's address, and nothing else; see viewerFunction in edge.ts. */
export const VIEWER_HEADER = "x-rivulet-viewer";

/** An office behind one address, with a dashboard open that asks every second, stays well below. */
const PER_ADDRESS = 10_000;
const WINDOW_SECONDS = 300;
/** A Content-Length of seven digits is four times what the API takes; the mapping template refuses what is between. */
const MAX_LENGTH_DIGITS = 6;

export class Firewall extends Construct {
  readonly acl: CfnWebACL;
  readonly #metricName: string;

  constructor(scope: Construct, id: string, { ingestion, perAddress = PER_ADDRESS }: FirewallProps) {
    super(scope, id);
    // The bounds of WAF.
    checkNumber("firewall.perAddress", perAddress, { lowest: 10, highest: 2_000_000_000 });
    const { api, edgeProof } = ingestion;
    this.#metricName = Names.uniqueResourceName(this, { maxLength: 128 });
    this.acl = new CfnWebACL(this, "Acl", {
      description: "Rivulet: bounds what one address can send",
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: told(this.#metricName),
      // The default, and said: more would cost more, and no rule reads a body.
      associationConfig: { requestBody: { API_GATEWAY: { defaultSizeInspectionLimit: "KB_16" } } },
      rules: [
        {
          name: "around-the-edge",
          priority: 0,
          // Not 403, which is final to a collector: pages may hold the tag of before there was a firewall, by which they
          // report to the API itself. What they say waits in the browser until they have the new one.
          action: { block: answer(503, { "Retry-After": "60" }) },
          statement: {
            notStatement: {
              statement: {
                byteMatchStatement: {
                  fieldToMatch: { singleHeader: { Name: edgeProof.header } },
                  positionalConstraint: "EXACTLY",
                  searchString: edgeProof.value,
                  textTransformations: AS_IS,
                },
              },
            },
          },
          visibilityConfig: told("around-the-edge"),
        },
        {
          name: "large-body",
          priority: 1,
          action: { block: answer(413) },
          statement: {
            sizeConstraintStatement: {
              fieldToMatch: { singleHeader: { Name: "content-length" } },
              comparisonOperator: "GT",
              size: MAX_LENGTH_DIGITS,
              textTransformations: AS_IS,
            },
          },
          visibilityConfig: told("large-body"),
        },
        {
          name: "rate",
          priority: 2,
          // The collector keeps what it is told 429 for and sends it again.
          action: { block: answer(429, { "Retry-After": "60" }) },
          statement: {
            rateBasedStatement: {
              limit: perAddress,
              evaluationWindowSec: WINDOW_SECONDS,
              // API Gateway sees CloudFront's addresses. Not X-Forwarded-For: WAF takes its first address, and viewers
              // can write that one themselves.
              aggregateKeyType: "FORWARDED_IP",
              forwardedIpConfig: { headerName: VIEWER_HEADER, fallbackBehavior: "MATCH" },
            },
          },
          visibilityConfig: told("rate"),
        },
      ],
    });
    new CfnWebACLAssociation(this, "Association", {
      resourceArn: api.deploymentStage.stageArn,
      webAclArn: this.acl.attrArn,
    });
  }

  /** Requests refused, by all rules together. */
  blocked(): Metric {
    return new Metric({
      namespace: "AWS/WAFV2",
      metricName: "BlockedRequests",
      dimensionsMap: { WebACL: this.#metricName, Region: Stack.of(this).region, Rule: "ALL" },
      statistic: Stats.SUM,
      period: Duration.minutes(1),
    });
  }
}

const AS_IS = [{ priority: 0, type: "NONE" }];

/** Counted; but no samples of requests are kept, because they hold addresses. */
const told = (metricName: string): CfnWebACL.VisibilityConfigProperty => ({
  cloudWatchMetricsEnabled: true,
  metricName,
  sampledRequestsEnabled: false,
});

/** Readable from any origin, as all answers to senders are. */
const answer = (
  responseCode: number,
  headers: Readonly<Record<string, string>> = {},
): CfnWebACL.BlockActionProperty => ({
  customResponse: {
    responseCode,
    responseHeaders: Object.entries({ "Access-Control-Allow-Origin": "*", ...headers }).map(
      ([name, value]) => ({ name, value }),
    ),
  },
});
