/** Holds a rule against a site's numbers as readers get them. Decides nothing about whom to tell, or when. */
import { type EpochMs, HOUR_MS, MINUTE_MS, windowStart } from "../../model/time.ts";
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

const WEEK_MS = 7 * 24 * HOUR_MS;
const WEEKS = 5;
/** Below this, chance alone doubles numbers. */
const LEAST_COUNT = 20;
/** However steady a site is, less than this is no news. */
const LEAST_RATIO = 1.5;

/** Undefined when all is well, or when nothing can be said. Throws what the engine throws. */
export async function observe(
  rule: AlertRule,
  engine: Pick<QueryEngine, "query" | "live">,
  now: EpochMs,
): Promise<Finding | undefined> {
  const { site, metric, limit, kind } = rule;
  const end = windowStart(now, MINUTE_MS);
  const lately = (): Promise<number> => count(engine, site, metric, end - rule.minutes * MINUTE_MS, end);
  switch (kind) {
    case "above": {
      const value = await lately();
      return value > limit ? { value, expected: limit } : undefined;
    }
    case "below": {
      if (end - rule.minutes * MINUTE_MS < rule.createdAt) return undefined;
      const value = await lately();
      return value < limit ? { value, expected: limit } : undefined;
    }
    case "silence": {
      const from = end - rule.minutes * MINUTE_MS;
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
      const usual = expectation(await earlierWeeks(engine, site, metric, end));
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

async function count(
  engine: Pick<QueryEngine, "query">,
  site: string,
  metric: AlertMetric,
  from: EpochMs,
  to: EpochMs,
): Promise<number> {
  const { results } = await engine.query({
    site_id: site,
    metrics: [metric],
    date_range: [iso(from), iso(to)],
  });
  return Number(results[0]?.metrics[0] ?? 0);
}

/**
 * The same hour of the last weeks, out of hours in proportion, since minutes are not kept that long. A week whose day held
 * nothing was before the site, or an outage: it says nothing of what is usual.
 */
async function earlierWeeks(
  engine: Pick<QueryEngine, "query">,
  site: string,
  metric: AlertMetric,
  end: EpochMs,
): Promise<number[]> {
  const found: number[] = [];
  for (let week = 1; week <= WEEKS; week++) {
    const to = end - week * WEEK_MS;
    const hour = windowStart(to, HOUR_MS);
    const [before, during, day] = await Promise.all([
      count(engine, site, metric, hour - HOUR_MS, hour),
      count(engine, site, metric, hour, hour + HOUR_MS),
      count(engine, site, metric, hour - 23 * HOUR_MS, hour + HOUR_MS),
    ]);
    if (day === 0) continue;
    const part = (to - hour) / HOUR_MS;
    found.push((1 - part) * before + part * during);
  }
  return found;
}
