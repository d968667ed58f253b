/** Which numbers the headline has, in their order. */

export const METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "views_per_visit",
  "bounce_rate",
  "visit_duration",
  "events",
  "total_revenue",
] as const;
export type Metric = (typeof METRICS)[number];

/** Counts and sums: zero is a value of theirs. The others are averages, which nothing has none of. */
export const COUNTED: ReadonlySet<Metric> = new Set([
  "visitors",
  "visits",
  "pageviews",
  "events",
  "total_revenue",
]);
