/** Questions to single events: Athena over the archive's table, in a workgroup that bounds what one question may read. */
import { Aws, Duration, Names, Stack } from "aws-cdk-lib";
import { CfnWorkGroup } from "aws-cdk-lib/aws-athena";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import type { Archive } from "./archive.ts";
import { privateBucket } from "./bucket.ts";
import type { Handler } from "./function.ts";

export interface ExploreProps {
  readonly archive: Archive;
  /** The function that asks. */
  readonly query: Handler;
}

/** What one question may read; Athena bills what is read, so that is about five cents. */
const MAX_BYTES = 10_000_000_000;

export class Explore extends Construct {
  /** Results pass through it, and are gone after a day. */
  readonly results: Bucket;
  readonly workgroup: CfnWorkGroup;

  constructor(scope: Construct, id: string, { archive, query }: ExploreProps) {
    super(scope, id);
    this.results = privateBucket(this, "Results", [{ expiration: Duration.days(1) }]);
    this.workgroup = new CfnWorkGroup(this, "Workgroup", {
      name: Names.uniqueResourceName(this, { maxLength: 64, separator: "-" }),
      description: "Rivulet: questions that rollups cannot answer",
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        // Nobody who asks may choose another place for results, or read more.
        enforceWorkGroupConfiguration: true,
        bytesScannedCutoffPerQuery: MAX_BYTES,
        publishCloudWatchMetricsEnabled: true,
        engineVersion: { selectedEngineVersion: "Athena engine version 3" },
        resultConfiguration: {
          outputLocation: `s3://${this.results.bucketName}/`,
          encryptionConfiguration: { encryptionOption: "SSE_S3" },
        },
      },
    });
    this.#allow(archive, query);
    query.function.addEnvironment(ENV.workgroup, this.workgroup.ref);
    query.function.addEnvironment(ENV.database, archive.table.databaseName);
  }

  #allow({ bucket, table }: Archive, query: Handler): void {
    const arn = (service: string, resource: string): string =>
      `arn:${Aws.PARTITION}:${service}:${Stack.of(this).region}:${Aws.ACCOUNT_ID}:${resource}`;
    query.allow(
      [
        "athena:StartQueryExecution",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StopQueryExecution",
      ],
      arn("athena", `workgroup/${this.workgroup.name}`),
    );
    query.allow(
      ["glue:GetDatabase", "glue:GetTable"],
      arn("glue", "catalog"),
      arn("glue", `database/${table.databaseName}`),
      arn("glue", `table/${table.databaseName}/rows`),
    );
    // Athena reads and writes with the rights of who asks.
    query.allow(["s3:GetBucketLocation", "s3:ListBucket"], bucket.bucketArn, this.results.bucketArn);
    query.allow(["s3:GetObject"], bucket.arnForObjects("archive/*"));
    query.allow(["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], this.results.arnForObjects("*"));
  }
}
