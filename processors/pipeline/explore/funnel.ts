/** Funnels as one statement: how many came to each step, one step after the other within a visit or a day. */
import type { Source, Statement } from "../../explorers/explorer.ts";
import { filteredDimensions } from "../query/filter.ts";
import type { Bucket, Range } from "../query/range.ts";
import { bucketNumber } from "./buckets.ts";
import { columnOf, isEvent, passes } from "./conditions.ts";
import { DIALECTS, type Dialect } from "./dialect.ts";
import type { FunnelQuestion, Step } from "./questions.ts";
import { archivedRows, FOLD_ORDER, IDENTITY } from "./rows.ts";
import { bound, listed, name, type Sql, some, sql } from "./sql.ts";

export interface FunnelScope {
  readonly site: string;
  readonly range: Range;
  /** The days of the range. */
  readonly days: readonly Bucket[];
}

/** One row: visitors of step 1, of step 2 and so on. */
export function funnelStatement(
  question: FunnelQuestion,
  { site, range, days }: FunnelScope,
  source: Source,
  engine: keyof typeof DIALECTS,
): Statement {
  const dialect = DIALECTS[engine];
  const columns = ["page", ...IDENTITY, ...filteredDimensions(question.filters).map(columnOf)];
  const rows = archivedRows({ source, extent: { site, ...range }, dialect, columns, isOrdered: false });
  const lane = question.within === "visit" ? sql`"visit"` : bucketNumber(sql`"at"`, days, dialect);
  const filtered = passes(question.filters, { dialect });
  // Events at the same instant go by the order of the fold: no event may be two steps.
  const events = sql`SELECT "visitor", ${lane} AS "lane", "name", "page", row_number() OVER (PARTITION BY "visitor" ORDER BY "at", ${FOLD_ORDER}) AS "nth" FROM "e" WHERE ${isEvent} AND (${filtered})`;
  // A bound value may stand in WHERE only; and a selection for each step would have Athena read everything for each.
  const numbers = listed(question.steps.map((_, i) => sql`(${i + 1})`));
  const isStep = some(question.steps.map((step, i) => sql`"step" = ${i + 1} AND ${isAt(step, dialect)}`));
  const steps = sql`SELECT "visitor", "lane", "nth", "step" FROM "n" CROSS JOIN (VALUES ${numbers}) AS "steps" ("step") WHERE ${isStep}`;
  // The earliest place of each step behind the earliest of the one before: whoever can reach a step reaches it so.
  const reached = question.steps.reduce<Sql>((inner, _, i) => {
    const behind = i === 0 ? sql`` : sql` AND "nth" > ${name(`t${i}`)}`;
    return sql`SELECT *, min(CASE WHEN "step" = ${i + 1}${behind} THEN "nth" END) OVER (PARTITION BY "visitor", "lane") AS ${name(`t${i + 1}`)} FROM ${i === 0 ? sql`"m"` : sql`(${inner}) AS ${name(`r${i}`)}`}`;
  }, sql``);
  const counts = question.steps.map(
    (_, i) => sql`count(DISTINCT CASE WHEN ${name(`t${i + 1}`)} IS NOT NULL THEN "visitor" END)`,
  );
  return sql`WITH "e" AS (${rows}), "n" AS (${events}), "m" AS (${steps}) SELECT ${listed(counts)} FROM (${reached}) AS "reached"`;
}

function isAt(step: Step, dialect: Dialect): Sql {
  if (step.kind === "goal") return sql`"name" = ${bound(step.goal)}`;
  if (!step.pattern.includes("*")) return sql`"name" = 'pageview' AND "page" = ${bound(step.pattern)}`;
  return sql`"name" = 'pageview' AND ${dialect.isLike(sql`"page"`, step.pattern)}`;
}

export interface FunnelStep {
  readonly label: string;
  /** Distinct visitors who came as far as this. */
  readonly visitors: number;
  /** Percent of those of the first step. */
  readonly conversion_rate: number;
  /** Visitors of the step before who did not come as far as this. */
  readonly drop_off: number;
}

export function funnelSteps(question: FunnelQuestion, counts: readonly number[]): FunnelStep[] {
  const [first = 0] = counts;
  return question.steps.map(({ label }, i) => {
    const visitors = counts[i] ?? 0;
    return {
      label,
      visitors,
      conversion_rate: first === 0 ? 0 : Math.round((visitors * 1000) / first) / 10,
      drop_off: i === 0 ? 0 : (counts[i - 1] ?? 0) - visitors,
    };
  });
}
