/** Filters as predicates over the values of one dimension, which is all that a rollup's table can answer. */
import { invariant } from "../../errors.ts";
import { GOAL } from "../../model/dimensions.ts";
import { PAGEVIEW } from "../../model/event.ts";
import { matcher } from "./patterns.ts";
import type { Filter } from "./request.ts";

/** The dimensions that filters test, each once. */
export const filteredDimensions = (filters: readonly Filter[]): string[] => [
  ...new Set(filters.flatMap(dimensionsOf)),
];

function dimensionsOf(filter: Filter): string[] {
  if (filter.kind === "test") return [filter.dimension];
  return "filter" in filter ? dimensionsOf(filter.filter) : filter.filters.flatMap(dimensionsOf);
}

/** Whether any asks what else happened in a visit. */
export const asksBehaviour = (filters: readonly Filter[]): boolean =>
  filters.some(
    (filter) =>
      filter.kind === "has_done" ||
      (filter.kind !== "test" && asksBehaviour("filter" in filter ? [filter.filter] : filter.filters)),
  );

/** Those that say which visits are meant; the others choose among what happened in them. */
export const filtersOfVisits = (filters: readonly Filter[]): Filter[] =>
  filters.flatMap(conjuncts).filter(isOfVisits);

const conjuncts = (filter: Filter): Filter[] =>
  filter.kind === "and" ? filter.filters.flatMap(conjuncts) : [filter];

function isOfVisits(filter: Filter): boolean {
  if (filter.kind === "has_done") return true;
  if (filter.kind === "test") return filter.dimension.startsWith("visit:");
  return "filter" in filter ? isOfVisits(filter.filter) : filter.filters.every(isOfVisits);
}

/** The table that holds a dimension: goals are event names other than page views. */
export const tableOf = (dimension: string): string => (dimension === GOAL ? "event:name" : dimension);

export const isGoal = (dimension: string): boolean => tableOf(dimension) === "event:name";

export const holds = (dimension: string, value: string): boolean => dimension !== GOAL || value !== PAGEVIEW;

/** Whether a value of the filtered dimension passes; patterns have been checked. */
export function predicate(filters: readonly Filter[]): (value: string) => boolean {
  const tests = filters.map(compile);
  return (value) => tests.every((test) => test(value));
}

function compile(filter: Filter): (value: string) => boolean {
  if (filter.kind === "not") {
    const inner = compile(filter.filter);
    return (value) => !inner(value);
  }
  invariant(filter.kind !== "has_done", () => "has_done: a value has no other events, only its visit has");
  if (filter.kind !== "test") {
    const inner = filter.filters.map(compile);
    return filter.kind === "and"
      ? (value) => inner.every((test) => test(value))
      : (value) => inner.some((test) => test(value));
  }
  const found = finder(filter);
  return filter.operator.endsWith("_not") ? (value) => !found(value) : found;
}

/** Whether any value of the filter is found in a text, as its operator looks for them. */
function finder({ operator, values, caseSensitive }: Test): (text: string) => boolean {
  if (operator.startsWith("matches")) {
    const patterns = values.map((pattern) => matcher(pattern, caseSensitive));
    return (text) => patterns.some((matches) => matches(text));
  }
  const fold = (text: string): string => (caseSensitive ? text : text.toLowerCase());
  const wanted = new Set(values.map(fold));
  if (operator.startsWith("is")) return (text) => wanted.has(fold(text));
  const parts = [...wanted];
  return (text) => {
    const folded = fold(text);
    return parts.some((part) => folded.includes(part));
  };
}

type Test = Extract<Filter, { kind: "test" }>;
