/** The parts that every deployment has, for whoever looks at them: alarms, graphs and the estimate of what they cost. */
import type { Aggregation } from "./aggregation.ts";
import type { Compaction } from "./compaction.ts";
import type { Ingestion } from "./ingestion.ts";
import type { Serving } from "./serving.ts";
import type { ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface Parts {
  readonly data: AnalyticsTable;
  readonly clicks: ClickStream;
  readonly ingestion: Ingestion;
  readonly aggregation: Aggregation;
  readonly compaction: Compaction;
  readonly serving: Serving;
}
