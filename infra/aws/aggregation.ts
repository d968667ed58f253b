/** The consumer: Lambda hands each shard's batches to the function that commits them. */
import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import type { Countries } from "./countries.ts";
import { Handler } from "./function.ts";
import { ShardReader } from "./reader.ts";
import type { ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface AggregationProps {
  readonly clicks: ClickStream;
  readonly data: AnalyticsTable;
  /** As `formatSites` writes them. */
  readonly sites: string;
  /** Environment that counting and answering share. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it reads by enhanced fan-out. */
  readonly fanOut: boolean;
  /** Where clicks come without their country. */
  readonly countries: Countries | undefined;
  readonly tracesInvocations: boolean;
  readonly concurrency?: number | undefined;
}

/** Freshness against the number of commits: clicks are gathered this long. */
export const BATCHING_WINDOW = Duration.seconds(1);

export class Aggregation extends Construct {
  readonly handler: Handler;
  readonly reader: ShardReader;

  constructor(scope: Construct, id: string, props: AggregationProps) {
    super(scope, id);
    const { clicks, data, sites, environment, fanOut, concurrency } = props;
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
      countries: props.countries,
      beginsTraces: props.tracesInvocations,
      concurrency,
    });
    data.allowReadingAndWriting(this.handler);
    this.reader = new ShardReader(this, {
      clicks,
      handler: this.handler,
      batchingWindow: BATCHING_WINDOW,
      fanOut: fanOut ? "counting" : undefined,
    });
  }
}
