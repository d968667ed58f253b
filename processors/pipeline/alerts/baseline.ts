/** What is usual at this hour of the week, so that a Monday morning is no spike. Numbers in, numbers out. */

export interface Expectation {
  readonly expected: number;
  /** How far an ordinary week strays from it. */
  readonly spread: number;
  /** Weeks that it rests on. */
  readonly weeks: number;
}

/** Fewer say nothing of what is usual. */
const MIN_WEEKS = 3;
/** The median absolute deviation of a normal distribution, as its standard deviation. https://en.wikipedia.org/wiki/Median_absolute_deviation */
const MAD_TO_SIGMA = 1.4826;
/** Weeks may happen to be alike: counts of independent clicks stray by their root, and no site is steadier than this part. */
export const LEAST_PART = 0.05;

/**
 * The median of the same stretch of earlier weeks, so that one campaign among them shows little; undefined when there are
 * too few.
 */
export function expectation(earlier: readonly number[]): Expectation | undefined {
  if (earlier.length < MIN_WEEKS) return undefined;
  const expected = median(earlier);
  const mad = median(earlier.map((value) => Math.abs(value - expected)));
  const spread = Math.max(MAD_TO_SIGMA * mad, Math.sqrt(expected), LEAST_PART * expected, 1);
  return { expected, spread, weeks: earlier.length };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
