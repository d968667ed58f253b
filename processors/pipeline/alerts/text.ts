/** Says an alert in a sentence: what, since when, and how far from what is expected. */
import { type EpochMs, MINUTE_MS } from "../../model/time.ts";
import type { Finding } from "./observe.ts";
import type { AlertRule } from "./rules.ts";

const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 1 });
const NAMES = { pageviews: "page views", visits: "visits", events: "events" } as const;

export function textOf(
  { site, kind, metric, minutes, limit }: AlertRule,
  state: "firing" | "over",
  { value, expected, spread, weeks }: Finding,
  since: EpochMs,
  now: EpochMs,
): string {
  const name = NAMES[metric];
  const from = `${new Date(since).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (state === "over") {
    const what = {
      spike: "the spike",
      drop: "the drop",
      above: `many ${name}`,
      below: `few ${name}`,
      silence: "the silence",
      rejects: "many rejects",
      lag: "the lag",
    }[kind];
    return `${site}: over after ${duration(now - since)}: ${what} since ${from}.`;
  }
  const usual = `${number(Math.round(expected))} ± ${number(Math.round(spread ?? 0))} are usual at this hour (median of ${weeks} weeks)`;
  const span = minutes === 1 ? "a minute" : `${minutes} minutes`;
  const times = expected > 0 ? `, ${number(value / expected)} times as many` : "";
  switch (kind) {
    case "spike":
      return `${site}: ${number(value)} ${name} in the last hour; ${usual}${times}. Since ${from}.`;
    case "drop":
      return `${site}: only ${number(value)} ${name} in the last hour; ${usual}. Since ${from}.`;
    case "above":
      return `${site}: ${number(value)} ${name} in ${span}, more than ${number(limit)}. Since ${from}.`;
    case "below":
      return `${site}: ${number(value)} ${name} in ${span}, fewer than ${number(limit)}. Since ${from}.`;
    case "silence":
      return `${site}: no event for ${span} or longer. Since ${from}.`;
    case "rejects":
      return `${site}: ${number(value)} % of what came in during half an hour was refused, more than ${number(limit)} %. Since ${from}.`;
    case "lag":
      return `${site}: the oldest click that is not counted has been waiting for ${number(value)} s, more than ${number(limit)} s. Since ${from}.`;
  }
}

function duration(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / MINUTE_MS));
  return minutes < 120 ? `${minutes} min` : `${number(Math.round(minutes / 60))} h`;
}
