/**
 * The minute's work: a schedule that notes how far the counts trail the stream, and folds commits into rollups when that
 * is due. A missed or doubled run does no harm.
 */
import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { Handler } from "./function.ts";
import { callEvery } from "./schedule.ts";
import type { ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface CompactionProps {
  readonly clicks: ClickStream;
  readonly data: AnalyticsTable;
  /** As `formatSites` writes them. */
  readonly sites: string;
  readonly concurrency?: number | undefined;
}

export class Compaction extends Construct {
  readonly handler: Handler;

  constructor(scope: Construct, id: string, { clicks, data, sites, concurrency }: CompactionProps) {
    super(scope, id);
    this.handler = new Handler(this, "Compact", {
      handler: "compact",
      description: "Rivulet: folds new commits into rollups, and notes how far the counts trail the stream",
      timeout: Duration.minutes(2),
      memory: 512,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.stream]: clicks.stream.streamName,
        [ENV.sites]: sites,
      },
      concurrency,
    });
    data.allowReadingAndWriting(this.handler);
    clicks.allowReading(this.handler);
    callEvery(this, "EveryMinute", this.handler, {
      every: Duration.minutes(1),
      description: "Rivulet: compaction",
      input: { ifDue: true },
    });
  }
}
