/** The stream: ordered shards of envelopes. Provisioned by default, because one shard costs a third of on-demand. */
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { type Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { Stream, StreamEncryption, StreamMode } from "aws-cdk-lib/aws-kinesis";
import { Construct } from "constructs";
import type { Handler } from "./function.ts";

/** Shards to provision (each takes 1 MiB/s or 1,000 batches/s), or `on-demand` to let the service split. */
export type Capacity = { readonly shards: number } | "on-demand";

export interface ClickStreamProps {
  readonly capacity: Capacity;
  /** How long a record can be read again; beyond a day each shard costs more. */
  readonly retention: Duration;
}

export class ClickStream extends Construct {
  readonly stream: Stream;
  /** How long a record can be read; the least that there is where CloudFormation fills it in. */
  readonly retention: Duration;

  constructor(scope: Construct, id: string, { capacity, retention }: ClickStreamProps) {
    super(scope, id);
    this.retention = retention.isUnresolved() ? Duration.hours(24) : retention;
    const sizing =
      capacity === "on-demand"
        ? { streamMode: StreamMode.ON_DEMAND }
        : { streamMode: StreamMode.PROVISIONED, shardCount: capacity.shards };
    this.stream = new Stream(this, "Stream", {
      ...sizing,
      encryption: StreamEncryption.MANAGED,
      retentionPeriod: retention,
      // It holds addresses for a day and nothing that is not also in the table: it goes with the stack.
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  /** Lists shards and reads their records; nothing else. */
  allowReading(handler: Handler): void {
    handler.allow(
      ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"],
      this.stream.streamArn,
    );
  }

  /** Batches refused because a shard was full; each was answered 503 and the browser tries again. */
  throttles(): Metric {
    return this.stream.metric("WriteProvisionedThroughputExceeded", {
      statistic: Stats.SUM,
      period: Duration.minutes(1),
    });
  }
}
