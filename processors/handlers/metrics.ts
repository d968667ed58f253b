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

/** Tells what one batch of a shard did to the shard's totals. */
export function tellBatch(
  before: Counters,
  after: Counters,
  { conflicts }: CommitSummary,
  { at, delayMs }: { readonly at: EpochMs; readonly delayMs: number },
): void {
  const late = after.late - before.late;
  tell(
    {
      Events: after.events - before.events,
      Delay: delayMs,
      ...(late > 0 && { Late: late }),
      ...(conflicts > 0 && { Conflicts: conflicts }),
    },
    at,
  );
  for (const [reason, count] of Object.entries(after.rejects)) {
    const more = count - (before.rejects[reason as RejectReason] ?? 0);
    if (more > 0) tell({ Rejects: more }, at, { Reason: reason });
  }
}
