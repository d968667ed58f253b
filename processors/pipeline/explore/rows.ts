/**
 * The archive's rows as every question begins with them: of one site and time, repeats dropped, in the order of the
 * fold; and its visits, as they ended up. The rules are fold.ts's, said once more in SQL.
 */

import type { Extent, Source } from "../../explorers/explorer.ts";
import { ENTRY_HOSTNAME, EXIT_HOSTNAME } from "../../model/dimensions.ts";
import { DAY_MS } from "../../model/time.ts";
import type { Range } from "../query/range.ts";
import { columnOf, isEvent } from "./conditions.ts";
import type { Dialect } from "./dialect.ts";
import { bound, joined, listed, name, nothing, type Sql, sql } from "./sql.ts";

/**
 * A visit that began before the range or goes on after it is read whole as far as this: longer ones are rare, and
 * reading on without a bound would open the whole archive for every question.
 */
const VISIT_REACH_MS = DAY_MS;

/** What must be read to know the visits of a range. */
export const around = ({ from, to }: Range): Range => ({
  from: from - VISIT_REACH_MS,
  to: to + VISIT_REACH_MS,
});

export interface RowsOptions {
  readonly source: Source;
  readonly extent: Extent;
  readonly dialect: Dialect;
  /** Columns to carry along, beside visitor, visit, at and name. */
  readonly columns: Iterable<string>;
  /** Number the rows of each visit as they were folded ("ord"). */
  readonly isOrdered: boolean;
  /** One text for a visit ("visit_key"), NULL without one. */
  readonly isKeyed?: boolean;
}

const ALWAYS = ["visitor", "visit", "at", "name"];
/** The order of the fold: longer sequence numbers are greater. */
export const FOLD_ORDER = sql`"shard", length("sequence"), "sequence", "index"`;
export const IDENTITY = ["shard", "sequence", "index"];

/** The body of the first table. */
export function archivedRows({ source, extent, dialect, columns, isOrdered, isKeyed }: RowsOptions): Sql {
  const wanted = [...new Set([...ALWAYS, ...columns])];
  const carried = listed(wanted.map(name));
  const read = listed([...new Set([...wanted, ...IDENTITY])].map(name));
  const order = isOrdered
    ? sql`, row_number() OVER (PARTITION BY "visitor", "visit" ORDER BY ${FOLD_ORDER}) AS "ord"`
    : nothing;
  const key = isKeyed ? sql`, "visitor" || ' ' || CAST("visit" AS VARCHAR) AS "visit_key"` : nothing;
  const { from, to } = extent;
  const table: Sql = { isSql: true, text: source.text, values: source.values };
  const chosen = sql`FROM ${table} WHERE ${dialect.partitions(extent)} AND "at" >= ${bound(from)} AND "at" < ${bound(to)} AND "rejected" IS NULL`;
  if (!source.mayRepeat) return sql`SELECT ${carried}${order}${key} ${chosen}`;
  return sql`SELECT ${carried}${order}${key} FROM (SELECT ${read}, row_number() OVER (PARTITION BY "shard", "sequence", "index" ORDER BY "at") AS "copy" ${chosen}) AS "t" WHERE "copy" = 1`;
}

/** Where a visit ended: at its last page view, and of one without any at the event that it began with. */
const atExit = (column: Sql): Sql =>
  sql`coalesce(max_by(${column}, ROW("at", "ord")) FILTER (WHERE "name" = 'pageview'), min_by(${column}, "ord"))`;

/** Attributes that no row bears: of events at the same instant the first began the visit, and the last ended it. */
const HOSTNAMES: Readonly<Record<string, Sql>> = {
  [columnOf(ENTRY_HOSTNAME)]: sql`min_by("hostname", ROW("at", "ord")) FILTER (WHERE ${isEvent})`,
  [columnOf(EXIT_HOSTNAME)]: atExit(sql`"hostname"`),
};

/** The column of rows that an attribute of visits is made of. */
export const readFor = (attribute: string): string => (HOSTNAMES[attribute] ? "hostname" : attribute);

/**
 * One row for each visit: when it began and ended, whether it bounced, its exit page, and of its attributes the last
 * word. The first row that was folded is the event it began with, because reports begin no visit.
 */
export function visits(rows: Sql, attributes: readonly string[]): Sql {
  const found = attributes.map(
    (column) => sql`, ${HOSTNAMES[column] ?? sql`max_by(${name(column)}, "ord")`} AS ${name(column)}`,
  );
  return sql`SELECT "visitor", "visit", min("at") FILTER (WHERE ${isEvent}) AS "first_at", max("at") FILTER (WHERE "name" <> 'vitals') AS "last_at", count(*) FILTER (WHERE ${isEvent} AND "interactive") AS "interactions", sum("engaged_ms") AS "engaged", ${atExit(sql`"page"`)} AS "exit_page"${joined(found, nothing)} FROM ${rows} WHERE "visit" IS NOT NULL GROUP BY "visitor", "visit"`;
}

/** Columns that `visits` reads. */
export const VISIT_READS = ["interactive", "engaged_ms", "page"];

/**
 * Rows with what their visits became: the attributes are the visit's, the event's own columns stay. Rows without a
 * visit are not among them.
 */
export function rowsOfVisits(
  rows: Sql,
  table: Sql,
  columns: readonly string[],
  attributes: readonly string[],
): Sql {
  const own = [
    "visitor",
    "visit",
    "at",
    "name",
    "ord",
    ...columns.filter((one) => !attributes.includes(one)),
  ];
  const theirs = ["first_at", "last_at", "interactions", "engaged", "exit_page", ...attributes];
  return sql`SELECT ${listed(own.map((one) => sql`"r".${name(one)}`))}, ${listed(theirs.map((one) => sql`"v".${name(one)}`))} FROM ${rows} AS "r" JOIN ${table} AS "v" ON "r"."visitor" = "v"."visitor" AND "r"."visit" = "v"."visit"`;
}
