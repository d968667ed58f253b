/** Which questions rollups can answer: each dimension by itself, and of each dimension only the metrics it has. */
import { ClickstreamError } from "../../errors.ts";
import { EXIT_PAGE } from "../../model/dimensions.ts";
import { tableOf } from "./filter.ts";
import type { Metric, QueryRequest } from "./request.ts";

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

const bad = (message: string): never => {
  throw new ClickstreamError("bad_request", message);
};

/** `filtered` is the one dimension that the filters test. Throws `bad_request` with a message that names the field. */
export function checkAnswerable(request: QueryRequest, filtered: string | undefined): void {
  const { dimension } = request;
  if (filtered && dimension && tableOf(filtered) !== tableOf(dimension)) {
    bad(
      `filters: ${filtered} while breaking down by ${dimension} cannot be answered from rollups; filter by the same dimension`,
    );
  }
  for (const [i, metric] of request.metrics.entries()) {
    const problem = problemOf(metric, request, filtered);
    if (problem) bad(`metrics[${i}]: ${problem}`);
  }
}

function problemOf(metric: Metric, request: QueryRequest, filtered: string | undefined): string | undefined {
  const { dimension, time } = request;
  const shown = dimension ?? filtered;
  if (metric === "percentage" && !shown && !time) return "percentage needs a dimension";
  if (metric === "conversion_rate" && !shown?.startsWith("event:"))
    return "conversion_rate needs event:goal, event:page or event:props:*";
  if (!shown) return undefined;
  const isEntry = shown === "event:page" && ENTRY_METRICS.has(metric);
  if (shown.startsWith("event:") && VISIT_METRICS.has(metric) && !isEntry)
    return `${metric} belongs to visits and cannot be broken down by ${shown}`;
  if (shown === EXIT_PAGE && EXIT_UNKNOWN.has(metric)) return `${metric} is not known by ${EXIT_PAGE}`;
  const merges = filtered?.startsWith("event:") && !dimension && !isOneValue(request);
  if (metric === "visits" && merges)
    return `visits over several values of ${filtered} would count a visit once for each; filter for one value`;
  return undefined;
}

const isOneValue = ({ filters }: QueryRequest): boolean =>
  filters.length === 1 &&
  filters[0]?.kind === "test" &&
  filters[0].operator === "is" &&
  filters[0].caseSensitive &&
  filters[0].values.length === 1;
