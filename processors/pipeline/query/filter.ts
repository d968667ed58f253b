/** Filters as predicates over the values of one dimension, which is all that a rollup's table can answer. */
import { ClickstreamError } from "../../errors.ts";
import { GOAL } from "../../model/dimensions.ts";
import { PAGEVIEW } from "../../model/event.ts";
import type { Filter } from "./request.ts";

/** The one dimension that all filters test, or undefined without filters. Throws `bad_request` when they test several. */
export function filteredDimension(filters: readonly Filter[]): string | undefined {
  const names = new Set(filters.flatMap(dimensionsOf));
  if (names.size > 1) {
    throw new ClickstreamError(
      "bad_request",
      `filters: ${[...names].join(" with ")} cannot be answered from rollups; filter by one dimension`,
    );
  }
  return [...names][0];
}

function dimensionsOf(filter: Filter): string[] {
  if (filter.kind === "test") return [filter.dimension];
  return filter.kind === "not" ? dimensionsOf(filter.filter) : filter.filters.flatMap(dimensionsOf);
}

/** The table that holds a dimension: goals are event names other than page views. */
export const tableOf = (dimension: string): string => (dimension === GOAL ? "event:name" : dimension);

export const holds = (dimension: string, value: string): boolean => dimension !== GOAL || value !== PAGEVIEW;

/** Whether a value of the filtered dimension passes. */
export function predicate(filters: readonly Filter[]): (value: string) => boolean {
  const tests = filters.map(compile);
  return (value) => tests.every((test) => test(value));
}

function compile(filter: Filter): (value: string) => boolean {
  if (filter.kind === "not") {
    const inner = compile(filter.filter);
    return (value) => !inner(value);
  }
  if (filter.kind !== "test") {
    const inner = filter.filters.map(compile);
    return filter.kind === "and"
      ? (value) => inner.every((test) => test(value))
      : (value) => inner.some((test) => test(value));
  }
  const fold = (text: string): string => (filter.caseSensitive ? text : text.toLowerCase());
  const wanted = filter.values.map(fold);
  switch (filter.operator) {
    case "is":
      return (value) => wanted.includes(fold(value));
    case "is_not":
      return (value) => !wanted.includes(fold(value));
    case "contains":
      return (value) => wanted.some((text) => fold(value).includes(text));
    case "contains_not":
      return (value) => !wanted.some((text) => fold(value).includes(text));
    default: {
      const patterns = filter.values.map((text) => new RegExp(text, filter.caseSensitive ? "u" : "iu"));
      const isNegated = filter.operator === "matches_not";
      return (value) => patterns.some((pattern) => pattern.test(value)) !== isNegated;
    }
  }
}
