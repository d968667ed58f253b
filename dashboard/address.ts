/** What an address of the page asks for, read and written. No DOM. */
import { type Condition, conditionOf, parseConditions, printConditions } from "./filters.ts";
import { METRICS, type Metric } from "./metrics.ts";
import { type Compare, INTERVALS, type Interval, isRange, type Range } from "./period.ts";

export interface State {
  /** "" means the first site of the server. */
  readonly site: string;
  readonly range: Range;
  readonly compare: Compare;
  readonly metric: Metric;
  /** The chart's buckets; undefined leaves it to the page. */
  readonly interval: Interval | undefined;
  /** What all numbers are narrowed to. */
  readonly filters: readonly Condition[];
}

const DEFAULTS: State = {
  site: "",
  range: "day",
  compare: "previous",
  metric: "visitors",
  interval: undefined,
  filters: [],
};

const oneOf =
  (names: readonly string[]) =>
  (value: string): boolean =>
    names.includes(value);

/** Reads a state from a URL query; anything unreadable falls back to its default, so that old links never break. */
export function parseState(search: string): State {
  const query = new URLSearchParams(search);
  const read = <T>(name: string): T | undefined => {
    const value = query.get(name) ?? "";
    return READABLE[name]!(value) ? (value as T) : undefined;
  };
  return {
    site: query.get("site") ?? DEFAULTS.site,
    range: read("range") ?? DEFAULTS.range,
    compare: read("compare") ?? DEFAULTS.compare,
    metric: read("metric") ?? DEFAULTS.metric,
    interval: read("interval"),
    filters: parseConditions(query),
  };
}

const READABLE: Readonly<Record<string, (value: string) => unknown>> = {
  range: isRange,
  compare: oneOf(["previous", "year", "off"]),
  interval: oneOf(INTERVALS),
  metric: oneOf(METRICS),
  f: conditionOf,
};

/** What a URL query asks for and nobody here knows, as it stands there: a fallback in its place must not look like an answer to it. */
export const unreadable = (search: string): string[] =>
  [...new URLSearchParams(search)].flatMap(([name, value]) =>
    READABLE[name] && !READABLE[name](value) ? [`${name}=${value}`] : [],
  );

/** The query of a state, defaults left out; other parameters of the page (`lang`) are kept. */
export function printState(state: State, search: string): string {
  const query = new URLSearchParams(search);
  const put = (name: string, value: string, normal: string): void => {
    if (value === normal) query.delete(name);
    else query.set(name, value);
  };
  put("site", state.site, DEFAULTS.site);
  put("range", state.range, DEFAULTS.range);
  put("compare", state.compare, DEFAULTS.compare);
  put("interval", state.interval ?? "", "");
  put("metric", state.metric, DEFAULTS.metric);
  printConditions(state.filters, query);
  const text = query.toString();
  return text ? `?${text}` : "";
}
