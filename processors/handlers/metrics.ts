/** What a function tells its operator after each batch, as lines of its log. */
import { ENV, requireEnv } from "../env.ts";
import type { RejectReason } from "../model/event.ts";
import type { EpochMs } from "../model/time.ts";
import type { CommitSummary } from "../pipeline/aggregate.ts";
import type { Counters } from "../pipeline/state.ts";
import { type MetricName, metricLine } from "../telemetry.ts";

/** Writes the line as it is: `console.log` of Lambda would put a prefix before it. */
export function tell(
  values: Readonly<Partial<Record<MetricName, number>>>,
  at: EpochMs,
  dimensions: Readonly<Record<string, string>> = {},
): void {
  const table = requireEnv(process.env, ENV.table);
  process.stdout.write(`${metricLine(values, { Table: table, ...dimensions }, at)}\n`);
}

/** Everyday life: robots, repeats, and what a browser gave up. */
const HARMLESS: ReadonlySet<string> = new Set<RejectReason>(["bot", "duplicate", "dropped"]);

/** Tells what one batch of a shard did to the shard's totals. */
export function tellBatch(
  before: Counters,
  after: Counters,
  { conflicts }: CommitSummary,
  { at, delayMs }: { readonly at: EpochMs; readonly delayMs: number },
): void {
  const late = after.late - before.late;
  const rejects = (Object.entries(after.rejects) as [RejectReason, number][])
    .map(([reason, count]) => [reason, count - (before.rejects[reason] ?? 0)] as const)
    .filter(([, more]) => more > 0);
  const faulty = rejects.reduce((sum, [reason, more]) => sum + (HARMLESS.has(reason) ? 0 : more), 0);
  tell(
    {
      Events: after.events - before.events,
      Delay: delayMs,
      ...(late > 0 && { Late: late }),
      ...(faulty > 0 && { Faulty: faulty }),
      ...(conflicts > 0 && { Conflicts: conflicts }),
    },
    at,
  );
  for (const [reason, more] of rejects) tell({ Rejects: more }, at, { Reason: reason });
}
