import { rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { type Json, synthesise } from "./synth.ts";

const cloud = synthesise({ context: { archive: "true", imports: "true" } });
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

const DEPLOYER = "CustomCDKBucketDeployment8693BB64968944B69AAFB0CC9EB8756CServiceRole";

/** Wildcards that stay, each with its reason; infra/aws/acknowledgements.ts says the same to cdk-nag. */
const JUSTIFIED: readonly (readonly [role: string, wildcard: RegExp, reason: string])[] = [
  ["RivuletAggregationAggregateRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  ["RivuletCompactionCompactRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  ["RivuletServingQueryRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  ["RivuletAlertingWatchRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  ["RivuletCanaryRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  [
    "RivuletAggregationAggregateRole",
    /Failures.*\/aws\/lambda\/\*.* of s3:PutObject$/,
    "Lambda names the objects",
  ],
  ["RivuletArchiveConsumerRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  [
    "RivuletArchiveConsumerRole",
    /Failures.*\/aws\/lambda\/\*.* of s3:PutObject$/,
    "Lambda names the objects",
  ],
  ["RivuletImportImporterRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
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
  ["RivuletRebuildStepsRole", /^resource "\*" of xray:/, "X-Ray's write actions know no resources"],
  ["RivuletRebuildStepsRole", /Rows.*\/archive\/\*.* of s3:GetObject$/, "Firehose named the files"],
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
  [DEPLOYER, /./, "aws-cdk-lib's own function of a deployment; its policy cannot be replaced"],
];

const wildcards = grants.flatMap(({ role, actions, resources }) => [
  ...actions.filter((action) => action.includes("*")).map((action) => ({ role, what: `action ${action}` })),
  ...resources
    .map((resource) => JSON.stringify(resource))
    .filter((resource) => resource.includes("*"))
    .map((resource) => ({ role, what: `resource ${resource} of ${actions.join(" ")}` })),
]);

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

  it.each([
    {
      role: "RivuletServingQueryRole",
      may: "read items, write one by one, and ask the archive",
      actions: [
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
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
      actions: [
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
      ],
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
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
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
      may: "read the archive, leave files beside it, and read and write items",
      actions: [
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "s3:GetObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
      ],
    },
    { role: "RivuletCanaryRole", may: "do nothing that a browser may not", actions: [] },
    { role: "RivuletIngestionPutRole", may: "only put single records", actions: ["kinesis:PutRecord"] },
  ])("$role may $may", ({ role, actions }) => {
    const common = /^(logs:(CreateLogStream|PutLogEvents)|xray:Put\w+)$/;
    const granted = grants.filter((grant) => grant.role === role).flatMap((grant) => grant.actions);
    expect(granted.filter((action) => !common.test(action)).toSorted()).toEqual(actions);
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

  it("use AWS managed policies in two places that cannot do without", () => {
    const managed = cloud
      .of("AWS::IAM::Role")
      .filter(([, { Properties }]) => Properties.ManagedPolicyArns !== undefined)
      .map(([id]) => nameOf(id));
    expect(managed.toSorted()).toEqual([DEPLOYER, "RivuletIngestionApiCloudWatchRole"].toSorted());
  });
});
