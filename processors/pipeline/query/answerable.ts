/** Which questions have an answer, and which of them rollups hold: each dimension by itself, with the metrics it has. */
import { ARCHIVE_DIMENSIONS, EXIT_PAGE } from "../../model/dimensions.ts";
import { bad } from "../fields.ts";
import { asksBehaviour, filteredDimensions, isGoal, tableOf } from "./filter.ts";
import { isVital, type Metric, type QueryRequest } from "./request.ts";

/** Metrics of a visit as a whole; a custom event or property has none. */
const VISIT_METRICS: ReadonlySet<Metric> = new Set([
  "bounce_rate",
  "visit_duration",
  "views_per_visit",
  "engaged_time",
]);
/** Those of them that a page has through the visits that entered there. */
export const ENTRY_METRICS: ReadonlySet<Metric> = new Set(["bounce_rate", "visit_duration"]);
const EXIT_UNKNOWN: ReadonlySet<Metric> = new Set([
  "scroll_depth",
  "time_on_page",
  "total_revenue",
  "average_revenue",
]);
/** Dimensions whose rows have web vitals in rollups. */
export const WITH_VITALS: ReadonlySet<string> = new Set(["event:page", "visit:device", "visit:country"]);

const OF_SINGLE_EVENTS: ReadonlySet<string> = new Set(ARCHIVE_DIMENSIONS);

const isOfEvents = (dimension: string): boolean => dimension.startsWith("event:");

/** The dimension whose table answers: the one broken down, or else the one filtered by. Of a question that rollups hold. */
export const tableDimension = ({ breakdown, filters }: QueryRequest): string | undefined =>
  breakdown[0] ?? filteredDimensions(filters)[0];

/** Throws `bad_request` with a message that names the field, for what nothing could answer. */
export function checkMeaning(request: QueryRequest): void {
  const { breakdown, time, metrics } = request;
  const filtered = filteredDimensions(request.filters);
  const shown = [...breakdown, ...filtered];
  for (const [i, metric] of metrics.entries()) {
    if (metric === "percentage" && shown.length === 0 && !time)
      bad(`metrics[${i}]: percentage needs a dimension or a filter`);
    if (metric === "conversion_rate" && !shown.some(isOfEvents))
      bad(`metrics[${i}]: conversion_rate needs a dimension or a filter of event:, such as event:goal`);
    const hasGroups = time !== undefined || breakdown.some((name) => !isGoal(name));
    if (metric === "group_conversion_rate" && !(shown.some(isGoal) && hasGroups))
      bad(`metrics[${i}]: group_conversion_rate needs event:goal, and a dimension beside it`);
    const event = breakdown.find(isOfEvents);
    const isEntry = breakdown.length === 1 && event === "event:page" && ENTRY_METRICS.has(metric);
    if (event && VISIT_METRICS.has(metric) && !isEntry)
      bad(`metrics[${i}]: ${metric} belongs to visits and cannot be broken down by ${event}`);
  }
}

/** Why rollups cannot answer a question that has a meaning, beginning with the field; undefined where they can. */
export function beyondRollups(request: QueryRequest): string | undefined {
  const { breakdown, filters, metrics } = request;
  if (breakdown.length > 1)
    return `dimensions: ${breakdown.join(" with ")} cannot be combined from rollups; ask for one besides time`;
  if (asksBehaviour(filters))
    return "filters: has_done and has_not_done ask what else happened in a visit, which rollups do not hold";
  const filtered = filteredDimensions(filters);
  for (const [field, names] of [
    ["dimensions", breakdown],
    ["filters", filtered],
  ] as const) {
    const single = names.find((name) => OF_SINGLE_EVENTS.has(name));
    if (single) return `${field}: ${single} is known of single events; rollups have no table of it`;
  }
  if (filtered.length > 1)
    return `filters: ${filtered.join(" with ")} cannot be answered from rollups; filter by one dimension`;
  const [dimension] = breakdown;
  const [test] = filtered;
  if (dimension && test && tableOf(test) !== tableOf(dimension))
    return `filters: ${test} while breaking down by ${dimension} cannot be answered from rollups; filter by the same dimension`;
  for (const [i, metric] of metrics.entries()) {
    const problem = unheld(metric, request);
    if (problem) return `metrics[${i}]: ${problem}`;
  }
  return undefined;
}

function unheld(metric: Metric, request: QueryRequest): string | undefined {
  const shown = tableDimension(request);
  if (!shown) return undefined;
  if (metric === "group_conversion_rate")
    return `${metric} divides by all visitors of a group, of whom rollups do not hold which goals they reached`;
  const isEntry = shown === "event:page" && ENTRY_METRICS.has(metric);
  if (isOfEvents(shown) && VISIT_METRICS.has(metric) && !isEntry)
    return `${metric} belongs to visits; rollups do not hold the visits in which ${shown} had a value`;
  if (shown === EXIT_PAGE && EXIT_UNKNOWN.has(metric)) return `${metric} is not known by ${EXIT_PAGE}`;
  const merges = request.breakdown.length === 0 && isOfEvents(shown) && !isOneValue(request);
  if (metric === "visits" && merges)
    return `visits over several values of ${shown} would count a visit once for each; filter for one value`;
  return undefined;
}

/** Whether rollups answer with less than an archive has: null for web vitals that they do not keep by this dimension. */
export function isBetterArchived(request: QueryRequest): boolean {
  const shown = tableDimension(request);
  return shown !== undefined && !WITH_VITALS.has(shown) && request.metrics.some(isVital);
}

const isOneValue = ({ filters }: QueryRequest): boolean =>
  filters.length === 1 &&
  filters[0]?.kind === "test" &&
  filters[0].operator === "is" &&
  filters[0].caseSensitive &&
  filters[0].values.length === 1;
