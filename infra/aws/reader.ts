/**
 * How Lambda reads the stream for a function that keeps checkpoints. These settings carry exactness (one reader per
 * shard) and the promise that nothing is lost in silence (bounded retries, then the payload goes to S3).
 */
import { Duration } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { StreamConsumer } from "aws-cdk-lib/aws-kinesis";
import { type IEventSourceDlq, MetricType, StartingPosition } from "aws-cdk-lib/aws-lambda";
import {
  KinesisConsumerEventSource,
  KinesisEventSource,
  type KinesisEventSourceProps,
} from "aws-cdk-lib/aws-lambda-event-sources";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { privateBucket } from "./bucket.ts";
import type { Handler } from "./function.ts";
import type { ClickStream } from "./stream.ts";

export interface ShardReaderProps {
  readonly clicks: ClickStream;
  readonly handler: Handler;
  /** How long records are gathered before the function is called. */
  readonly batchingWindow: Duration;
  /** Name of an enhanced fan-out consumer, which gets 2 MiB/s of each shard to itself. Default: it shares the shard. */
  readonly fanOut?: string | undefined;
}

export class ShardReader {
  /** Batches that were given up, with their payload. */
  readonly failures: Bucket;
  readonly mappingId: string;
  readonly mappingArn: string;
  readonly #handler: Handler;

  constructor(scope: Construct, { clicks, handler, batchingWindow, fanOut }: ShardReaderProps) {
    this.#handler = handler;
    // Payloads hold source addresses: long enough to redrive after a holiday, no longer.
    this.failures = privateBucket(scope, "Failures", [{ expiration: Duration.days(14) }]);
    const settings: KinesisEventSourceProps = {
      // TRIM_HORIZON: creating a mapping takes minutes, and LATEST would skip what arrives meanwhile.
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 1000,
      maxBatchingWindow: batchingWindow,
      // A checkpoint assumes one reader per shard: scale by shards.
      parallelizationFactor: 1,
      bisectBatchOnError: true,
      // Bad input never throws, so a failure is an outage far more often than a poison record: enough attempts for an
      // hour's outage, and an end to them for the record.
      retryAttempts: 100,
      maxRecordAge: oldestTried(clicks.retention),
      onFailure: savePayloads(this.failures),
      metricsConfig: { metrics: [MetricType.EVENT_COUNT] },
    };
    const source =
      fanOut === undefined
        ? new KinesisEventSource(clicks.stream, settings)
        : new KinesisConsumerEventSource(
            new StreamConsumer(scope, "FanOut", { stream: clicks.stream, streamConsumerName: fanOut }),
            settings,
          );
    handler.function.addEventSource(source);
    this.mappingId = source.eventSourceMappingId;
    this.mappingArn = source.eventSourceMappingArn;
  }

  /** Age of the newest record of a batch when it is read: how far the function trails the clicks. */
  iteratorAge(): Metric {
    return this.#handler.function.metric("IteratorAge", {
      statistic: Stats.MAXIMUM,
      period: Duration.minutes(1),
    });
  }

  /** Records that were given up and went to the failures bucket. */
  givenUp(): Metric {
    return new Metric({
      namespace: "AWS/Lambda",
      metricName: "OnFailureDestinationDeliveredEventCount",
      dimensionsMap: { EventSourceMappingUUID: this.mappingId },
      statistic: Stats.SUM,
      period: Duration.minutes(1),
    });
  }
}

/** The most that a mapping takes. */
const LONGEST_AGE = Duration.days(7);

/**
 * Half of the retention: a payload can still be saved then, and whoever lengthens the retention in an outage has the
 * records counted that are in the stream already.
 */
const oldestTried = (retention: Duration): Duration =>
  Duration.seconds(Math.min(retention.toSeconds() / 2, LONGEST_AGE.toSeconds()));

/** An S3 destination with the two permissions that it needs; the library's own grants reading and deleting as well. */
const savePayloads = (bucket: Bucket): IEventSourceDlq => ({
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
