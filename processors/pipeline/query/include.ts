/** The extras that a query asks for beside its rows: labels, counts, and a comparison. */
import { bad, fields, present, twoTexts } from "../fields.ts";

const COMPARISON_MODES = ["previous_period", "year_over_year", "custom"] as const;
export type ComparisonMode = (typeof COMPARISON_MODES)[number];

/** With which other range each row is compared. */
export interface Comparison {
  readonly mode: ComparisonMode;
  /** Of mode "custom" only. */
  readonly dateRange?: readonly [string, string];
  /** Begin on the same day of the week, at the cost of a few days. */
  readonly matchDayOfWeek: boolean;
}

export interface Include {
  readonly timeLabels: boolean;
  readonly totalRows: boolean;
  readonly comparison: Comparison | undefined;
}

/** Throws `bad_request` naming the field below `include`. */
export function parseInclude(value: unknown): Include {
  const raw = fields(value, "include");
  for (const [key, wanted] of Object.entries(raw)) {
    if (key === "compare" || key === "comparisons") continue;
    if (!FLAGS.has(key))
      bad(
        `include.${key.slice(0, 40)}: not supported; known are time_labels, total_rows, compare, compare_match_day_of_week, comparisons`,
      );
    if (typeof wanted !== "boolean") bad(`include.${key}: true or false`);
  }
  if (present(raw.compare) && present(raw.comparisons))
    bad("include.compare: the same as include.comparisons; send one of them");
  const comparison = present(raw.comparisons)
    ? parseComparisons(raw.comparisons)
    : parseCompare(raw.compare, raw.compare_match_day_of_week === true);
  return { timeLabels: raw.time_labels === true, totalRows: raw.total_rows === true, comparison };
}

/** `imports` asks the Stats API for what it keeps apart; here what was imported is in the numbers anyway. */
const FLAGS: ReadonlySet<string> = new Set([
  "imports",
  "time_labels",
  "total_rows",
  "compare_match_day_of_week",
]);

/** The short form: a mode's name, or two dates. */
function parseCompare(value: unknown, matchDayOfWeek: boolean): Comparison | undefined {
  if (!present(value)) return undefined;
  if (value === "previous_period" || value === "year_over_year") return { mode: value, matchDayOfWeek };
  const dateRange = twoTexts(value);
  if (!dateRange) return bad("include.compare: previous_period, year_over_year, or two ISO dates or times");
  return { mode: "custom", dateRange, matchDayOfWeek: false };
}

/** The long form: `{mode, date_range, match_day_of_week}`. */
function parseComparisons(value: unknown): Comparison | undefined {
  const raw = fields(value, "include.comparisons");
  for (const key of Object.keys(raw))
    if (!["mode", "date_range", "match_day_of_week"].includes(key))
      bad(`include.comparisons.${key.slice(0, 40)}: unknown; known are mode, date_range, match_day_of_week`);
  const { mode, match_day_of_week: match = false } = raw;
  if (!(COMPARISON_MODES as readonly unknown[]).includes(mode))
    return bad(`include.comparisons.mode: one of ${COMPARISON_MODES.join(", ")}`);
  if (typeof match !== "boolean") return bad("include.comparisons.match_day_of_week: true or false");
  if (mode !== "custom") {
    if (present(raw.date_range)) bad('include.comparisons.date_range: only with mode "custom"');
    return { mode: mode as ComparisonMode, matchDayOfWeek: match };
  }
  const dateRange = twoTexts(raw.date_range);
  return dateRange
    ? { mode: "custom", dateRange, matchDayOfWeek: false }
    : bad("include.comparisons.date_range: two ISO dates or times");
}
