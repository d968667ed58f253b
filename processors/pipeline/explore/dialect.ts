/** Where DuckDB and Trino (Athena) write the same thing differently. Everything else is said in words that both know. */
import type { Explorer, Extent } from "../../explorers/explorer.ts";
import { partitionOf } from "../../model/archive.ts";
import { bound, nothing, type Sql, sql } from "./sql.ts";

export interface Dialect {
  /** Whole quotient of whole numbers of the same sign. */
  quotient(dividend: Sql, divisor: number): Sql;
  /** Value of a property, NULL where the event has none of that name. In a condition. */
  property(map: Sql, key: string): Sql;
  /** The same as a column: what FROM needs for it, the column, and the condition under which it is there. */
  propertyColumn(map: Sql, key: string, alias: Sql): { from: Sql; column: Sql; condition: Sql };
  matches(text: Sql, pattern: Sql): Sql;
  /** Whether all of a text is as the pattern says, in which a star stands for any characters. In a condition. */
  isLike(text: Sql, pattern: string): Sql;
  /** Whole numbers counted, as the text of a JSON object; NULLs are not. */
  histogram(value: Sql): Sql;
  /** The rows of the site, without opening the partitions of other hours. */
  partitions(extent: Extent): Sql;
}

const duckdb: Dialect = {
  quotient: (dividend, divisor) => sql`(${dividend}) // ${divisor}`,
  property: (map, key) => sql`${map}[${bound(key)}]`,
  propertyColumn: (map, key) => ({
    from: nothing,
    column: sql`${map}[${bound(key)}]`,
    condition: sql`${map}[${bound(key)}] IS NOT NULL`,
  }),
  matches: (text, pattern) => sql`regexp_matches(${text}, ${pattern})`,
  // Not LIKE: with an escape DuckDB tries every place of every star, and no interrupt reaches it meanwhile.
  isLike: (text, pattern) => sql`regexp_full_match(${text}, ${bound(regexOf(pattern))})`,
  histogram: (value) =>
    sql`CAST(to_json(histogram(${value}) FILTER (WHERE ${value} IS NOT NULL)) AS VARCHAR)`,
  // The source names the files of these hours only.
  partitions: ({ site }) => sql`"site" = ${bound(site)}`,
};

const trino: Dialect = {
  quotient: (dividend, divisor) => sql`(${dividend}) / ${divisor}`,
  property: (map, key) => sql`element_at(${map}, ${bound(key)})`,
  // A bound value may stand in WHERE only, so the key is chosen there.
  propertyColumn: (map, key, alias) => ({
    from: sql` CROSS JOIN UNNEST(${map}) AS ${alias} ("key", "value")`,
    column: sql`${alias}."value"`,
    condition: sql`${alias}."key" = ${bound(key)}`,
  }),
  matches: (text, pattern) => sql`regexp_like(${text}, ${pattern})`,
  isLike: (text, pattern) => sql`${text} LIKE ${bound(likeOf(pattern))} ESCAPE '!'`,
  histogram: (value) =>
    sql`json_format(CAST(histogram(${value}) FILTER (WHERE ${value} IS NOT NULL) AS JSON))`,
  partitions({ site, from, to }) {
    const first = partitionOf(from);
    const last = partitionOf(to - 1);
    // The partition is called as its folder is, and that is escaped as in a URL.
    return sql`"site" = ${bound(encodeURIComponent(site))} AND "dt" BETWEEN ${bound(first.dt)} AND ${bound(last.dt)} AND ("dt" > ${bound(first.dt)} OR "hour" >= ${bound(first.hour)}) AND ("dt" < ${bound(last.dt)} OR "hour" <= ${bound(last.hour)})`;
  },
};

const regexOf = (pattern: string): string =>
  `(?s)${pattern.replace(/[\\^$.+?()[\]{}|]/g, "\\$&").replace(/\*+/g, ".*")}`;
const likeOf = (pattern: string): string => pattern.replace(/[!%_]/g, "!$&").replace(/\*+/g, "%");

export const DIALECTS: Readonly<Record<Explorer["dialect"], Dialect>> = { duckdb, trino };
