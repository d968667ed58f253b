/** Holds a rule against a site's numbers as readers get them. Decides nothing about whom to tell, or when. */
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS, windowStart } from "../../model/time.ts";
import { hourEnd, hourStart, offsetMs } from "../../model/zone.ts";
import type { QueryEngine } from "../query/engine.ts";
import { expectation } from "./baseline.ts";
import type { AlertMetric, AlertRule } from "./rules.ts";

/** What a rule finds wrong. */
export interface Finding {
  readonly value: number;
  /** What it is held against: the limit, or what is usual. */
  readonly expected: number;
  /** How far an ordinary week strays from `expected`; only where that is what is usual. */
  readonly spread?: number;
  readonly weeks?: number;
  /** Since when, as far as the numbers tell; else it is the moment of finding. */
  readonly since?: EpochMs;
}

const WEEK_MS = 7 * DAY_MS;
const WEEKS = 5;
/** Below this, chance alone doubles numbers. */
const LEAST_COUNT = 20;
/** However steady a site is, less than this is no news. */
const LEAST_RATIO = 1.5;

/** Kinds that find too little: what waits to be counted looks the same. */
const OF_LITTLE: ReadonlySet<AlertRule["kind"]> = new Set(["drop", "below", "silence"]);
/** Kinds that find too much: while some of it waits to be counted, it looks as if it were over. */
const OF_MUCH: ReadonlySet<AlertRule["kind"]> = new Set(["spike", "above", "rejects"]);
/** What waits for less is in the last minute, and that alone is no finding. */
const BEHIND_MS = MINUTE_MS;

/**
 * Undefined when all is well; "unknown" when clicks wait to be counted that may say otherwise. `zone` is the site's,
 * `wasFound` whether the rule found something before. Throws what the engine throws.
 */
export async function observe(
  rule: AlertRule,
  zone: string,
  engine: Pick<QueryEngine, "query" | "live">,
  { now, wasFound }: { readonly now: EpochMs; readonly wasFound: boolean },
): Promise<Finding | "unknown" | undefined> {
  const finding = await find(rule, zone, engine, now);
  const isOpen = finding ? OF_LITTLE.has(rule.kind) : wasFound && OF_MUCH.has(rule.kind);
  const isBehind = async () => (await engine.live(rule.site)).lag_ms > BEHIND_MS;
  return isOpen && (await isBehind()) ? "unknown" : finding;
}

async function find(
  rule: AlertRule,
  zone: string,
  engine: Pick<QueryEngine, "query" | "live">,
  now: EpochMs,
): Promise<Finding | undefined> {
  const { site, metric, limit, kind } = rule;
  const end = windowStart(now, MINUTE_MS);
  const from = end - rule.minutes * MINUTE_MS;
  switch (kind) {
    case "above": {
      const value = await count(engine, site, metric, from, end);
      return value > limit ? { value, expected: limit } : undefined;
    }
    case "below": {
      if (from < rule.createdAt) return undefined;
      const value = await count(engine, site, metric, from, end);
      return value < limit ? { value, expected: limit } : undefined;
    }
    case "silence": {
      if (from < rule.createdAt) return undefined;
      const value = await count(engine, site, "events", from, end);
      return value === 0 ? { value, expected: 1, since: from } : undefined;
    }
    case "rejects": {
      const { minutes, rejected } = await engine.live(site);
      const counted = minutes.reduce((sum, { events }) => sum + events, 0);
      const { bot: _, duplicate: __, dropped: ___, ...telling } = rejected;
      const refused = Object.values(telling).reduce((sum, number) => sum + number, 0);
      const value = (100 * refused) / Math.max(1, counted + refused);
      return refused >= LEAST_COUNT && value > limit
        ? { value: Math.round(value * 10) / 10, expected: limit }
        : undefined;
    }
    case "lag": {
      const value = (await engine.live(site)).lag_ms / 1_000;
      return value > limit
        ? { value: Math.round(value), expected: limit, since: now - value * 1_000 }
        : undefined;
    }
    case "spike":
    case "drop": {
      const value = await count(engine, site, metric, end - HOUR_MS, end);
      const usual = expectation(await earlierWeeks(engine, { site, metric, zone, end }));
      if (!usual) return undefined;
      const { expected, spread } = usual;
      const isOdd =
        kind === "spike"
          ? value >= LEAST_COUNT && value > expected + limit * spread && value > LEAST_RATIO * expected
          : expected >= LEAST_COUNT && value < expected - limit * spread && value * LEAST_RATIO < expected;
      return isOdd ? { value, ...usual } : undefined;
    }
  }
}

const iso = (at: EpochMs): string => new Date(at).toISOString();

/** 0 where a part of it is not kept. */
async function count(
  engine: Pick<QueryEngine, "query">,
  site: string,
  metric: AlertMetric,
  from: EpochMs,
  to: EpochMs,
): Promise<number> {
  const { results, meta } = await engine.query({
    site_id: site,
    metrics: [metric],
    date_range: [iso(from), iso(to)],
  });
  return meta.kept_from === undefined ? Number(results[0]?.metrics[0] ?? 0) : 0;
}

/**
 * The same hour of the last weeks by the site's clock, out of its hours in proportion, since minutes are not kept that
 * long. A week whose day held nothing, or is not kept whole, was before the site, or an outage: it says nothing of what is
 * usual.
 */
async function earlierWeeks(
  engine: Pick<QueryEngine, "query">,
  {
    site,
    metric,
    zone,
    end,
  }: { readonly site: string; readonly metric: AlertMetric; readonly zone: string; readonly end: EpochMs },
): Promise<number[]> {
  const found: number[] = [];
  for (let week = 1; week <= WEEKS; week++) {
    const at = end - week * WEEK_MS;
    const to = at + offsetMs(zone, end) - offsetMs(zone, at);
    const hour = hourStart(zone, to);
    const next = hourEnd(zone, to);
    const [before, during, day] = await Promise.all([
      count(engine, site, metric, hourStart(zone, hour - 1), hour),
      count(engine, site, metric, hour, next),
      count(engine, site, metric, hourStart(zone, next - DAY_MS), next),
    ]);
    if (day === 0) continue;
    const part = (to - hour) / (next - hour);
    found.push((1 - part) * before + part * during);
  }
  return found;
}
