/** The number of a bucket from an instant, by whole numbers alone, so that SQL cuts time exactly as the engine did. */
import type { Bucket } from "../query/range.ts";
import type { Dialect } from "./dialect.ts";
import { joined, type Sql, sql } from "./sql.ts";

/**
 * Neighbouring buckets of one length are one quotient; where clocks move or months differ another begins. So a year of
 * hours is a handful of cases and not thousands, and no engine's idea of time zones takes part.
 */
export function bucketNumber(at: Sql, buckets: readonly Bucket[], dialect: Dialect): Sql {
  const runs: { from: number; length: number; first: number; last: boolean }[] = [];
  for (const [i, { from, to }] of buckets.entries()) {
    const run = runs.at(-1);
    // A run's last bucket may be shorter, because the quotient is the same; then the run is over.
    if (run && !run.last && to - from <= run.length) run.last = to - from < run.length;
    else runs.push({ from, length: to - from, first: i, last: false });
  }
  const [only] = runs;
  if (buckets.length === 1 || !only) return sql`0`;
  const number = (run: typeof only): Sql =>
    sql`${run.first} + ${dialect.quotient(sql`${at} - ${run.from}`, run.length)}`;
  if (runs.length === 1) return number(only);
  const cases = runs.slice(0, -1).map((run, i) => sql`WHEN ${at} < ${runs[i + 1]!.from} THEN ${number(run)}`);
  return sql`CASE ${joined(cases, sql` `)} ELSE ${number(runs.at(-1)!)} END`;
}
