/** Which of a site's alerts still hold. Pure. */
import type { Alert } from "./answers.ts";

/** The last word on each rule, where it is that something is wrong. */
export function ongoing(recent: readonly Alert[]): Alert[] {
  const newest = new Map<string, Alert>();
  for (const alert of recent.toSorted((a, b) => b.at - a.at))
    if (!newest.has(alert.rule)) newest.set(alert.rule, alert);
  return [...newest.values()].filter(({ state }) => state === "firing");
}
