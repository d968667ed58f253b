/** What the viewer chose, kept in the URL's query so that links, reload and the back button carry it; knows no data. */
import { type Condition, parseConditions, printConditions } from "./filters.ts";
import { type Compare, INTERVALS, type Interval, isRange, type Range } from "./period.ts";

export interface State {
  /** "" means the first site of the server. */
  readonly site: string;
  readonly range: Range;
  readonly compare: Compare;
  readonly metric: string;
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

/** Reads a state from a URL query; anything unreadable falls back to its default, so that old links never break. */
function parseState(search: string): State {
  const query = new URLSearchParams(search);
  const range = query.get("range") ?? "";
  const compare = query.get("compare");
  return {
    site: query.get("site") ?? DEFAULTS.site,
    range: isRange(range) ? range : DEFAULTS.range,
    compare: compare === "off" || compare === "year" ? compare : DEFAULTS.compare,
    metric: query.get("metric") ?? DEFAULTS.metric,
    interval: INTERVALS.find((one) => one === query.get("interval")),
    filters: parseConditions(query),
  };
}

/** The query of a state, defaults left out; other parameters of the page (`lang`) are kept. */
function printState(state: State, search: string): string {
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

export interface StateStore {
  readonly current: State;
  set(change: Partial<State>): void;
}

/** The page's one state; `changed` runs after every change, also after back and forward. */
export function urlState(changed: (now: State, before: State) => void): StateStore {
  let current = parseState(location.search);
  const become = (next: State): void => {
    const before = current;
    current = next;
    changed(next, before);
  };
  addEventListener("popstate", () => become(parseState(location.search)));
  return {
    get current() {
      return current;
    },
    set(change) {
      const next = { ...current, ...change };
      history.pushState(null, "", location.pathname + printState(next, location.search));
      become(next);
    },
  };
}
