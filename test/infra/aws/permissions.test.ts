/** What each role of the template may do, all of it. */
import { rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { hasGuard, judged } from "./guard.ts";
import { CERTIFICATE, type Json, synthesise } from "./synth.ts";

/** All that has a role. */
const cloud = synthesise({
  context: {
    archive: "true",
    imports: "true",
    firewall: "true",
    budget: "50",
    enhancedFanOut: "true",
    domain: "stats.example.com",
    certificate: CERTIFICATE,
  },
});
afterAll(() => rmSync(cloud.outdir, { recursive: true, force: true }));

interface Grant {
  readonly role: string;
  readonly actions: readonly string[];
  readonly resources: readonly unknown[];
}

const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

/** Role names without the hash that CDK appends. */
const nameOf = (logicalId: string): string => logicalId.replace(/[0-9A-F]{8,}$/, "");

/** Every statement that some role of the template carries, wherever it is written. */
const grants: Grant[] = [
  ...cloud
    .of("AWS::IAM::Policy")
    .flatMap(([, { Properties }]) =>
      Properties.Roles.flatMap(({ Ref }: { Ref: string }) => statements(Ref, Properties.PolicyDocument)),
    ),
  ...cloud
    .of("AWS::IAM::Role")
    .flatMap(([id, { Properties }]) =>
      (Properties.Policies ?? []).flatMap((policy: Json) => statements(id, policy.PolicyDocument)),
    ),
];

function statements(roleId: string, document: { Statement: Json[] }): Grant[] {
  return document.Statement.map((statement) => ({
    role: nameOf(roleId),
    actions: list<string>(statement.Action),
    resources: list(statement.Resource),
  }));
}

/** Wildcards that stay, each with its reason; infra/aws/acknowledgements.ts says the same to cdk-nag. */
const JUSTIFIED: readonly (readonly [role: string, wildcard: RegExp, reason: string])[] = [
  ...[
    "RivuletAggregationAggregateRole",
    "RivuletCompactionCompactRole",
    "RivuletServingQueryRole",
    "RivuletAlertingWatchRole",
    "RivuletCanaryRole",
    "RivuletBudgetThriftRole",
    "RivuletArchiveConsumerRole",
    "RivuletImportImporterRole",
    "RivuletExpiryExpireRole",
    "RivuletRebuildStepsRole",
  ].map((role) => [role, /^resource "\*" of xray:/, "X-Ray's write actions know no resources"] as const),
  ...["RivuletAggregationAggregateRole", "RivuletArchiveConsumerRole"].map(
    (role) => [role, /Failures.*\/aws\/lambda\/\*.* of s3:PutObject$/, "Lambda names the objects"] as const,
  ),
  [
    "RivuletEstimatingEstimateRole",
    /^resource "\*" of cloudwatch:GetMetricData xray:/,
    "Reading metrics knows no resources, nor do X-Ray's write actions",
  ],
  [
    "RivuletArchiveConsumerRole",
    /Rows.*\/archive\/\*.* of s3:PutObject$/,
    "Files are named by site, hour and content",
  ],
  [
    "RivuletImportImporterRole",
    /Files.*\/imports\/\*.* of s3:GetObject$/,
    "Whoever puts files there names them",
  ],
  [
    "RivuletImportImporterRole",
    /Files.*\/reports\/\*.* of s3:GetObject s3:PutObject$/,
    "Reports are named as their files",
  ],
  [
    "RivuletArchiveDeliveryRole",
    /Rows.*\/(archive|errors)\/\*.* of s3:AbortMultipartUpload s3:PutObject$/,
    "Firehose names the objects",
  ],
  [
    "RivuletServingQueryRole",
    /Rows.*\/archive\/\*.* of s3:GetObject$/,
    "Athena reads files whose names nobody knows before",
  ],
  [
    "RivuletServingQueryRole",
    /Results.*\/\*.* of s3:AbortMultipartUpload s3:GetObject s3:PutObject$/,
    "Athena names its results",
  ],
  ["RivuletExpiryExpireRole", /Rows.*\/archive\/\*.* of s3:DeleteObject$/, "Firehose named the files"],
  [
    "RivuletRebuildStepsRole",
    /Rows.*\/archive\/\*.* of s3:GetObject s3:PutObject$/,
    "Firehose named the files",
  ],
  [
    "RivuletRebuildStepsRole",
    /Rows.*\/rebuild\/\*.* of s3:GetObject s3:PutObject$/,
    "What it leaves is named by its execution",
  ],
  ["RivuletRebuildRole", /^resource "\*" of (xray|logs):/, "Tracing and log delivery know no resources"],
  [
    "RivuletRebuildRole",
    /:execution:.*\/\*.* of states:DescribeExecution states:StopExecution$/,
    "Step Functions names the executions of a distributed map",
  ],
  [
    "RivuletDeployerRole",
    /SiteFiles.*\/\*.* of s3:AbortMultipartUpload s3:DeleteObject s3:PutObject$/,
    "Files are named by their content, and earlier ones stay",
  ],
];

const wildcards = grants.flatMap(({ role, actions, resources }) => [
  ...actions.filter((action) => action.includes("*")).map((action) => ({ role, what: `action ${action}` })),
  ...resources
    .map((resource) => JSON.stringify(resource))
    .filter((resource) => resource.includes("*"))
    .map((resource) => ({ role, what: `resource ${resource} of ${actions.join(" ")}` })),
]);

/** What every function does: write its log and its traces. */
const COMMON = /^(logs:(CreateLogStream|PutLogEvents)|xray:Put\w+)$/;

const READS = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"];
const WRITES = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"];
/** As aws-cdk-lib grants reading of a stream and of a consumer of its own; nothing in it writes. */
const STREAMS = [
  "kinesis:DescribeStream",
  "kinesis:DescribeStreamConsumer",
  "kinesis:DescribeStreamConsumer",
  "kinesis:DescribeStreamSummary",
  "kinesis:GetRecords",
  "kinesis:GetShardIterator",
  "kinesis:ListShards",
  "kinesis:ListStreams",
  "kinesis:SubscribeToShard",
  "kinesis:SubscribeToShard",
];
const FAILURES = ["s3:ListBucket", "s3:PutObject"];
/** As aws-cdk-lib grants them to a state machine that is traced and writes its log. */
const STATE_MACHINE = [
  "logs:CreateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:DescribeLogGroups",
  "logs:DescribeResourcePolicies",
  "logs:GetLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:UpdateLogDelivery",
  "xray:GetSamplingRules",
  "xray:GetSamplingTargets",
];

/** Every role that is ours, and all that it may do. */
const ROLES: readonly { readonly role: string; readonly may: string; readonly actions: readonly string[] }[] =
  [
    {
      role: "RivuletServingQueryRole",
      may: "read items, write one by one, and ask the archive",
      actions: [
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
        ...READS,
        ...WRITES,
        "glue:GetDatabase",
        "glue:GetTable",
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
      ],
    },
    {
      role: "RivuletCompactionCompactRole",
      may: "read and write items, and see how far the stream is",
      actions: [...READS, ...WRITES, "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"],
    },
    {
      role: "RivuletArchiveDeliveryRole",
      may: "write files and look up their columns",
      actions: [
        "glue:GetTable",
        "glue:GetTableVersion",
        "glue:GetTableVersions",
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
      ],
    },
    {
      role: "RivuletImportImporterRole",
      may: "read files, put records, note what it did, and take its messages",
      actions: [
        ...READS,
        ...WRITES,
        "kinesis:ListShards",
        "kinesis:PutRecords",
        "s3:GetObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sns:Publish",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
      ],
    },
    {
      role: "RivuletRebuildStepsRole",
      may: "read and replace the archive's objects, leave files beside them, and read and write items",
      actions: [...READS, ...WRITES, "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
    },
    {
      role: "RivuletEstimatingEstimateRole",
      may: "read metrics and items, and note what it made of them",
      actions: [...READS, ...WRITES, "cloudwatch:GetMetricData"],
    },
    {
      role: "RivuletExpiryExpireRole",
      may: "read items, list the archive's objects and delete them",
      actions: [...READS, "s3:DeleteObject", "s3:ListBucket"],
    },
    {
      role: "RivuletDeployerRole",
      may: "read the files that are deployed, replace those in the site's bucket, and tell its distribution",
      actions: [
        "cloudfront:CreateInvalidation",
        "cloudfront:GetInvalidation",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
      ],
    },
    { role: "RivuletCanaryRole", may: "do nothing that a browser may not", actions: [] },
    { role: "RivuletIngestionPutRole", may: "only put single records", actions: ["kinesis:PutRecord"] },
    {
      role: "RivuletAggregationAggregateRole",
      may: "read the stream, read and write items, and save what it gives up",
      actions: [...READS, ...WRITES, ...STREAMS, ...FAILURES],
    },
    {
      role: "RivuletArchiveConsumerRole",
      may: "read the stream, keep its place, and hand rows over or put them",
      actions: [...READS, ...WRITES, ...STREAMS, ...FAILURES, "firehose:PutRecordBatch"],
    },
    {
      role: "RivuletAlertingWatchRole",
      may: "read and write items, and tell its topic",
      actions: [...READS, ...WRITES, "sns:Publish"],
    },
    {
      role: "RivuletBudgetThriftRole",
      may: "change one mapping",
      actions: ["lambda:UpdateEventSourceMapping"],
    },
    {
      role: "RivuletRebuildRole",
      may: "call the steps, and children of its own",
      actions: [
        ...STATE_MACHINE,
        "lambda:InvokeFunction",
        "states:DescribeExecution",
        "states:StartExecution",
        "states:StopExecution",
      ],
    },
  ];

describe("permissions", () => {
  it("hold no wildcard that is not justified", () => {
    const unjustified = wildcards.filter(
      ({ role, what }) => !JUSTIFIED.some(([named, wildcard]) => named === role && wildcard.test(what)),
    );
    expect(unjustified).toEqual([]);
  });

  it("have no justification left over", () => {
    const idle = JUSTIFIED.filter(
      ([named, wildcard]) => !wildcards.some(({ role, what }) => named === role && wildcard.test(what)),
    );
    expect(idle).toEqual([]);
  });

  it.each(ROLES)("$role may $may", ({ role, actions }) => {
    const granted = grants.filter((grant) => grant.role === role).flatMap((grant) => grant.actions);
    expect(granted.filter((action) => !COMMON.test(action)).toSorted()).toEqual(actions.toSorted());
  });

  it("are told here of every role, so that a new one is looked at", () => {
    const roles = cloud.of("AWS::IAM::Role").map(([id]) => nameOf(id));
    expect(roles.toSorted()).toEqual(
      [...ROLES.map(({ role }) => role), "RivuletIngestionApiCloudWatchRole"].toSorted(),
    );
  });

  it("let the consumer read the stream, never write to it", () => {
    const kinesis = grants
      .filter(({ role }) => role === "RivuletAggregationAggregateRole")
      .flatMap(({ actions }) => actions)
      .filter((action) => action.startsWith("kinesis:"));
    expect(kinesis).toContain("kinesis:GetRecords");
    expect(kinesis.filter((action) => !/^kinesis:(Get|List|Describe|Subscribe)/.test(action))).toEqual([]);
  });

  it("let each function write to its own log group only", () => {
    for (const name of ["Aggregate", "Compact", "Query"]) {
      const logs = grants.filter(
        ({ role, actions }) =>
          role.endsWith(`${name}Role`) && actions.some((action) => action.startsWith("logs:")),
      );
      expect(logs, name).toHaveLength(1);
      expect(JSON.stringify(logs[0]!.resources), name).toContain(`${name}Logs`);
    }
  });

  it("use an AWS managed policy in one place, which cannot do without", () => {
    const managed = cloud
      .of("AWS::IAM::Role")
      .filter(([, { Properties }]) => Properties.ManagedPolicyArns !== undefined)
      .map(([id]) => nameOf(id));
    expect(managed).toEqual(["RivuletIngestionApiCloudWatchRole"]);
  });
});

/** What we do otherwise, and why; infra/aws/acknowledgements.ts has the reasons of the same kind for cdk-nag. */
const OTHERWISE: Readonly<Record<string, string>> = {
  api_gw_v1_execution_logging_enabled_check: "execution logs quote requests, and these hold addresses",
  athena_workgroup_results_encrypted_at_rest_kms_check:
    "encrypted with keys of S3; a key of our own is a dollar a month",
  cloudfront_access_logs_enabled_check: "they would hold addresses and page URLs",
  cloudfront_origin_failover_enabled_check:
    "there is one API and one bucket; a second region is a second deployment",
  cloudwatch_log_group_encrypted_check: "encrypted by the service; a key of our own is a dollar a month",
  cloudwatch_log_group_retention_period_check: "logs are forgotten after a month, on purpose",
  lambda_inside_vpc_check: "there is no VPC: the functions call AWS and nothing else, and nothing calls them",
  s3_bucket_default_encryption_kms_check: "encrypted with keys of S3; a key of our own is a dollar a month",
  s3_bucket_logging_enabled_check: "access logs would hold addresses",
  s3_bucket_object_lock_enabled_check: "people may ask to be erased",
  s3_bucket_versioning_enabled_check: "what is erased has to be gone, not hidden behind a newer version",
  s3_event_notifications_enabled_check: "the one bucket that somebody waits for has them",
  sqs_dlq_check: "the queue that it finds is the dead-letter queue itself",
};

describe.skipIf(!hasGuard)("cfn-guard with the rules of Control Tower", () => {
  it("finds what we do otherwise with a reason, and nothing else", () => {
    const { failed, passed } = judged(cloud);
    expect(failed).toEqual(Object.keys(OTHERWISE).toSorted());
    // Or the rules were not looked at.
    expect(passed).toEqual(
      expect.arrayContaining([
        "cloudfront_security_policy_check",
        "iam_inline_policy_no_statements_with_full_access_check",
        "kinesis_stream_encrypted_check",
        "lambda_function_public_access_prohibited_check",
        "s3_bucket_level_public_access_prohibited_check",
        "s3_bucket_policy_ssl_requests_only_check",
        "sqs_queue_encrypted_check",
        "step_functions_state_machine_tracing_enabled_check",
      ]),
    );
  });
});
