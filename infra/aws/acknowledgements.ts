/** Every finding of cdk-nag (AwsSolutions) that we live with, where it applies and why. A finding that is not here fails the tests. */
import { Stack, Token, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";
import type { Rivulet } from "./rivulet.ts";

export interface Acknowledgement {
  readonly rule: string;
  readonly reason: string;
  /** Applies to these and whatever is inside them. */
  readonly to: readonly IConstruct[];
}

/** Tells cdk-nag, for one Rivulet, all that `acknowledgements` lists. */
export function acknowledge(rivulet: Rivulet): void {
  for (const { rule, reason, to } of acknowledgements(rivulet)) {
    for (const construct of to) Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
  }
}

/** Of one Rivulet, by the parts that it has. */
export function* acknowledgements(rivulet: Rivulet): Generator<Acknowledgement> {
  const {
    aggregation,
    alerting,
    archive,
    budget,
    canary,
    compaction,
    estimating,
    expiry,
    explore,
    firewall,
    imports,
    rebuild,
    serving,
    ingestion,
    site,
    users,
  } = rivulet;
  const stack = Stack.of(rivulet);
  const arnOf = (bucket: IConstruct): string =>
    `<${stack.getLogicalId(bucket.node.defaultChild as never)}.Arn>`;
  // One function for all deployments of the stack, made by aws-cdk-lib beside our construct and not inside it.
  const deployer = stack.node.children.filter(({ node }) =>
    node.id.startsWith("Custom::CDKBucketDeployment"),
  );
  const functions = [
    aggregation,
    alerting,
    compaction,
    estimating,
    serving,
    canary,
    archive,
    imports,
    rebuild,
    expiry,
    budget,
  ];
  const wildcards = (to: readonly IConstruct[], reason: string, ...findings: string[]): Acknowledgement[] =>
    findings.map((finding) => ({ rule: `IAM5[${finding}]`, reason, to }));

  yield* wildcards(
    functions.flatMap((part) => part?.handler ?? []),
    "X-Ray's write actions know no resources, nor does reading metrics; AWS documents * as their only value.",
    "Resource::*",
  );
  yield* wildcards(
    [aggregation.handler],
    "Lambda chooses the names of the failed batches it saves; they all begin with aws/lambda/.",
    `Resource::${arnOf(aggregation.reader.failures)}/aws/lambda/*`,
  );
  if (archive) {
    yield* wildcards(
      [archive.handler],
      "Lambda chooses the names of the failed batches it saves; they all begin with aws/lambda/.",
      `Resource::${arnOf(archive.reader.failures)}/aws/lambda/*`,
    );
    yield* wildcards(
      [archive.handler],
      "Files of imported rows are named by their site, hour and content.",
      `Resource::${arnOf(archive.bucket)}/archive/*`,
    );
    yield* wildcards(
      [archive.deliveryRole],
      "Firehose chooses the names of the files it writes, below these two folders.",
      `Resource::${arnOf(archive.bucket)}/archive/*`,
      `Resource::${arnOf(archive.bucket)}/errors/*`,
    );
    yield {
      rule: "S1",
      reason:
        "Who reads these files reads no addresses, and access logs would hold some: one role writes here, and " +
        "everybody else is refused.",
      to: [archive.bucket, archive.reader.failures],
    };
  }
  if (archive && rebuild) {
    yield* wildcards(
      [rebuild.handler],
      "Firehose names the archive's files, and a rebuild names what it leaves by its execution.",
      `Resource::${arnOf(archive.bucket)}/archive/*`,
      `Resource::${arnOf(archive.bucket)}/rebuild/*`,
    );
    yield* wildcards(
      [rebuild.role],
      "Actions of X-Ray and of log delivery know no resources; AWS documents * as their only value.",
      "Resource::*",
    );
    yield* wildcards(
      [rebuild],
      "A distributed map starts executions of its own state machine, and Step Functions names them.",
      `Resource::arn:<AWS::Partition>:states:${region(stack)}:${account(stack)}:execution:<${stack.getLogicalId(rebuild.stateMachine.node.defaultChild as never)}.Name>/*`,
    );
  }
  if (archive && expiry) {
    yield* wildcards(
      [expiry.handler],
      "Firehose names the archive's files; the function deletes below that folder and nowhere else.",
      `Resource::${arnOf(archive.bucket)}/archive/*`,
    );
  }
  if (imports) {
    yield* wildcards(
      [imports.handler],
      "Whoever puts files there chooses their names; the function reads below the one folder and reports below the other.",
      `Resource::${arnOf(imports.bucket)}/imports/*`,
      `Resource::${arnOf(imports.bucket)}/reports/*`,
    );
    yield {
      rule: "S1",
      reason:
        "Access logs would be one more copy of who put files there; CloudTrail's data events tell it to those who need it.",
      to: [imports.bucket],
    };
  }
  if (archive && explore) {
    yield* wildcards(
      [serving.handler],
      "Athena reads the archive's files and writes its results with the rights of who asks; neither has names that are known before.",
      `Resource::${arnOf(archive.bucket)}/archive/*`,
      `Resource::${arnOf(explore.results)}/*`,
    );
    yield {
      rule: "S1",
      reason:
        "Results of questions, gone after a day: one role reads and writes here, and everybody else is refused.",
      to: [explore.results],
    };
  }
  yield* wildcards(
    [Stack.of(rivulet).node.findChild("RivuletDeployer")],
    "The site's files have names by their content, and earlier ones stay.",
    `Resource::${arnOf(site.bucket)}/*`,
  );
  yield {
    rule: "L1",
    reason: "aws-cdk-lib's deployment function: its runtime comes with the library's version.",
    to: deployer,
  };
  yield {
    rule: "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
    reason:
      "API Gateway accepts access logs only with an account-wide role, and this policy is what it documents.",
    to: [ingestion.api],
  };
  yield {
    rule: "S1",
    reason:
      "Access logs hold addresses. The site's bucket holds public files and is read by CloudFront alone; the " +
      "failures bucket is written by one role, and both refuse everybody else.",
    to: [site.bucket, aggregation.reader.failures],
  };
  yield {
    rule: "CFR3",
    reason: "Access logs hold addresses and page URLs of visitors; this project keeps neither.",
    to: [site.distribution],
  };
  yield {
    rule: "CFR4",
    reason: "CloudFront's own certificate allows no choice of protocol; with a domain, TLS 1.2 is the least.",
    to: [site.distribution],
  };
  yield {
    rule: "CFR1",
    reason: "Visitors are counted wherever they are.",
    to: [site.distribution],
  };
  yield {
    rule: "CFR2",
    reason:
      "What costs by the request is the API, which has a web ACL of its own where one is wanted; the rest are files. " +
      "One of scope CLOUDFRONT lives in us-east-1 alone; who has one gives its ARN.",
    to: [site.distribution],
  };
  if (!firewall) {
    yield {
      rule: "APIG3",
      reason:
        "A web ACL costs two thirds of an idle system. Stage throttling bounds the bill; an option brings the ACL.",
      to: [ingestion.api],
    };
  }
  if (users) {
    yield {
      rule: "COG8",
      reason:
        "Of the plus plan only threat protection would serve here, at two cents a user: nobody can sign up, and " +
        "nobody signs in without a second factor.",
      to: [users.pool],
    };
  }
  yield {
    rule: "APIG2",
    reason:
      "The OpenAPI document declares its validators itself, for JSON bodies; text bodies are checked by the " +
      "pipeline, which counts what it refuses.",
    to: [ingestion.api],
  };
  yield {
    rule: "APIG6",
    reason:
      "Execution logs quote requests, and these hold addresses. Access logs without them, metrics and traces are on.",
    to: [ingestion.api],
  };
}

/** As cdk-nag writes them: the value if the stack is bound to an environment, else the pseudo parameter's name. */
const account = (stack: Stack): string =>
  Token.isUnresolved(stack.account) ? "<AWS::AccountId>" : stack.account;
const region = (stack: Stack): string => (Token.isUnresolved(stack.region) ? "<AWS::Region>" : stack.region);
