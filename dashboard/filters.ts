/** What the numbers are narrowed to: conditions on dimensions, their form in the URL and in the API. Knows no page. */
import type { Filter } from "./answers.ts";

export const OPERATORS = ["is", "is_not", "contains"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Condition {
  readonly operator: Operator;
  readonly dimension: string;
  /** Any of them; at least one. */
  readonly values: readonly string[];
}

const MAX_CONDITIONS = 10;
/** The name of the parameter, repeated for each condition. */
const PARAMETER = "f";

/** `f=is,visit:country,KR`; commas inside a part are percent-encoded. What cannot be read is left out. */
export const parseConditions = (query: URLSearchParams): Condition[] =>
  query
    .getAll(PARAMETER)
    .flatMap((text) => conditionOf(text) ?? [])
    .slice(0, MAX_CONDITIONS);

/** One of them; undefined for what cannot be read. */
export function conditionOf(text: string): Condition | undefined {
  const [first, dimension = "", ...values] = text.split(",").map(decoded);
  const operator = OPERATORS.find((one) => one === first);
  return operator && /^(event|visit):./.test(dimension) && values.length > 0
    ? { operator, dimension, values }
    : undefined;
}

/** Writes them into `query`, in place of what was there. */
export function printConditions(conditions: readonly Condition[], query: URLSearchParams): void {
  query.delete(PARAMETER);
  for (const { operator, dimension, values } of conditions)
    query.append(PARAMETER, [operator, dimension, ...values].map(encoded).join(","));
}

const encoded = (text: string): string => text.replace(/[%,]/g, (c) => (c === "," ? "%2C" : "%25"));
const decoded = (text: string): string => text.replace(/%2C|%25/gi, (c) => (c === "%25" ? "%" : ","));

/** Whether a row of a breakdown is one of those that the numbers are narrowed to. */
export const isPicked = (conditions: readonly Condition[], dimension: string, value: string): boolean =>
  conditions.some(
    (one) => one.operator === "is" && one.dimension === dimension && one.values.includes(value),
  );

/** With a click on a row: narrowed to it instead of others of its dimension, or no more if it was. */
export function toggled(conditions: readonly Condition[], dimension: string, value: string): Condition[] {
  const others = conditions.filter((one) => one.operator !== "is" || one.dimension !== dimension);
  return isPicked(conditions, dimension, value)
    ? others
    : ([...others, { operator: "is", dimension, values: [value] }].slice(0, MAX_CONDITIONS) as Condition[]);
}

/** In the API's form. */
export const filtersOf = (conditions: readonly Condition[]): readonly Filter[] =>
  conditions.map(({ operator, dimension, values }) => [operator, dimension, values]);
