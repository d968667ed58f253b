/**
 * The consumer: Lambda reads each shard in order and commits. Its settings carry the exactness of the counts (one
 * reader per shard) and its promise that nothing is lost in silence (bounded retries, then the payload goes to S3).
 */
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { type IEventSourceDlq, MetricType, StartingPosition } from "aws-cdk-lib/aws-lambda";
import { KinesisEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { Handler } from "./function.ts";
import type { ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface AggregationProps {
  readonly clicks: ClickStream;
  readonly data: AnalyticsTable;
  /** As `formatSites` writes them. */
  readonly sites: string;
  /** Environment that counting and answering share. */
  readonly environment: Readonly<Record<string, string>>;
  readonly concurrency?: number | undefined;
}

export class Aggregation extends Construct {
  readonly handler: Handler;
  /** Batches that were given up, with their payload. */
  readonly failures: Bucket;
  readonly #mappingId: string;

  constructor(scope: Construct, id: string, props: AggregationProps) {
    super(scope, id);
    const { clicks, data, sites, environment, concurrency } = props;
    this.handler = new Handler(this, "Aggregate", {
      handler: "aggregate",
      description: "Rivulet: folds each batch of a shard into one commit",
      // Well above a full batch's work; a batch that takes longer is an outage of the store.
      timeout: Duration.minutes(1),
      memory: 1024,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.stream]: clicks.stream.streamName,
        [ENV.sites]: sites,
        ...environment,
      },
      concurrency,
    });
    data.allowReadingAndWriting(this.handler);

    this.failures = new Bucket(this, "Failures", {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      // Payloads hold source addresses: long enough to redrive after a holiday, no longer.
      lifecycleRules: [
        { expiration: Duration.days(14), abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      removalPolicy: RemovalPolicy.RETAIN,
    });

    const source = new KinesisEventSource(clicks.stream, {
      // TRIM_HORIZON: creating a mapping takes minutes, and LATEST would skip what arrives meanwhile.
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 1000,
      maxBatchingWindow: Duration.seconds(1),
      // A commit's checkpoint assumes one reader per shard: scale by shards.
      parallelizationFactor: 1,
      bisectBatchOnError: true,
      // Bad input never throws, so a failure is an outage far more often than a poison record: enough attempts for an
      // hour's outage, and an end to them for the record.
      retryAttempts: 100,
      // Below the shortest retention of 24 h, so that the payload can still be saved.
      maxRecordAge: Duration.hours(12),
      onFailure: savePayloads(this.failures),
      metricsConfig: { metrics: [MetricType.EVENT_COUNT] },
    });
    this.handler.function.addEventSource(source);
    this.#mappingId = source.eventSourceMappingId;
  }

  /** Age of the newest record of a batch when it is read: how far the counts trail the clicks. */
  iteratorAge(): Metric {
    return this.handler.function.metric("IteratorAge", {
      statistic: Stats.MAXIMUM,
      period: Duration.minutes(1),
    });
  }

  /** Records that were given up and went to the failures bucket. */
  givenUp(): Metric {
    return new Metric({
      namespace: "AWS/Lambda",
      metricName: "OnFailureDestinationDeliveredEventCount",
      dimensionsMap: { EventSourceMappingUUID: this.#mappingId },
      statistic: Stats.SUM,
      period: Duration.minutes(1),
    });
  }
}

/** An S3 destination with the two permissions that it needs; the library's own grants reading and deleting as well. */
export const savePayloads = (bucket: Bucket): IEventSourceDlq => ({
  bind(_mapping, target) {
    target.addToRolePolicy(
      new PolicyStatement({ actions: ["s3:PutObject"], resources: [bucket.arnForObjects("aws/lambda/*")] }),
    );
    target.addToRolePolicy(
      new PolicyStatement({ actions: ["s3:ListBucket"], resources: [bucket.bucketArn] }),
    );
    return { destination: bucket.bucketArn };
  },
});
