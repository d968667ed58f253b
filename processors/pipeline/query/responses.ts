/** What the engine answers, field by field, as it goes over the wire. Types only. */
import type { EpochMs } from "../../model/time.ts";
import type { FeedEntry } from "../feed.ts";
import type { Reconciled } from "../reconcile.ts";
import type { ResultRow } from "./answer.ts";
import type { Warning } from "./warnings.ts";

export interface QueryMeta {
  /** Windows that end at or before this are final: an event for them would be late. Epoch ms. */
  readonly complete_until: EpochMs;
  /** How long the oldest event that is not counted yet has been waiting; 0 when all are counted. */
  readonly lag_ms: number;
  /** Relative standard error of each metric in this answer; 0 is exact. */
  readonly error: Record<string, number>;
  readonly source: "rollup" | "archive";
  /** Events in the range that came after their window had closed; they are counted. */
  readonly late: number;
  /** Nothing before this is kept, and the question asked for it; a comparison that reaches there is left out. Epoch ms. */
  readonly kept_from?: EpochMs;
  /** Live numbers against a recount of the stream; absent where nothing is recounted. */
  readonly reconciled?: Reconciled;
  readonly time_labels?: string[];
  /** Those of `time_labels` whose buckets are not final yet. */
  readonly provisional?: string[];
  readonly total_rows?: number;
  /** Remarks on metrics that mean something special here; absent when there is none. */
  readonly metric_warnings?: Readonly<Record<string, Warning>>;
}

export interface QueryResponse {
  readonly results: ResultRow[];
  readonly meta: QueryMeta;
  /** The query as it was understood. */
  readonly query: Record<string, unknown>;
}

export interface LiveResponse {
  readonly site_id: string;
  readonly time_zone: string;
  readonly now: EpochMs;
  /** Visitors with an event in the last five minutes. */
  readonly current_visitors: number;
  /** Whether anything was ever counted for this site. */
  readonly has_events: boolean;
  readonly minutes: {
    start: EpochMs;
    visitors: number;
    pageviews: number;
    events: number;
    provisional: boolean;
  }[];
  readonly latest: readonly FeedEntry[];
  readonly complete_until: EpochMs;
  readonly lag_ms: number;
  /** Late events in these minutes. */
  readonly late: number;
  /** What was refused in these minutes, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  readonly reconciled?: Reconciled;
  readonly error: { visitors: number };
}

export interface AllRows {
  /** The query as it was understood. */
  readonly query: Record<string, unknown>;
  /** In order; to be read once. */
  readonly portions: AsyncIterable<readonly ResultRow[]>;
}

export interface SitesResponse {
  readonly sites: { site_id: string; time_zone: string }[];
}
