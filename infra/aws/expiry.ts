/** Keeps the archive to the days that `rivulet sites set` gives a site: a function that deletes once a day what is older. */
import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import type { Archive } from "./archive.ts";
import { Handler } from "./function.ts";
import { callEvery } from "./schedule.ts";
import type { AnalyticsTable } from "./table.ts";

export interface ExpiryProps {
  readonly archive: Archive;
  readonly data: AnalyticsTable;
}

export class Expiry extends Construct {
  readonly handler: Handler;

  constructor(scope: Construct, id: string, { archive: { bucket }, data }: ExpiryProps) {
    super(scope, id);
    this.handler = new Handler(this, "Expire", {
      handler: "expire",
      description: "Rivulet: deletes what sites keep no longer from the archive",
      // Years of files in one go take a fraction; what is left the next day deletes.
      timeout: Duration.minutes(15),
      memory: 512,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.archiveBucket]: bucket.bucketName,
      },
    });
    data.allowReading(this.handler);
    this.handler.allow(["s3:ListBucket"], bucket.bucketArn);
    this.handler.allow(["s3:DeleteObject"], bucket.arnForObjects("archive/*"));
    callEvery(this, "Daily", this.handler, {
      every: Duration.days(1),
      description: "Rivulet: what the archive keeps no longer",
    });
  }
}
