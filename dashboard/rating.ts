/** How good a web vital is, and where that is on its scale. Pure arithmetic. */

/** At most `good` is good; beyond `poor` is poor. */
export interface Bounds {
  readonly good: number;
  readonly poor: number;
}

export type Rating = "good" | "fair" | "poor";
export function rated({ good, poor }: Bounds, value: number): Rating {
  if (value <= good) return "good";
  return value <= poor ? "fair" : "poor";
}

/**
 * Where a value lies on its scale, 0 to 1: a third for each rating, so that the mark stands in the colour of its word.
 * The last third ends at twice where poor begins; what is beyond stays at its end.
 */
export function placeOf({ good, poor }: Bounds, value: number): number {
  const within = (from: number, to: number): number => Math.min(1, (value - from) / (to - from)) / 3;
  if (value <= good) return within(0, good);
  return value <= poor ? 1 / 3 + within(good, poor) : 2 / 3 + within(poor, 2 * poor);
}
