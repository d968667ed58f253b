/** Every metric by every dimension over every kind of range, against an oracle that counts the same lines by other means. */
import { beforeAll, describe, expect, it } from "vitest";
import { VITALS } from "../../../processors/model/event.ts";
import { type Metric, PLAIN_METRICS } from "../../../processors/pipeline/query/request.ts";
import type { QueryResponse } from "../../../processors/pipeline/query/responses.ts";
import { generate } from "../../kit/generate.ts";
import { metricOf, newTally, Oracle } from "../../kit/oracle.ts";
import { DIMENSIONS } from "../../kit/questions.ts";
import { Random } from "../../kit/random.ts";
import { type ReplayResult, replay } from "../../kit/replay.ts";
import { disturb } from "../../kit/schedule.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_323);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SITE = "shop.example";

const VITAL_METRICS = VITALS.flatMap((name) => [`${name}_p75`, `${name}_p95`]) as Metric[];
const ALL_METRICS: readonly Metric[] = [...PLAIN_METRICS, ...VITAL_METRICS];
const OF_VISITS = ["bounce_rate", "visit_duration", "views_per_visit", "engaged_time"];

/** The metrics that a dimension has, by the documented rules. */
function metricsFor(dimension: string | undefined): Metric[] {
  // Only the archive knows it: test/processors/pipeline/explore/equal.test.ts holds it to its meaning.
  const absent = new Set<string>(["group_conversion_rate"]);
  if (dimension === undefined) for (const name of ["percentage", "conversion_rate"]) absent.add(name);
  else if (!dimension.startsWith("event:")) absent.add("conversion_rate");
  else for (const name of OF_VISITS) absent.add(name);
  if (dimension === "event:page") for (const name of ["bounce_rate", "visit_duration"]) absent.delete(name);
  if (dimension === "visit:exit_page")
    for (const name of ["scroll_depth", "time_on_page", "total_revenue", "average_revenue"]) absent.add(name);
  return ALL_METRICS.filter((name) => !absent.has(name));
}

/** Calendar fields by the platform's own formatter, not by the code under test. */
function localFields(zone: string): (at: number) => string {
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone,
    dateStyle: "short",
    timeStyle: "medium",
  });
  const cache = new Map<number, string>();
  return (at) => {
    const minute = Math.floor(at / MINUTE);
    let text = cache.get(minute);
    if (text === undefined) {
      text = format.format(minute * MINUTE);
      cache.set(minute, text);
    }
    return text;
  };
}

function bucketName(time: string, local: (at: number) => string): (at: number) => string {
  const monday = (date: string): string => {
    const at = Date.parse(date);
    return new Date(at - ((new Date(at).getUTCDay() + 6) % 7) * DAY).toISOString().slice(0, 10);
  };
  switch (time) {
    case "time:minute":
      return (at) => `${local(at).slice(0, 16)}:00`;
    case "time:hour":
      return (at) => `${local(at).slice(0, 13)}:00:00`;
    case "time:day":
      return (at) => local(at).slice(0, 10);
    case "time:week":
      return (at) => monday(local(at).slice(0, 10));
    default:
      return (at) => `${local(at).slice(0, 7)}-01`;
  }
}

const isPercentile = (metric: string): boolean => /_p\d+$/.test(metric);

/** Whether an answer is the expected one: percentiles within their error, all else exactly. */
function agree(metric: Metric, actual: unknown, expected: unknown): boolean {
  if (typeof expected === "object" && expected !== null) {
    // Money, which the answer writes out besides.
    const money = actual as Readonly<Record<string, unknown>> | null;
    return Object.entries(expected).every(([name, value]) => money?.[name] === value);
  }
  if (!isPercentile(metric) || expected === null || actual === null) return actual === expected;
  const allowed = 0.0101 * (expected as number) + (metric.startsWith("cls") ? 0.0005 : 0.5);
  return Math.abs((actual as number) - (expected as number)) <= allowed;
}

interface World {
  readonly name: string;
  readonly zone: string;
  /** Local midnight by the zone's own offset on that day. */
  readonly midnight: number;
  readonly hours: number;
  readonly seed: number;
}

// Whole days first, then the day on which the clocks of New York change, then zones that are off the hour.
const worlds: World[] = [
  { name: "a day and a half in UTC", zone: "UTC", midnight: Date.UTC(2026, 2, 9), hours: 36, seed: SEED },
  {
    name: "a day and a half in Seoul",
    zone: "Asia/Seoul",
    midnight: Date.UTC(2026, 2, 9, -9),
    hours: 36,
    seed: SEED + 1,
  },
  {
    name: "two days in Kathmandu",
    zone: "Asia/Kathmandu",
    midnight: Date.UTC(2026, 2, 9, -5, -45),
    hours: 48,
    seed: SEED + 2,
  },
  {
    name: "New York when an hour is skipped",
    zone: "America/New_York",
    midnight: Date.UTC(2026, 2, 8, 5),
    hours: 40,
    seed: SEED + 3,
  },
];

describe.each(worlds)("$name (seed $seed)", ({ zone, midnight, hours, seed }) => {
  const random = new Random(seed);
  const options = {
    duplicates: random.pick([0, 0.1]),
    shuffle: random.pick([0, 20_000]),
    lateBy: random.pick([0, 20 * MINUTE]),
  };
  const recorded = [
    ...generate({
      seed,
      from: midnight,
      to: midnight + hours * HOUR,
      events: 1_500,
      sites: [SITE, "blog"],
      pages: 25,
      late: 0.05,
    }),
  ];
  const lines = disturb(recorded, options, random);
  const local = localFields(zone);
  let replayed: ReplayResult;
  let oracle: Oracle;

  beforeAll(async () => {
    const sites = [
      { id: SITE, timeZone: zone },
      { id: "blog", timeZone: "UTC" },
    ];
    replayed = await replay(lines, { seed, crashAt: "random", sites, shards: random.pick([1, 3]) });
    oracle = new Oracle(lines, { sites: sites.map(({ id }) => id) });
  });

  const ask = (body: Record<string, unknown>): Promise<QueryResponse> =>
    replayed.query({ site_id: SITE, ...body });

  async function compare(
    dateRange: unknown,
    from: number,
    to: number,
    dimension: string | undefined,
    time?: string,
  ): Promise<number> {
    // Whether a visitor already counted for an exit page is known for all their visits together, not for a part.
    const hasAllVisits = from <= span().from && to >= span().to && !time;
    const metrics = metricsFor(dimension).filter(
      (name) =>
        dimension !== "visit:exit_page" ||
        hasAllVisits ||
        !["visitors", "percentage", "conversion_rate"].includes(name),
    );
    const dimensions = [...(time ? [time] : []), ...(dimension ? [dimension] : [])];
    const { results, meta } = await ask({ metrics, date_range: dateRange, dimensions });
    const where = JSON.stringify({ seed, dateRange, dimensions });
    const bucketOf = time ? bucketName(time, local) : () => "";
    const question = { site: SITE, from, to, bucketOf };
    const rows = oracle.tally({ ...question, ...(dimension ? { dimension } : {}) });
    if (!dimension && !time && rows.size === 0) rows.set('["",""]', newTally());
    const entries =
      dimension === "event:page" ? oracle.tally({ ...question, dimension: "visit:entry_page" }) : rows;
    const everybody = oracle.tally({ site: SITE, from, to }).get('["",""]')?.visitors.size ?? 0;
    const keyOf = (names: readonly string[]): string =>
      JSON.stringify([time ? names[0] : "", dimension ? names.at(-1) : ""]);
    expect(results.map(({ dimensions: names }) => keyOf(names)).sort(), where).toEqual(
      [...rows.keys()].sort(),
    );
    // One assertion for all of them: tens of thousands would take longer than what they look at.
    const wrong: string[] = [];
    for (const result of results) {
      const key = keyOf(result.dimensions);
      const row = rows.get(key) ?? newTally();
      for (const [i, metric] of metrics.entries()) {
        const actual = result.metrics[i];
        const expected = metricOf(metric, row, entries.get(key) ?? newTally(), everybody);
        if (!agree(metric, actual, expected))
          wrong.push(`${key} ${metric}: ${JSON.stringify(actual)} in place of ${JSON.stringify(expected)}`);
      }
    }
    for (const metric of metrics)
      if (!isPercentile(metric) && meta.error[metric] !== 0)
        wrong.push(`the error of ${metric}: ${meta.error[metric]}`);
    expect(wrong, where).toEqual([]);
    return results.length;
  }

  const dimensions = (): (string | undefined)[] => [undefined, ...DIMENSIONS, ...oracle.props(SITE)];
  /** Whole minutes that hold everything. */
  const span = (): { from: number; to: number } => {
    const { from, to } = oracle.span(SITE);
    return { from: Math.floor(from / MINUTE) * MINUTE, to: to + 1 };
  };
  const dayOf = (at: number): string => local(at).slice(0, 10);
  /** Local midnight after the one given: the first minute with another date. */
  const nextMidnight = (from: number): number => {
    let at = from + 22 * HOUR;
    while (dayOf(at) === dayOf(from)) at += MINUTE;
    return at;
  };

  it("counts what was refused, repeated and late", () => {
    expect(replayed.counters).toEqual(oracle.counters);
    expect(oracle.counters.late).toBeGreaterThan(0);
    expect(oracle.counters.rejects.bot).toBeGreaterThan(0);
    expect(oracle.counters.rejects.duplicate).toBeGreaterThan(0);
  });

  it("answers every metric by every dimension over all time", async () => {
    const { from, to } = span();
    const [first, last] = [dayOf(from), dayOf(to)];
    let rows = 0;
    for (const dimension of dimensions()) {
      rows += await compare([first, last], from, to, dimension);
      await compare("all", from, to, dimension);
    }
    expect(rows).toBeGreaterThan(150);
  });

  it("answers every metric by every dimension for one day", async () => {
    const to = nextMidnight(midnight);
    for (const dimension of dimensions())
      await compare([dayOf(midnight), dayOf(midnight)], midnight, to, dimension);
  });

  it("answers every metric by every dimension for a range that begins and ends amid an hour", async () => {
    const from = midnight + 3 * HOUR + 7 * MINUTE;
    const to = midnight + 26 * HOUR + 43 * MINUTE;
    const range = [new Date(from).toISOString(), new Date(to).toISOString()];
    for (const dimension of dimensions()) await compare(range, from, to, dimension);
  });

  it("answers every metric by every dimension for the last 30 minutes, today, and the last 24 hours", async () => {
    const now = replayed.clock.now();
    const minute = Math.floor(now / MINUTE) * MINUTE + MINUTE;
    let hour = minute;
    while (!local(hour).endsWith(":00:00")) hour += MINUTE;
    let today = minute - MINUTE;
    while (dayOf(today - MINUTE) === dayOf(now)) today -= MINUTE;
    for (const dimension of dimensions()) {
      await compare("realtime", minute - 30 * MINUTE, minute, dimension);
      await compare("day", today, nextMidnight(today), dimension);
      await compare("24h", hour - DAY, hour, dimension);
    }
  });

  it.each(["time:minute", "time:hour", "time:day", "time:week", "time:month"])("cuts by %s", async (time) => {
    const { from, to } = span();
    const range = [dayOf(from), dayOf(to)];
    for (const dimension of [undefined, "event:page", "visit:source", "visit:exit_page", "event:goal"])
      expect(await compare(range, from, to, dimension, time)).toBeGreaterThan(0);
  });
});
