/** The order of rows: the one asked for, and the same every time, so that pages never overlap. */
import type { EpochMs } from "../../model/time.ts";
import type { MetricValue } from "./metrics.ts";
import type { QueryRequest } from "./request.ts";

export interface Sortable {
  readonly metrics: readonly MetricValue[];
  readonly dimensions: readonly string[];
  /** Start of the row's bucket of time. */
  readonly from: EpochMs;
}

/** By the order asked for; else time upwards, then the first metric downwards. Ties go by dimension. */
export function sorted<T extends Sortable>(rows: readonly T[], request: QueryRequest): T[] {
  const { metrics, dimensions } = request;
  const compares = effectiveOrder(request).map(([key, direction]) => {
    const sign = direction === "asc" ? 1 : -1;
    const metric = (metrics as readonly string[]).indexOf(key);
    const at = dimensions.indexOf(key);
    return (a: T, b: T): number => {
      if (metric >= 0) return sign * compare(numeric(a.metrics[metric]), numeric(b.metrics[metric]));
      if (key === request.time) return sign * (a.from - b.from);
      return sign * compare(a.dimensions[at] ?? "", b.dimensions[at] ?? "");
    };
  });
  const ties = dimensions.map(
    (_, i) =>
      (a: T, b: T): number =>
        compare(a.dimensions[i] ?? "", b.dimensions[i] ?? ""),
  );
  return [...rows].sort((a, b) => {
    for (const by of [...compares, ...ties]) {
      const order = by(a, b);
      if (order !== 0) return order;
    }
    return 0;
  });
}

/** What the rows are ordered by, defaults included. */
export function effectiveOrder({
  orderBy,
  time,
  metrics,
}: QueryRequest): (readonly [key: string, direction: "asc" | "desc"])[] {
  if (orderBy.length > 0) return [...orderBy];
  const byMetric = metrics[0] ? [[metrics[0], "desc"] as const] : [];
  return time ? [[time, "asc"], ...byMetric] : byMetric;
}

const compare = (a: number | string, b: number | string): number => (a === b ? 0 : a < b ? -1 : 1);

/** A value that is not known comes last when the largest come first. */
const numeric = (value: MetricValue | undefined): number =>
  typeof value === "number" ? value : value ? value.value : Number.NEGATIVE_INFINITY;
