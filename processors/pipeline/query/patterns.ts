/**
 * Regular expressions of questions. Whoever may read writes them, and any visitor writes what they are held against, so
 * they must match in linear time; JavaScript's own engine backtracks. Their syntax is RE2's (docs/decisions/0034).
 */
import type { RE2JS } from "re2js";
import { invariant } from "../../errors.ts";
import { bad, quote } from "../fields.ts";
import type { Filter } from "./request.ts";

/** Loaded with the first pattern, because it is as much code as all else that answers a question. */
let re2: typeof RE2JS | undefined;

/** Of all patterns of a question, as steps of their programs: together they take some 0.1 s for an address of 2,000 characters at worst. */
const MAX_STEPS = 2_000;

/** Resolves when `matcher` takes the patterns of these filters. Throws `bad_request` naming the field. */
export async function checkPatterns(filters: readonly Filter[]): Promise<void> {
  const patterns = filters.flatMap(patternsIn);
  if (patterns.length === 0) return;
  re2 ??= (await import("re2js")).RE2JS;
  let steps = 0;
  for (const text of patterns) {
    steps += stepsOf(text, re2);
    if (steps > MAX_STEPS) bad(`filters: ${quote(text)}: patterns with fewer or smaller repetitions`);
  }
}

/** Whether a value holds what the pattern says. Only after `checkPatterns`. */
export function matcher(text: string, caseSensitive: boolean): (value: string) => boolean {
  invariant(re2 !== undefined, () => `pattern ${text}: used before it was checked`);
  const pattern = re2.compile(text, caseSensitive ? 0 : re2.CASE_INSENSITIVE);
  return (value) => pattern.test(value);
}

function stepsOf(text: string, engine: typeof RE2JS): number {
  try {
    return engine.compile(text).programSize();
  } catch (error) {
    return bad(`filters: ${quote(text)}: ${(error as Error).message}`);
  }
}

function patternsIn(filter: Filter): readonly string[] {
  if (filter.kind === "test") return /^matches/.test(filter.operator) ? filter.values : [];
  return "filter" in filter ? patternsIn(filter.filter) : filter.filters.flatMap(patternsIn);
}
