/** Where a number means something special: short remarks by metric, beside the numbers. */
import { EXIT_PAGE, OTHER } from "../../model/dimensions.ts";
import { DAY_MS } from "../../model/time.ts";
import { WITH_VITALS } from "./answerable.ts";
import type { Row } from "./breakdown.ts";
import type { Range } from "./range.ts";
import { isVital, type Metric, type QueryRequest } from "./request.ts";

export const WARNING_CODES = [
  "visitor_days",
  "first_exit_only",
  "other_currencies",
  "vitals_not_kept",
  "values_beyond_table",
] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

export interface Warning {
  readonly code: WarningCode;
  readonly warning: string;
}

const VISITOR_METRICS: ReadonlySet<Metric> = new Set([
  "visitors",
  "percentage",
  "conversion_rate",
  "group_conversion_rate",
]);
const MONEY_METRICS: ReadonlySet<Metric> = new Set(["total_revenue", "average_revenue"]);

export interface Answered {
  readonly request: QueryRequest;
  /** The dimension broken down, or else the one filtered by. */
  readonly dimension: string | undefined;
  readonly rows: readonly Row[];
  /** The part of the range that has passed. */
  readonly range: Range;
  /** Whether a filter met values that are together in "(other)". */
  readonly metOther: boolean;
  /** An archive keeps more, and counts the visitors of exit pages one by one. */
  readonly isArchived: boolean;
}

/** At most one remark for a metric, the one that matters most. Metrics without one are absent. */
export function warningsOf(answered: Answered): Partial<Record<Metric, Warning>> {
  const found: Partial<Record<Metric, Warning>> = {};
  for (const metric of answered.request.metrics) {
    const warning = warningOf(metric, answered);
    if (warning) found[metric] = warning;
  }
  return found;
}

function warningOf(
  metric: Metric,
  { dimension, rows, range, metOther, isArchived }: Answered,
): Warning | undefined {
  if (!isArchived && isVital(metric) && dimension && !WITH_VITALS.has(dimension))
    return {
      code: "vitals_not_kept",
      warning: `Web vitals are kept in total and by ${[...WITH_VITALS].join(", ")}; by ${dimension} they are null.`,
    };
  if (metOther)
    return {
      code: "values_beyond_table",
      warning: `A window keeps the 1,000 most visited values of ${dimension}; a filter does not see those that are together in ${OTHER}.`,
    };
  if (MONEY_METRICS.has(metric)) {
    const several = rows.some(({ tally }) => (tally.revenue?.size ?? 0) > 1);
    if (several)
      return {
        code: "other_currencies",
        warning: "A row holds one currency, the one that most of its events had; the others are left out.",
      };
  }
  const spansDays = Math.floor(range.from / DAY_MS) !== Math.floor((range.to - 1) / DAY_MS);
  if (VISITOR_METRICS.has(metric) && spansDays && (isArchived || dimension !== EXIT_PAGE))
    return {
      code: "visitor_days",
      warning:
        "Cookieless visitors get a new pseudonym at midnight UTC: over several days each day's visitors are added up.",
    };
  if (VISITOR_METRICS.has(metric) && dimension === EXIT_PAGE && !isArchived)
    return {
      code: "first_exit_only",
      warning:
        "A visitor whose visits end on the same page again within a day is counted with the first of them: a range that holds only a later one counts too few.",
    };
  return undefined;
}
