/** How much a number moved against the period before, where that can be said at all. */
import type { MetricValue } from "./answers.ts";
import { currencyOf, numberOf } from "./format.ts";

/** Undefined where no percentage exists: something after nothing is not "plus infinity percent", nor are euros after won. */
export function relativeChange(
  now: MetricValue | undefined,
  before: MetricValue | undefined,
): number | undefined {
  const [current, past] = [numberOf(now), numberOf(before)];
  if (current === undefined || past === undefined || currencyOf(now) !== currencyOf(before)) return undefined;
  if (past === 0) return current === 0 ? 0 : undefined;
  // Refunds may have left less than nothing, and more than that is a rise.
  return (current - past) / Math.abs(past);
}

/** Of a share in percent, in points, as the API has it: 51 % after 32 % would be "59 % more". Undefined without two numbers. */
export function pointChange(
  now: MetricValue | undefined,
  before: MetricValue | undefined,
): number | undefined {
  const [current, past] = [numberOf(now), numberOf(before)];
  return current === undefined || past === undefined ? undefined : current - past;
}
