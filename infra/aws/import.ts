/**
 * Files that are dropped into a bucket are counted: S3 tells a topic, a queue keeps what it was told, and a function puts
 * the file on the stream. What cannot be imported ends in a dead-letter queue and raises an alarm; live traffic comes first.
 */
import { Aws, Duration } from "aws-cdk-lib";
import type { Metric } from "aws-cdk-lib/aws-cloudwatch";
import { Effect, PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import type { Bucket, CfnBucket } from "aws-cdk-lib/aws-s3";
import { Topic } from "aws-cdk-lib/aws-sns";
import { SqsSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { privateBucket } from "./bucket.ts";
import { Handler } from "./function.ts";
import type { ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface ImportProps {
  readonly clicks: ClickStream;
  readonly data: AnalyticsTable;
  /** As `formatSites` writes them. */
  readonly sites: string;
  readonly concurrency?: number | undefined;
}

/** Folders of the bucket. Reports are none that S3 tells of: that would go round in circles. */
const IMPORTS = "imports/";
const REPORTS = "reports/";

/** A longer file goes on with another message, so this only has to be long against reading its beginning again. */
const TIMEOUT = Duration.minutes(5);
/** The least that a mapping allows. */
const MAX_CONCURRENCY = 2;

export class Import extends Construct {
  readonly handler: Handler;
  readonly bucket: Bucket;
  readonly topic: Topic;
  readonly queue: Queue;
  /** Messages that failed too often: nothing comes out of it by itself. */
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, props: ImportProps) {
    super(scope, id);
    const { clicks, data, sites, concurrency } = props;
    this.bucket = privateBucket(this, "Files", [
      // Logs hold addresses. Longer than a message can wait, so that a redrive still finds its file.
      { prefix: IMPORTS, expiration: Duration.days(30) },
      { prefix: REPORTS, expiration: Duration.days(90) },
    ]);
    this.topic = this.#notifyingTopic();

    this.deadLetters = new Queue(this, "DeadLetters", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.queue = new Queue(this, "Queue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // As AWS advises: time for the function's own retries while it is throttled.
      visibilityTimeout: Duration.seconds(6 * TIMEOUT.toSeconds()),
      receiveMessageWaitTime: Duration.seconds(20),
      retentionPeriod: Duration.days(14),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 5 },
    });
    this.topic.addSubscription(new SqsSubscription(this.queue));

    this.handler = new Handler(this, "Importer", {
      handler: "import",
      description: "Rivulet: puts files on the stream",
      timeout: TIMEOUT,
      memory: 1024,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.stream]: clicks.stream.streamName,
        [ENV.importTopic]: this.topic.topicArn,
        [ENV.sites]: sites,
      },
      concurrency,
    });
    data.allowReadingAndWriting(this.handler);
    this.handler.allow(["kinesis:ListShards", "kinesis:PutRecords"], clicks.stream.streamArn);
    this.handler.allow(["s3:GetObject"], this.bucket.arnForObjects(`${IMPORTS}*`));
    this.handler.allow(["s3:GetObject", "s3:PutObject"], this.bucket.arnForObjects(`${REPORTS}*`));
    // Without it S3 says of an object that is gone that nobody may read it.
    this.handler.allow(["s3:ListBucket"], this.bucket.bucketArn);
    this.handler.allow(["sns:Publish"], this.topic.topicArn);
    this.handler.function.addEventSource(
      new SqsEventSource(this.queue, {
        // A file has the function's time to itself.
        batchSize: 1,
        reportBatchItemFailures: true,
        maxConcurrency: MAX_CONCURRENCY,
      }),
    );
  }

  /** Messages that wait for somebody to look at them. */
  givenUp(): Metric {
    return this.deadLetters.metricApproximateNumberOfMessagesVisible({
      statistic: "Maximum",
      period: Duration.minutes(1),
    });
  }

  /**
   * By the bucket's own property: the library's way is a function in the account that may write every bucket's settings.
   * S3 is known by the account, because the bucket's name would make the bucket and the policy wait for each other.
   */
  #notifyingTopic(): Topic {
    const topic = new Topic(this, "Topic", { displayName: "Rivulet imports", enforceSSL: true });
    const policy = topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "S3Notifies",
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal("s3.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    );
    const bucket = this.bucket.node.defaultChild as CfnBucket;
    bucket.notificationConfiguration = {
      topicConfigurations: [
        {
          topic: topic.topicArn,
          event: "s3:ObjectCreated:*",
          filter: { s3Key: { rules: [{ name: "prefix", value: IMPORTS }] } },
        },
      ],
    };
    // S3 tries the way when it is told of it.
    if (policy.policyDependable) bucket.node.addDependency(policy.policyDependable);
    return topic;
  }
}
