/** A query as the Stats API takes it, checked field by field. Every refusal names the field. */
import {
  ARCHIVE_DIMENSIONS,
  CITY_NAME,
  COUNTRY_NAME,
  EXIT_PAGE,
  GOAL,
  PROPS_PREFIX,
  VISIT_DIMENSIONS,
} from "../../model/dimensions.ts";
import { LIMITS, VITALS } from "../../model/event.ts";
import { bad, fields, list, quote, twoTexts } from "../fields.ts";
import { type Include, parseInclude } from "./include.ts";

export const PLAIN_METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "views_per_visit",
  "bounce_rate",
  "visit_duration",
  "events",
  "scroll_depth",
  "time_on_page",
  "engaged_time",
  "total_revenue",
  "average_revenue",
  "percentage",
  "conversion_rate",
  "group_conversion_rate",
] as const;
type PlainMetric = (typeof PLAIN_METRICS)[number];
export type VitalMetric = `${(typeof VITALS)[number]}_p${75 | 95}`;
export type Metric = PlainMetric | VitalMetric;

export const isVital = (metric: Metric): metric is VitalMetric => /_p(75|95)$/.test(metric);

const VITAL_METRICS = VITALS.flatMap((name) => [`${name}_p75`, `${name}_p95`] as VitalMetric[]);
const METRICS: ReadonlySet<string> = new Set([...PLAIN_METRICS, ...VITAL_METRICS]);

export const TIME_DIMENSIONS = [
  "time",
  "time:minute",
  "time:hour",
  "time:day",
  "time:week",
  "time:month",
] as const;
export type TimeDimension = (typeof TIME_DIMENSIONS)[number];

/** All dimensions but those of time and of properties. */
export const DIMENSIONS: ReadonlySet<string> = new Set([
  ...VISIT_DIMENSIONS,
  ...ARCHIVE_DIMENSIONS,
  CITY_NAME,
  COUNTRY_NAME,
  EXIT_PAGE,
  "event:page",
  "event:hostname",
  "event:name",
  GOAL,
]);

const OPERATORS = ["is", "is_not", "contains", "contains_not", "matches", "matches_not"] as const;
export type Operator = (typeof OPERATORS)[number];

/** About other events of the visit. */
const BEHAVIOURS = ["has_done", "has_not_done"] as const;

export type Filter =
  | {
      readonly kind: "test";
      readonly operator: Operator;
      readonly dimension: string;
      readonly values: readonly string[];
      readonly caseSensitive: boolean;
    }
  | { readonly kind: "and" | "or"; readonly filters: readonly Filter[] }
  | { readonly kind: "not"; readonly filter: Filter }
  /** Of a visit: some event of it passes. */
  | { readonly kind: "has_done"; readonly filter: Filter };

export interface QueryRequest {
  readonly siteId: string;
  readonly metrics: readonly Metric[];
  /** As sent; range.ts reads it, because that needs the site's time zone. */
  readonly dateRange: string | readonly [string, string];
  readonly time: TimeDimension | undefined;
  /** The dimensions broken down, besides time, in order. */
  readonly breakdown: readonly string[];
  /** As sent, in order. */
  readonly dimensions: readonly string[];
  readonly filters: readonly Filter[];
  readonly orderBy: readonly (readonly [key: string, direction: "asc" | "desc"])[];
  readonly limit: number;
  readonly offset: number;
  readonly include: Include;
}

const MAX_LIMIT = 10_000;
const MAX_DIMENSIONS = 4;
/** Each is held against every value of every table that is read. */
const MAX_FILTER_VALUES = 1_000;
const MAX_FILTER_DEPTH = 8;
const MAX_PATTERN_CHARS = 200;

/** Throws `bad_request` with a message that names the field. What patterns say is for `checkPatterns` to check. */
export function parseRequest(body: unknown): QueryRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return bad("body: send a JSON object");
  const raw = body as Record<string, unknown>;
  for (const key of Object.keys(raw)) {
    if (!KNOWN_FIELDS.has(key))
      bad(`${quote(key)}: no such field; known are ${[...KNOWN_FIELDS].join(", ")}`);
  }
  const siteId = raw.site_id;
  if (typeof siteId !== "string" || siteId === "" || siteId.length > LIMITS.siteChars)
    return bad("site_id: required, a site id");
  const metrics = list(raw.metrics, "metrics", 32).map((name, i) =>
    typeof name === "string" && METRICS.has(name)
      ? (name as Metric)
      : bad(`metrics[${i}]: unknown metric ${quote(name)}; known are ${[...METRICS].join(", ")}`),
  );
  if (metrics.length === 0) bad("metrics: name at least one");
  noneTwice(metrics, "metrics");
  const dimensions = list(raw.dimensions ?? [], "dimensions", MAX_DIMENSIONS).map(parseDimension);
  const times = dimensions.filter(isTime);
  const tables = dimensions.filter((name) => !isTime(name));
  noneTwice(dimensions, "dimensions");
  if (times.length > 1) bad("dimensions: only one time dimension at once");
  const filters = list(raw.filters ?? [], "filters", 20).map((filter, i) =>
    parseFilter(filter, `filters[${i}]`, 0),
  );
  const values = filters.reduce((sum, filter) => sum + valuesIn(filter), 0);
  if (values > MAX_FILTER_VALUES) bad(`filters: at most ${MAX_FILTER_VALUES} values in all of them`);
  const include = parseInclude(raw.include);
  if (include.timeLabels && times.length === 0)
    bad("include.time_labels: needs a time dimension, whose labels it lists");
  const { limit, offset } = parsePagination(raw.pagination);
  return {
    siteId,
    metrics,
    dateRange: parseDateRange(raw.date_range),
    time: times[0] as TimeDimension | undefined,
    breakdown: tables,
    dimensions,
    filters,
    orderBy: parseOrder(raw.order_by, metrics, dimensions),
    limit,
    offset,
    include,
  };
}

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  "site_id",
  "metrics",
  "date_range",
  "dimensions",
  "filters",
  "order_by",
  "include",
  "pagination",
]);

const isTime = (name: string): boolean => (TIME_DIMENSIONS as readonly string[]).includes(name);

function noneTwice(names: readonly string[], field: string): void {
  const again = names.findIndex((name, i) => names.indexOf(name) !== i);
  if (again >= 0) bad(`${field}[${again}]: ${quote(names[again])} is named twice`);
}

function parseDimension(name: unknown, index: number): string {
  if (typeof name === "string" && (isTime(name) || DIMENSIONS.has(name) || isProps(name))) return name;
  return bad(`dimensions[${index}]: ${unknownDimension(name)}`);
}

const unknownDimension = (name: unknown): string =>
  `unknown dimension ${quote(name)}; known are ${[...TIME_DIMENSIONS, ...DIMENSIONS].join(", ")}, ${PROPS_PREFIX}KEY`;

const isProps = (name: string): boolean => name.startsWith(PROPS_PREFIX) && name.length > PROPS_PREFIX.length;

function parseDateRange(value: unknown): string | readonly [string, string] {
  if (typeof value === "string") return value;
  return twoTexts(value) ?? bad('date_range: required, a name such as "7d" or two ISO dates or times');
}

function parseFilter(value: unknown, field: string, depth: number): Filter {
  if (!Array.isArray(value)) return bad(`${field}: an array such as ["is", "visit:source", ["Google"]]`);
  if (depth > MAX_FILTER_DEPTH) bad(`${field}: nested deeper than ${MAX_FILTER_DEPTH}`);
  const [operator, first, values, options] = value as [unknown, unknown, unknown, unknown];
  if ((BEHAVIOURS as readonly unknown[]).includes(operator)) return parseBehaviour(value, field, depth);
  const takes = operator === "and" || operator === "or" || operator === "not" ? 2 : 4;
  if (value.length > takes) bad(`${field}: at most ${takes} elements`);
  if (operator === "and" || operator === "or") {
    const filters = list(first, `${field}[1]`, 50).map((inner, i) =>
      parseFilter(inner, `${field}[1][${i}]`, depth + 1),
    );
    if (filters.length === 0) bad(`${field}[1]: at least one filter`);
    return { kind: operator, filters };
  }
  if (operator === "not") return { kind: "not", filter: parseFilter(first, `${field}[1]`, depth + 1) };
  if (!(OPERATORS as readonly unknown[]).includes(operator))
    return bad(
      `${field}[0]: unknown operator ${quote(operator)}; known are and, or, not, ${[...OPERATORS, ...BEHAVIOURS].join(", ")}`,
    );
  if (typeof first !== "string" || !(DIMENSIONS.has(first) || isProps(first)))
    return bad(`${field}[1]: ${unfilterable(first)}`);
  const texts = list(values, `${field}[2]`, MAX_FILTER_VALUES).map((text, i) =>
    typeof text === "string" ? text : bad(`${field}[2][${i}]: not a string`),
  );
  if (texts.length === 0) bad(`${field}[2]: at least one value`);
  const caseSensitive = parseModifiers(options, `${field}[3]`);
  if (operator === "matches" || operator === "matches_not")
    for (const [i, text] of texts.entries())
      if (text.length > MAX_PATTERN_CHARS)
        bad(`${field}[2][${i}]: a pattern of at most ${MAX_PATTERN_CHARS} characters`);
  return { kind: "test", operator: operator as Operator, dimension: first, values: texts, caseSensitive };
}

function parseBehaviour([operator, inner, ...more]: unknown[], field: string, depth: number): Filter {
  if (more.length > 0) bad(`${field}: at most 2 elements`);
  const filter = parseFilter(inner, `${field}[1]`, depth + 1);
  if (!isAboutEvents(filter))
    bad(`${field}[1]: ${String(operator)} takes filters on event: dimensions, and no other behaviour`);
  const done: Filter = { kind: "has_done", filter };
  return operator === "has_done" ? done : { kind: "not", filter: done };
}

function valuesIn(filter: Filter): number {
  if (filter.kind === "test") return filter.values.length;
  const inner = "filter" in filter ? [filter.filter] : filter.filters;
  return inner.reduce((sum, one) => sum + valuesIn(one), 0);
}

function isAboutEvents(filter: Filter): boolean {
  if (filter.kind === "test") return filter.dimension.startsWith("event:");
  if (filter.kind === "has_done") return false;
  return filter.kind === "not" ? isAboutEvents(filter.filter) : filter.filters.every(isAboutEvents);
}

function unfilterable(name: unknown): string {
  if (typeof name === "string" && isTime(name)) return `cannot filter by ${name}; set date_range instead`;
  if (name === "segment") return "segments are not kept here; send the filters of the segment";
  return `cannot filter by ${quote(name)}: ${unknownDimension(name)}`;
}

/** Whether letters must have the same case. */
function parseModifiers(value: unknown, field: string): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value !== "object" || Array.isArray(value)) return bad(`${field}: an object`);
  for (const key of Object.keys(value))
    if (key !== "case_sensitive") bad(`${field}.${key.slice(0, 40)}: unknown; known is case_sensitive`);
  const { case_sensitive: wanted = true } = value as { case_sensitive?: unknown };
  return typeof wanted === "boolean" ? wanted : bad(`${field}.case_sensitive: true or false`);
}

function parseOrder(
  value: unknown,
  metrics: readonly string[],
  dimensions: readonly string[],
): [string, "asc" | "desc"][] {
  if (value === undefined || value === null) return [];
  return list(value, "order_by", 10).map((entry, i) => {
    const [key, direction] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof key !== "string" || !(metrics.includes(key) || dimensions.includes(key)))
      return bad(`order_by[${i}][0]: name one of the metrics or dimensions of this query`);
    if (direction !== "asc" && direction !== "desc") return bad(`order_by[${i}][1]: "asc" or "desc"`);
    return [key, direction];
  });
}

function parsePagination(value: unknown): { limit: number; offset: number } {
  const raw = fields(value, "pagination");
  for (const key of Object.keys(raw))
    if (key !== "limit" && key !== "offset")
      bad(`pagination.${key.slice(0, 40)}: unknown; known are limit, offset`);
  const { limit = MAX_LIMIT, offset = 0 } = raw;
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > MAX_LIMIT)
    bad(`pagination.limit: 1 to ${MAX_LIMIT}`);
  if (!Number.isInteger(offset) || (offset as number) < 0) bad("pagination.offset: 0 or more");
  return { limit: limit as number, offset: offset as number };
}
