/** Retention as one statement: of those who first came in an interval, how many came again in each later one. */
import type { ResultRow, Source, Statement } from "../../explorers/explorer.ts";
import { filteredDimensions } from "../query/filter.ts";
import type { Bucket, Range } from "../query/range.ts";
import { bucketNumber } from "./buckets.ts";
import { columnOf, isEvent, passes } from "./conditions.ts";
import { DIALECTS } from "./dialect.ts";
import type { RetentionQuestion } from "./questions.ts";
import { archivedRows } from "./rows.ts";
import { sql } from "./sql.ts";

/** A quarter of days, or two years of weeks. */
export const MAX_INTERVALS = 104;

export interface RetentionScope {
  readonly site: string;
  readonly range: Range;
  readonly buckets: readonly Bucket[];
}

/** Rows: number of the first interval, number of an interval with an event, visitors. */
export function retentionStatement(
  question: RetentionQuestion,
  { site, range, buckets }: RetentionScope,
  source: Source,
  engine: keyof typeof DIALECTS,
): Statement {
  const dialect = DIALECTS[engine];
  const columns = filteredDimensions(question.filters).map(columnOf);
  const rows = archivedRows({ source, extent: { site, ...range }, dialect, columns, isOrdered: false });
  const filtered = passes(question.filters, { dialect });
  const seen = sql`SELECT DISTINCT "visitor", ${bucketNumber(sql`"at"`, buckets, dialect)} AS "b" FROM "e" WHERE ${isEvent} AND (${filtered})`;
  const first = sql`SELECT "b", min("b") OVER (PARTITION BY "visitor") AS "first" FROM (${seen}) AS "seen"`;
  return sql`WITH "e" AS (${rows}) SELECT "first", "b", count(*) FROM (${first}) AS "came" GROUP BY "first", "b"`;
}

export interface Cohort {
  /** Label of the interval in which its visitors first came. */
  readonly start: string;
  readonly visitors: number;
  /** Visitors with an event so many intervals later; the first is all of them. Ends with the interval that is now. */
  readonly returned: number[];
}

/** Cohorts of the intervals that have begun, empty ones too. */
export function cohorts(rows: readonly ResultRow[], buckets: readonly Bucket[], now: number): Cohort[] {
  const begun = buckets.filter(({ from }) => from <= now);
  const counts = new Map(rows.map(([first, b, visitors]) => [`${first} ${b}`, Number(visitors)]));
  return begun.map(({ label }, first) => {
    const returned = begun.slice(first).map((_, later) => counts.get(`${first} ${first + later}`) ?? 0);
    return { start: label, visitors: returned[0] ?? 0, returned };
  });
}
