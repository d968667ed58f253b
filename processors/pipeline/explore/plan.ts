/** What a question put to single events needs: which rows must be read, and what of them. Writes no statement. */
import type { Extent } from "../../explorers/explorer.ts";
import { EXIT_HOSTNAME, EXIT_PAGE } from "../../model/dimensions.ts";
import { VITALS, type Vital } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { bad } from "../fields.ts";
import { ENTRY_METRICS, tableDimension } from "../query/answerable.ts";
import type { ArchiveQuestion } from "../query/archive.ts";
import { asksBehaviour } from "../query/filter.ts";
import { type Range, since } from "../query/range.ts";
import type { Filter, Metric, QueryRequest } from "../query/request.ts";
import { isOfVisit, isOfWholeVisit } from "./conditions.ts";
import { around } from "./rows.ts";

/** What a question needs, told from its metrics and dimensions once. */
export interface Plan {
  readonly request: QueryRequest;
  readonly range: Range;
  readonly keptFrom: EpochMs;
  readonly needsVisits: boolean;
  /** Filters and breakdown speak of events, so a visit counts where such an event first occurred in it. */
  readonly isOfEvents: boolean;
  /** Some of them by what only events bear, and reports do not: a name, a property. */
  readonly isNamed: boolean;
  /** What a row counts under is told by all rows of its visit. */
  readonly isOfWhole: boolean;
  /** Rows are counted where their visit began, as rollups do by exit page. */
  readonly isByExit: boolean;
  readonly needsScroll: boolean;
  readonly needsEntry: boolean;
  readonly needsMoney: boolean;
  readonly vitals: readonly Vital[];
  readonly isKeyed: boolean;
  readonly used: readonly string[];
}

const VISIT_METRICS: ReadonlySet<Metric> = new Set([
  "visits",
  "views_per_visit",
  "bounce_rate",
  "visit_duration",
  "engaged_time",
]);

/** Throws `bad_request` naming the metric that has no meaning here. */
export function planOf({
  request,
  range,
  keptFrom,
}: Pick<ArchiveQuestion, "request" | "range" | "keptFrom">): Plan {
  const { breakdown, filters, metrics } = request;
  const used = [...new Set([...breakdown, ...filters.flatMap(testedDimensions)])];
  const events = used.filter((dimension) => !isOfVisit(dimension));
  const isNamed = events.some((dimension) => dimension !== "event:page" && dimension !== "event:hostname");
  const views = metrics.indexOf("views_per_visit");
  if (isNamed && views >= 0)
    bad(
      `metrics[${views}]: views_per_visit is not known of single events; filter by has_done, event:page or a visit: dimension`,
    );
  const isByExit = used.includes(EXIT_PAGE) || used.includes(EXIT_HOSTNAME);
  const isOfWhole = used.some(isOfWholeVisit);
  const asks = (...names: readonly Metric[]): boolean => names.some((one) => metrics.includes(one));
  return {
    request,
    range,
    keptFrom,
    used,
    isOfWhole,
    isByExit,
    isNamed,
    isOfEvents: events.length > 0,
    needsVisits: isOfWhole || metrics.some((metric) => VISIT_METRICS.has(metric)),
    needsScroll: asks("time_on_page", "scroll_depth"),
    needsEntry:
      tableDimension(request) === "event:page" && metrics.some((metric) => ENTRY_METRICS.has(metric)),
    needsMoney: asks("total_revenue", "average_revenue"),
    vitals: VITALS.filter((vital) => asks(`${vital}_p75`, `${vital}_p95`)),
    isKeyed: asksBehaviour(filters),
  };
}

/** What else happened in a visit is asked of the visit: it does not make a question one about events. */
function testedDimensions(filter: Filter): string[] {
  if (filter.kind === "test") return [filter.dimension];
  if (filter.kind === "has_done") return [];
  return filter.kind === "not" ? testedDimensions(filter.filter) : filter.filters.flatMap(testedDimensions);
}

/** Which rows must be read. */
export const extentOf = (
  site: string,
  { range, keptFrom, needsVisits, needsScroll, needsEntry, isKeyed }: Plan,
): Extent => ({
  site,
  ...since(needsVisits || needsScroll || needsEntry || isKeyed ? around(range) : range, keptFrom),
});
