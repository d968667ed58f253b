/**
 * Dimensions and filters as SQL over the archive's columns. A value that is not known passes no test, not even a
 * negated one, as a rollup's table has no row for it; so `not` is pushed down to the tests.
 */
import { invariant } from "../../errors.ts";
import {
  AGENT_DIMENSIONS,
  ENTRY_HOSTNAME,
  EXIT_HOSTNAME,
  EXIT_PAGE,
  GOAL,
  PLACE_DIMENSIONS,
  PROPS_PREFIX,
  VISIT_DIMENSIONS,
} from "../../model/dimensions.ts";
import type { Filter } from "../query/request.ts";
import type { Dialect } from "./dialect.ts";
import { bound, every, listed, name, nothing, type Sql, some, sql } from "./sql.ts";

/** Engagement and vitals tell of a page view; they are no events. */
export const isEvent = sql`"name" NOT IN ('engagement', 'vitals')`;

type Test = Extract<Filter, { kind: "test" }>;

/** Known of a visit as a whole only: no row bears them. */
const OF_WHOLE_VISIT: ReadonlySet<string> = new Set([EXIT_PAGE, ENTRY_HOSTNAME, EXIT_HOSTNAME]);
const OF_VISIT: ReadonlySet<string> = new Set([
  ...VISIT_DIMENSIONS,
  ...AGENT_DIMENSIONS,
  ...PLACE_DIMENSIONS,
  ...OF_WHOLE_VISIT,
]);
export const isOfVisit = (dimension: string): boolean => OF_VISIT.has(dimension);
export const isOfWholeVisit = (dimension: string): boolean => OF_WHOLE_VISIT.has(dimension);

/** Columns that a dimension reads, beside the name. */
export function columnOf(dimension: string): string {
  if (dimension.startsWith(PROPS_PREFIX)) return "props";
  if (dimension === EXIT_PAGE) return "exit_page";
  if (isOfVisit(dimension)) return dimension.replace(":", "_");
  return dimension === GOAL ? "name" : dimension.slice("event:".length);
}

/** Under which condition the column of a dimension holds a value of it. */
function known(dimension: string): Sql {
  const column = name(columnOf(dimension));
  if (dimension === GOAL) return sql`${isEvent} AND "name" <> 'pageview'`;
  if (dimension === "event:name") return isEvent;
  return isOfVisit(dimension) ? sql`${column} <> ''` : sql`${column} IS NOT NULL`;
}

/** A dimension broken down: what FROM needs for it, its values, and where there are any. */
export interface Shown {
  readonly from: Sql;
  readonly column: Sql;
  readonly condition: Sql;
}

export function shown(dimension: string, at: number, dialect: Dialect): Shown {
  const column = name(columnOf(dimension));
  if (!dimension.startsWith(PROPS_PREFIX)) return { from: nothing, column, condition: known(dimension) };
  const property = dialect.propertyColumn(column, dimension.slice(PROPS_PREFIX.length), name(`p${at}`));
  return { ...property, condition: sql`${isEvent} AND ${property.condition}` };
}

export interface ConditionContext {
  readonly dialect: Dialect;
  /** A dimension tested in place of another. */
  readonly instead?: Readonly<Record<string, string>>;
}

/** Whether a row passes all filters. What has_done looks at are the rows in "e", the first table of every statement. */
export const passes = (filters: readonly Filter[], context: ConditionContext): Sql =>
  every(filters.map((filter) => condition(filter, false, context)));

function condition(filter: Filter, isNegated: boolean, context: ConditionContext): Sql {
  switch (filter.kind) {
    case "not":
      return condition(filter.filter, !isNegated, context);
    case "and":
    case "or": {
      const all = filter.filters.map((inner) => condition(inner, isNegated, context));
      return (filter.kind === "and") === isNegated ? some(all) : every(all);
    }
    case "has_done": {
      const inner = condition(filter.filter, false, context);
      const visits = sql`(SELECT "visit_key" FROM "e" WHERE "visit_key" IS NOT NULL AND ${isEvent} AND (${inner}))`;
      return isNegated ? sql`"visit_key" NOT IN ${visits}` : sql`"visit_key" IN ${visits}`;
    }
    default:
      return test(filter, isNegated, context);
  }
}

const OPPOSITE = {
  is: "is_not",
  is_not: "is",
  contains: "contains_not",
  contains_not: "contains",
  matches: "matches_not",
  matches_not: "matches",
} as const;

function test(filter: Test, isNegated: boolean, { dialect, instead }: ConditionContext): Sql {
  const dimension = instead?.[filter.dimension] ?? filter.dimension;
  const operator = isNegated ? OPPOSITE[filter.operator] : filter.operator;
  const column = name(columnOf(dimension));
  if (!dimension.startsWith(PROPS_PREFIX))
    return sql`${known(dimension)} AND ${compare(column, operator, filter, dialect)}`;
  const value = dialect.property(column, dimension.slice(PROPS_PREFIX.length));
  // NULL, where there is no such property, makes each of these comparisons NULL, which no row passes.
  return sql`${isEvent} AND ${compare(value, operator, filter, dialect)}`;
}

function compare(
  value: Sql,
  operator: Test["operator"],
  { values, caseSensitive }: Test,
  dialect: Dialect,
): Sql {
  invariant(values.length > 0, () => "0 values in a filter, and at least 1 is needed");
  const fold = (text: Sql): Sql => (caseSensitive ? text : sql`lower(${text})`);
  const anyOf = (one: (text: string) => Sql): Sql => sql`(${some(values.map(one))})`;
  switch (operator) {
    case "is":
      return sql`${fold(value)} IN (${listed(values.map((text) => fold(bound(text))))})`;
    case "is_not":
      return sql`${fold(value)} NOT IN (${listed(values.map((text) => fold(bound(text))))})`;
    case "contains":
      return anyOf((text) => sql`strpos(${fold(value)}, ${fold(bound(text))}) > 0`);
    case "contains_not":
      return sql`NOT ${anyOf((text) => sql`strpos(${fold(value)}, ${fold(bound(text))}) > 0`)}`;
    default: {
      const found = anyOf((text) => dialect.matches(value, bound(caseSensitive ? text : `(?i)${text}`)));
      return operator === "matches" ? found : sql`NOT ${found}`;
    }
  }
}
