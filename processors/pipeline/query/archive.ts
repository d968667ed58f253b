/**
 * What the engine asks of an archive of single events where rollups cannot answer. An archive counts; metrics,
 * comparison, order, pages and CSV are the engine's for both. Knows neither SQL nor files.
 */
import type { EpochMs } from "../../model/time.ts";
import type { Site } from "../sites.ts";
import type { Tally } from "./metrics.ts";
import type { Bucket, Range } from "./range.ts";
import type { QueryRequest } from "./request.ts";

export interface ArchiveQuestion {
  readonly site: Site;
  /** `breakdown` names the dimensions of the rows, `filters` is the parsed tree; metrics say what need not be counted. */
  readonly request: QueryRequest;
  /** Half-open, whole minutes. */
  readonly range: Range;
  /** Cover the range in order without gaps; one alone where no time dimension is asked for. */
  readonly buckets: readonly Bucket[];
  /** No row before this counts, nor says what a visit was. 0: all are kept. */
  readonly keptFrom: EpochMs;
}

export interface ArchivedRow {
  /** Index of its bucket. */
  readonly at: number;
  /** Of `request.breakdown`, in that order; a row where one is not known does not exist. */
  readonly values: readonly string[];
  readonly tally: Tally;
  /** By event:page: of the visits that entered there; needed for bounce_rate and visit_duration only. */
  readonly entry?: Tally;
}

export interface ArchiveAnswer {
  /** In any order; without breakdown a bucket in which nothing was counted may be absent. */
  readonly rows: readonly ArchivedRow[];
  /** Distinct visitors with an event in the range, unfiltered: what shares are shares of. */
  readonly allVisitors: number;
  /** Events and reports in the range that came late. */
  readonly late: number;
  /** Everything received before this is in the archive that was asked. */
  readonly archivedUntil: EpochMs;
}

/** Throws `bad_request` naming the field for what it cannot answer either, `unavailable` on an outage. */
export interface QueryArchive {
  answer(question: ArchiveQuestion): Promise<ArchiveAnswer>;
}
