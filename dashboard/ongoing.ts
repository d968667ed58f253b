/** Which of a site's alerts still hold, and what each says. Pure. */
import type { Alert } from "./answers.ts";
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

/** The last word on each rule, where it is that something is wrong. */
export function ongoing(recent: readonly Alert[]): Alert[] {
  const newest = new Map<string, Alert>();
  for (const alert of recent.toSorted((a, b) => b.at - a.at))
    if (!newest.has(alert.rule)) newest.set(alert.rule, alert);
  return [...newest.values()].filter(({ state }) => state === "firing");
}

/** In the unit of its kind; what began on another day says on which. */
export function alertText(
  { kind, since, value, expected }: Alert,
  { strings, format }: Pick<View, "strings" | "format">,
  now: number,
): string {
  const amount = (of: number): string =>
    kind === "lag"
      ? format.lag(of * 1_000)
      : kind === "rejects"
        ? format.metric("conversion_rate", of)
        : format.count(of);
  const [day, clock] = [format.day(since), format.clock(since)];
  return fill(strings.alert, {
    what: strings[`alert_${kind}`],
    time: day === format.day(now) ? clock : `${day}, ${clock}`,
    value: amount(value),
    expected: amount(expected),
  });
}
