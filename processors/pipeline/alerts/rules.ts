/** What a site's owner wants to be told of: rules, checked and kept in the store. Knows no numbers and nobody to tell. */
import { ClickstreamError } from "../../errors.ts";
import { type EpochMs, HOUR_MS, MINUTE_MS } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import { decodeJson, encodeJson } from "../json.ts";
import { LEAST_PART } from "./baseline.ts";

/** Metrics that are sums, so that parts of hours can be compared. */
export const ALERT_METRICS = ["pageviews", "visits", "events"] as const;
export type AlertMetric = (typeof ALERT_METRICS)[number];

export const ALERT_KINDS = ["spike", "drop", "above", "below", "silence", "rejects", "lag"] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

export interface AlertRule {
  readonly id: string;
  readonly site: string;
  readonly kind: AlertKind;
  /** `spike`, `drop`, `above`, `below`. Default pageviews. */
  readonly metric: AlertMetric;
  /**
   * `above`, `below`: the number, over `minutes`. `rejects`: percent of what came in. `lag`: seconds. `spike`, `drop`: how
   * many spreads from what is expected; see baseline.ts.
   */
  readonly limit: number;
  /** What is looked at, up to now: `above`, `below` and `silence`. `spike` and `drop` look at an hour, `rejects` at half of one. */
  readonly minutes: number;
  /** For so long after it was told, the same is not told again. */
  readonly holdOffMs: number;
  /** Is posted to besides; see docs/alerts.md. */
  readonly webhook?: string;
  readonly createdAt: EpochMs;
}

const DEFAULTS: Readonly<Record<AlertKind, { limit: number; minutes: number }>> = {
  spike: { limit: 6, minutes: 60 },
  drop: { limit: 6, minutes: 60 },
  above: { limit: Number.NaN, minutes: 5 },
  below: { limit: Number.NaN, minutes: 60 },
  silence: { limit: 0, minutes: 30 },
  rejects: { limit: 5, minutes: 30 },
  lag: { limit: 60, minutes: 1 },
};

/** What may be said of a rule of each kind; it goes by nothing else. */
export const TAKES: Readonly<Record<AlertKind, readonly ("metric" | "limit" | "minutes")[]>> = {
  spike: ["metric", "limit"],
  drop: ["metric", "limit"],
  above: ["metric", "limit", "minutes"],
  below: ["metric", "limit", "minutes"],
  silence: ["minutes"],
  rejects: ["limit"],
  lag: ["limit"],
};

const MAX_RULES = 50;
/** Minutes are kept for eight days; a day is as far as anybody wants to look back for a threshold. */
const MAX_MINUTES = 24 * 60;
export const MAX_HOLD_OFF_MS = 7 * 24 * HOUR_MS;

/** What an owner says of a rule; the rest has defaults. */
export interface RuleRequest {
  readonly kind: string;
  readonly metric?: string;
  readonly limit?: number;
  readonly minutes?: number;
  readonly holdOffMinutes?: number;
  readonly webhook?: string;
}

/** Throws `config` naming what is wrong. */
export function ruleOf(site: string, id: string, createdAt: EpochMs, asked: RuleRequest): AlertRule {
  const { kind, metric = "pageviews", limit, minutes, holdOffMinutes = 60, webhook } = asked;
  const known = oneOf(ALERT_KINDS, kind, "kind");
  for (const field of ["metric", "limit", "minutes"] as const)
    if (asked[field] !== undefined && !TAKES[known].includes(field)) throw wrong(field, `${kind} takes none`);
  const rule = {
    id,
    site,
    kind: known,
    metric: oneOf(ALERT_METRICS, metric, "metric"),
    limit: limit ?? DEFAULTS[known].limit,
    minutes: minutes ?? DEFAULTS[known].minutes,
    holdOffMs: holdOffMinutes * MINUTE_MS,
    createdAt,
    ...(webhook === undefined ? {} : { webhook: address(webhook) }),
  };
  if (!(rule.limit >= 0 && rule.limit <= 1e12))
    throw wrong("limit", `a number from 0 on is needed for ${kind}`);
  // What would never tell: nothing is less than none, and no more is refused than all.
  if (known === "rejects" && rule.limit >= 100)
    throw wrong("limit", "a percentage below 100 is needed for rejects");
  if (known === "below" && rule.limit === 0) throw wrong("limit", "a number above 0 is needed for below");
  if (known === "drop" && rule.limit * LEAST_PART >= 1)
    throw wrong("limit", `a number below ${1 / LEAST_PART} is needed for drop`);
  if (!(Number.isInteger(rule.minutes) && rule.minutes >= 1 && rule.minutes <= MAX_MINUTES))
    throw wrong("minutes", `1 to ${MAX_MINUTES} whole minutes`);
  if (!(rule.holdOffMs >= MINUTE_MS && rule.holdOffMs <= MAX_HOLD_OFF_MS))
    throw wrong("hold-off", `1 to ${MAX_HOLD_OFF_MS / MINUTE_MS} minutes`);
  return rule;
}

const wrong = (field: string, message: string): ClickstreamError =>
  new ClickstreamError("config", `${field}: ${message}`);

function oneOf<T extends string>(values: readonly T[], value: string, field: string): T {
  const found = values.find((known) => known === value);
  if (!found) throw wrong(field, `"${value}" is none of ${values.join(", ")}`);
  return found;
}

function address(text: string): string {
  if (!/^https?:\/\/[^\s/@]+(?:\/\S*)?$/.test(text) || text.length > 2_000 || !URL.canParse(text))
    throw wrong("webhook", `"${text.slice(0, 80)}" is no http(s) address without a password`);
  return text;
}

const PK = "alert-rule";
export const ruleKey = (site: string, id: string) => ({ pk: PK, sk: `${site}\u0000${id}` });

/** Throws `config` when a site has too many. */
export async function addRule(store: Store, rule: AlertRule): Promise<void> {
  if ((await listRules(store, rule.site)).length >= MAX_RULES)
    throw new ClickstreamError("config", `site ${rule.site} has ${MAX_RULES} rules, which is the most`);
  const value = encodeJson(rule);
  if (!(await store.put({ ...ruleKey(rule.site, rule.id), value }, 0)))
    throw new ClickstreamError("config", `rule ${rule.id} exists`);
}

/** Of one site, or of all. */
export async function listRules(store: Store, site?: string): Promise<AlertRule[]> {
  const range = site === undefined ? {} : { from: `${site}\u0000`, to: `${site}\u0001` };
  return (await store.list(PK, range)).map(({ value }) => decodeJson<AlertRule>(value));
}
