/** Paths as one statement: which pages follow one another within visits, the most frequent at each step told apart. */
import type { ResultRow, Source, Statement } from "../../explorers/explorer.ts";
import { OTHER } from "../../model/dimensions.ts";
import { filteredDimensions } from "../query/filter.ts";
import type { Range } from "../query/range.ts";
import { columnOf, passes } from "./conditions.ts";
import { DIALECTS } from "./dialect.ts";
import type { PathsQuestion } from "./questions.ts";
import { archivedRows, FOLD_ORDER, IDENTITY } from "./rows.ts";
import { bound, joined, listed, name, type Sql, sql } from "./sql.ts";

/** The visit saw no further page. */
const EXIT = "(exit)";

/**
 * Rows: step, page before, page after, visits. Step 0 has all visits that have a path. A page that is loaded anew is
 * still the same page.
 */
export function pathsStatement(
  { from, depth, limit, filters }: PathsQuestion,
  { site, range }: { readonly site: string; readonly range: Range },
  source: Source,
  engine: keyof typeof DIALECTS,
): Statement {
  const dialect = DIALECTS[engine];
  const columns = ["page", ...IDENTITY, ...filteredDimensions(filters).map(columnOf)];
  const rows = archivedRows({ source, extent: { site, ...range }, dialect, columns, isOrdered: false });
  const filtered = passes(filters, { dialect });
  const views = sql`SELECT "visitor", "visit", "page", row_number() OVER (PARTITION BY "visitor", "visit" ORDER BY "at", ${FOLD_ORDER}) AS "nth" FROM "e" WHERE "name" = 'pageview' AND "visit" IS NOT NULL AND (${filtered})`;
  const before = sql`SELECT *, lag("page") OVER (PARTITION BY "visitor", "visit" ORDER BY "nth") AS "last" FROM (${views}) AS "views"`;
  const nexts = steps(depth).map(
    (k) => sql`lead("page", ${k}) OVER (PARTITION BY "visitor", "visit" ORDER BY "nth") AS ${name(`p${k}`)}`,
  );
  const walked = sql`SELECT "visitor", "visit", "nth", "page" AS "p0", ${listed(nexts)} FROM (${before}) AS "moves" WHERE "last" IS NULL OR "last" <> "page"`;
  const begun = from === undefined ? sql`TRUE` : sql`"p0" = ${bound(from)}`;
  const starts = sql`SELECT *, row_number() OVER (PARTITION BY "visitor", "visit" ORDER BY "nth") AS "start" FROM (${walked}) AS "walked" WHERE ${begun}`;
  const ks = [0, ...steps(depth)];
  const after = (k: number): Sql => (k === 0 ? sql`"p0"` : sql`coalesce(${name(`p${k}`)}, ${exit})`);
  const cases = (value: (k: number) => Sql): Sql =>
    sql`CASE "k" ${joined(
      ks.map((k) => sql`WHEN ${k} THEN ${value(k)}`),
      sql` `,
    )} END`;
  const previous = cases((k) => (k === 0 ? sql`CAST(NULL AS VARCHAR)` : name(`p${k - 1}`)));
  const numbers = listed(ks.map((k) => sql`(${k})`));
  const links = sql`SELECT "k", "a", "z", count(*) AS "n" FROM (SELECT "k", ${previous} AS "a", ${cases(after)} AS "z" FROM "s" CROSS JOIN (VALUES ${numbers}) AS "ks" ("k") WHERE "start" = 1) AS "pairs" WHERE "k" = 0 OR "a" IS NOT NULL GROUP BY "k", "a", "z"`;
  // Whoever left a page came to it one step before, so the visits of its links are those of that step too: all ranks are
  // told from one reading, where Athena would read everything again for each mention of a table.
  const totals = sql`SELECT *, sum("n") OVER (PARTITION BY "k", "a") AS "left", sum("n") OVER (PARTITION BY "k", "z") AS "came" FROM (${links}) AS "links"`;
  const isExit = sql`CASE WHEN "z" = ${exit} THEN 1 ELSE 0 END`;
  // The exit is always told apart: it is no page.
  const ranks = sql`SELECT *, dense_rank() OVER (PARTITION BY "k" ORDER BY "left" DESC, "a") AS "ra", dense_rank() OVER (PARTITION BY "k" ORDER BY ${isExit} DESC, "came" DESC, "z") - max(${isExit}) OVER (PARTITION BY "k") AS "rz" FROM (${totals}) AS "totals"`;
  const kept = (rank: Sql, page: Sql): Sql =>
    sql`CASE WHEN ${rank} <= ${limit} THEN ${page} ELSE ${other} END`;
  return sql`WITH "e" AS (${rows}), "s" AS (${starts}) SELECT "k", CASE WHEN "k" = 0 THEN NULL ELSE ${kept(sql`"ra"`, sql`"a"`)} END, ${kept(sql`"rz"`, sql`"z"`)}, sum("n") FROM (${ranks}) AS "ranks" GROUP BY 1, 2, 3`;
}

const exit = sql`'(exit)'`;
const other = sql`'(other)'`;
const steps = (depth: number): number[] => Array.from({ length: depth }, (_, i) => i + 1);

export interface PathStep {
  /** 0 is the beginning. */
  readonly depth: number;
  /** Most frequent first; "(other)" and "(exit)" last. */
  readonly pages: { readonly page: string; readonly visits: number; readonly percentage: number }[];
}
export interface PathLink {
  readonly depth: number;
  readonly from: string;
  readonly to: string;
  readonly visits: number;
}

/** Percentages are of all visits that have a path. */
export function pathsOf(rows: readonly ResultRow[]): { steps: PathStep[]; links: PathLink[] } {
  const links: PathLink[] = [];
  const pages = new Map<number, Map<string, number>>();
  for (const [k, from, to, visits] of rows) {
    const depth = Number(k);
    const count = Number(visits);
    const page = to ?? OTHER;
    if (depth > 0) links.push({ depth, from: from ?? OTHER, to: page, visits: count });
    const step = pages.get(depth) ?? new Map<string, number>();
    pages.set(depth, step.set(page, (step.get(page) ?? 0) + count));
  }
  const all = [...(pages.get(0)?.values() ?? [])].reduce((sum, visits) => sum + visits, 0);
  const place = (page: string): number => (page === EXIT ? 2 : page === OTHER ? 1 : 0);
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return {
    steps: [...pages]
      .sort(([a], [b]) => a - b)
      .map(([depth, step]) => ({
        depth,
        pages: [...step]
          .sort(([a, n], [b, m]) => place(a) - place(b) || m - n || order(a, b))
          .map(([page, visits]) => ({ page, visits, percentage: Math.round((visits * 1000) / all) / 10 })),
      })),
    links: links.sort(
      (a, b) => a.depth - b.depth || b.visits - a.visits || order(a.from, b.from) || order(a.to, b.to),
    ),
  };
}
