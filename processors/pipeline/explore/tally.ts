/** From the rows of a statement to what the engine makes metrics of. */
import { invariant } from "../../errors.ts";
import type { ResultRow } from "../../explorers/explorer.ts";
import type { Vital } from "../../model/event.ts";
import { type Money, saturated } from "../../model/measures.ts";
import { QuantileSketch } from "../../sketches/quantiles.ts";
import { bad } from "../fields.ts";
import type { ArchivedRow } from "../query/archive.ts";
import type { Tally } from "../query/metrics.ts";
import { valueOfBin } from "./bins.ts";
import { MAX_ROWS, SUMS } from "./breakdown.ts";
import type { Plan } from "./plan.ts";

type Sums = Record<(typeof SUMS)[number], number>;

/** Throws `bad_request` where there are more rows than an answer holds. */
export function archivedRowsOf(rows: readonly ResultRow[], plan: Plan): ArchivedRow[] {
  if (rows.length > MAX_ROWS)
    bad(
      `dimensions: these give more than ${MAX_ROWS} rows; ask for fewer dimensions, a shorter date_range, or filter`,
    );
  return rows.map((row) => archivedRow(row, plan));
}

function archivedRow(row: ResultRow, { request, vitals, needsEntry }: Plan): ArchivedRow {
  const values = request.breakdown.map((_, i) => row[i + 1] ?? "");
  const first = request.breakdown.length + 1;
  const sums = Object.fromEntries(SUMS.map((name, i) => [name, whole(row[first + i])])) as Sums;
  const currency = row[first + SUMS.length];
  const sketches = new Map<Vital, QuantileSketch>();
  for (const [i, vital] of vitals.entries()) {
    const text = row[first + SUMS.length + 1 + i];
    if (text) sketches.set(vital, sketchOf(text));
  }
  return {
    at: whole(row[0]),
    values,
    tally: tallyOf(sums, moneyOf(sums, currency), sketches),
    ...(needsEntry
      ? {
          entry: tallyOf({
            ...NONE,
            visits: sums.entry_visits,
            bounces: sums.entry_bounces,
            duration_ms: sums.entry_duration_ms,
          }),
        }
      : {}),
  };
}

const NONE = Object.fromEntries(SUMS.map((name) => [name, 0])) as Sums;

/** Beyond what a rollup's sum can be, the same as there. */
function whole(text: string | null | undefined): number {
  const value = Number(text ?? 0);
  invariant(Number.isInteger(value), () => `a sum of the archive is ${text}, and should be a whole number`);
  return saturated(value);
}

/** The leading currency; the others only as many, with nothing in them: enough for saying that they are left out. */
function moneyOf({ amount_minor, amounts, currencies }: Sums, currency: string | null | undefined) {
  if (!currency) return undefined;
  const money = new Map<string, Money>([[currency, { minor: amount_minor, count: amounts }]]);
  for (let i = 1; i < currencies; i++) money.set(`~${i}`, { minor: 0, count: 0 });
  return money;
}

function sketchOf(histogram: string): QuantileSketch {
  const sketch = new QuantileSketch();
  for (const [bin, count] of Object.entries(JSON.parse(histogram) as Record<string, number>))
    sketch.add(valueOfBin(Number(bin)), count);
  return sketch;
}

const tallyOf = (
  sums: Sums,
  revenue?: ReadonlyMap<string, Money>,
  sketches?: ReadonlyMap<Vital, QuantileSketch>,
): Tally => ({
  events: sums.events,
  pageviews: sums.pageviews,
  visitors: sums.visitors,
  mostVisitors: sums.visitors,
  isExact: true,
  visits: sums.visits,
  bounces: sums.bounces,
  durationMs: sums.duration_ms,
  engagedMs: sums.engaged_ms,
  reads: sums.reads,
  scrollSum: sums.scroll_sum,
  scrolls: sums.scrolls,
  revenue,
  quantile: (vital, q) => sketches?.get(vital)?.quantile(q),
});
