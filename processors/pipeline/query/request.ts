/** A query as the Stats API takes it, checked field by field. Every refusal names the field. */
import { ClickstreamError } from "../../errors.ts";
import { EXIT_PAGE, GOAL, PROPS_PREFIX, VISIT_DIMENSIONS } from "../../model/dimensions.ts";
import { LIMITS, VITALS } from "../../model/event.ts";

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
] as const;
type PlainMetric = (typeof PLAIN_METRICS)[number];
export type VitalMetric = `${(typeof VITALS)[number]}_p${75 | 95}`;
export type Metric = PlainMetric | VitalMetric;

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

const TABLE_DIMENSIONS: ReadonlySet<string> = new Set([
  ...VISIT_DIMENSIONS,
  EXIT_PAGE,
  "event:page",
  "event:hostname",
  "event:name",
  GOAL,
]);

export const OPERATORS = ["is", "is_not", "contains", "contains_not", "matches", "matches_not"] as const;
export type Operator = (typeof OPERATORS)[number];

export type Filter =
  | {
      readonly kind: "test";
      readonly operator: Operator;
      readonly dimension: string;
      readonly values: readonly string[];
      readonly caseSensitive: boolean;
    }
  | { readonly kind: "and" | "or"; readonly filters: readonly Filter[] }
  | { readonly kind: "not"; readonly filter: Filter };

export interface QueryRequest {
  readonly siteId: string;
  readonly metrics: readonly Metric[];
  /** As sent; range.ts reads it, because that needs the site's time zone. */
  readonly dateRange: string | readonly [string, string];
  readonly time: TimeDimension | undefined;
  /** The dimension broken down, besides time. */
  readonly dimension: string | undefined;
  /** As sent, in order. */
  readonly dimensions: readonly string[];
  readonly filters: readonly Filter[];
  readonly orderBy: readonly (readonly [key: string, direction: "asc" | "desc"])[];
  readonly limit: number;
  readonly offset: number;
  readonly include: { readonly timeLabels: boolean; readonly totalRows: boolean };
}

const MAX_LIMIT = 10_000;
const MAX_FILTER_VALUES = 1_000;
const MAX_FILTER_DEPTH = 8;

const bad = (message: string): never => {
  throw new ClickstreamError("bad_request", message);
};

/** Throws `bad_request` with a message that names the field. */
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
  const dimensions = list(raw.dimensions ?? [], "dimensions", 2).map(parseDimension);
  const times = dimensions.filter(isTime);
  const tables = dimensions.filter((name) => !isTime(name));
  if (times.length > 1) bad("dimensions: only one time dimension at once");
  if (tables.length > 1)
    bad(`dimensions: ${tables.join(" with ")} cannot be combined from rollups; ask for one besides time`);
  const filters = list(raw.filters ?? [], "filters", 20).map((filter, i) =>
    parseFilter(filter, `filters[${i}]`, 0),
  );
  const include = parseInclude(raw.include);
  const { limit, offset } = parsePagination(raw.pagination);
  return {
    siteId,
    metrics,
    dateRange: parseDateRange(raw.date_range),
    time: times[0] as TimeDimension | undefined,
    dimension: tables[0],
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

/** Repeats what the client sent, cut, so that it finds its own words in the message. */
const quote = (value: unknown): string => JSON.stringify(value ?? null).slice(0, 80);

function list(value: unknown, field: string, max: number): unknown[] {
  if (!Array.isArray(value)) return bad(`${field}: required, an array`);
  if (value.length > max) bad(`${field}: at most ${max} entries`);
  return value;
}

function parseDimension(name: unknown, index: number): string {
  if (typeof name === "string" && (isTime(name) || TABLE_DIMENSIONS.has(name) || isProps(name))) return name;
  return bad(`dimensions[${index}]: unknown dimension ${quote(name)}`);
}

const isProps = (name: string): boolean => name.startsWith(PROPS_PREFIX) && name.length > PROPS_PREFIX.length;

function parseDateRange(value: unknown): string | readonly [string, string] {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.length === 2) {
    const [first, last] = value as unknown[];
    if (typeof first === "string" && typeof last === "string") return [first, last];
  }
  return bad('date_range: required, a name such as "7d" or two ISO dates or times');
}

function parseFilter(value: unknown, field: string, depth: number): Filter {
  if (!Array.isArray(value)) return bad(`${field}: an array such as ["is", "visit:source", ["Google"]]`);
  if (depth > MAX_FILTER_DEPTH) bad(`${field}: nested deeper than ${MAX_FILTER_DEPTH}`);
  const [operator, first, values, options] = value as [unknown, unknown, unknown, unknown];
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
      `${field}[0]: unknown operator ${quote(operator)}; known are and, or, not, ${OPERATORS.join(", ")}`,
    );
  if (typeof first !== "string" || !(TABLE_DIMENSIONS.has(first) || isProps(first)))
    return bad(`${field}[1]: cannot filter by ${quote(first)}`);
  const texts = list(values, `${field}[2]`, MAX_FILTER_VALUES).map((text, i) =>
    typeof text === "string" ? text : bad(`${field}[2][${i}]: not a string`),
  );
  if (texts.length === 0) bad(`${field}[2]: at least one value`);
  const caseSensitive = (options as { case_sensitive?: unknown } | undefined)?.case_sensitive !== false;
  if (operator === "matches" || operator === "matches_not")
    for (const [i, text] of texts.entries()) checkPattern(text, `${field}[2][${i}]`);
  return { kind: "test", operator: operator as Operator, dimension: first, values: texts, caseSensitive };
}

/**
 * JavaScript's engine backtracks, so what could take exponential time is refused: a group that repeats, a repetition
 * of a repetition, back-references, look-around. At most three repetitions keep the rest polynomial.
 */
function checkPattern(text: string, field: string): void {
  if (text.length > 200) bad(`${field}: a pattern of at most 200 characters`);
  const skeleton = text
    .replace(/\\[1-9k]/g, "(?")
    .replace(/\\[pP]\{[^}]*\}|\\./gu, "x")
    .replace(/\[[^\]]*\]/g, "x");
  const repetitions = skeleton.match(/[*+{]/g) ?? [];
  if (repetitions.length > 3 || /\)[*+{]|[*+}][*+{]|\(\?(?!:)/.test(skeleton))
    bad(
      `${field}: a pattern with at most three repetitions, none of a group, no back-references or look-around`,
    );
  try {
    new RegExp(text, "u");
  } catch {
    bad(`${field}: not a regular expression`);
  }
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

function parseInclude(value: unknown): QueryRequest["include"] {
  const raw = (value ?? {}) as Record<string, unknown>;
  if (typeof raw !== "object" || Array.isArray(raw)) return bad("include: an object");
  for (const [key, wanted] of Object.entries(raw)) {
    if (key === "imports" && wanted !== true) continue;
    if (key !== "time_labels" && key !== "total_rows")
      bad(`include.${key.slice(0, 40)}: not supported; known are time_labels, total_rows`);
    if (typeof wanted !== "boolean") bad(`include.${key}: true or false`);
  }
  return { timeLabels: raw.time_labels === true, totalRows: raw.total_rows === true };
}

function parsePagination(value: unknown): { limit: number; offset: number } {
  const raw = (value ?? {}) as Record<string, unknown>;
  if (typeof raw !== "object" || Array.isArray(raw)) return bad("pagination: an object");
  const { limit = MAX_LIMIT, offset = 0 } = raw;
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > MAX_LIMIT)
    bad(`pagination.limit: 1 to ${MAX_LIMIT}`);
  if (!Number.isInteger(offset) || (offset as number) < 0) bad("pagination.offset: 0 or more");
  return { limit: limit as number, offset: offset as number };
}
