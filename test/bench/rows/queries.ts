/** One round of all that the dashboard asks, over a month and a year of ten million events a month, while clicks come in. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { partitionKeyOf } from "../../../processors/model/streamfile.ts";
import { DAY_MS, SECOND_MS } from "../../../processors/model/time.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import { manualClock } from "../../kit/clock.ts";
import { generate } from "../../kit/generate.ts";
import type { BenchContext, Benchmark, Measured } from "../benchmark.ts";
import { cpuMs, wallMs } from "../measure.ts";
import { fillYear, writeParquet, type Year } from "../years.ts";

const SITE = "shop.example";
const NOW = Date.UTC(2026, 10, 18, 15, 30);
const EVENTS_A_DAY = 333_333;
const HEADLINE = [
  "visitors",
  "visits",
  "pageviews",
  "views_per_visit",
  "bounce_rate",
  "visit_duration",
  "total_revenue",
];
const PANELS: readonly (readonly [dimension: string, metrics: readonly string[]])[] = [
  ["event:page", ["visitors", "pageviews"]],
  ["visit:entry_page", ["visitors", "visits"]],
  ["visit:exit_page", ["visitors", "visits"]],
  ["visit:channel", ["visitors", "visits"]],
  ["visit:source", ["visitors", "visits"]],
  ["visit:referrer", ["visitors", "visits"]],
  ["visit:country", ["visitors", "visits"]],
  ["visit:device", ["visitors", "visits"]],
  ["visit:browser", ["visitors", "visits"]],
  ["event:goal", ["visitors", "events", "conversion_rate"]],
];

/** What a page that is open asks again: headline and comparison, chart, live strip, and the first tabs of all panels. */
export async function round(engine: QueryEngine, range: string): Promise<void> {
  const ask = (more: object) =>
    engine.query({ site_id: SITE, metrics: HEADLINE, date_range: range, ...more });
  await engine.live(SITE);
  await ask({ include: { compare: "previous_period" } });
  await ask({ dimensions: [range === "30d" ? "time:day" : "time:month"] });
  for (const [dimension, metrics] of PANELS)
    await ask({ dimensions: [dimension], metrics, pagination: { limit: 9 } });
}

interface Stand {
  readonly engine: () => QueryEngine;
  readonly year: Year;
  /** Counts a few new events, compacts now and then, and moves the clock on. */
  readonly live: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function stand(
  { directory, seed }: BenchContext,
  days: number,
  eventsADay: number,
): Promise<Stand> {
  const clock = manualClock(NOW);
  const store = sqliteStore({ path: join(directory, `${days}-${eventsADay}.db`), clock });
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  const year = await fillYear(store, { site: SITE, now: NOW, days, eventsADay, seed });
  const worker = new ShardWorker(
    { store, clock, hash: keyedHash, randomBytes, country: () => "KR" },
    { id: "shard-0", parents: [] },
  );
  const lines = [
    ...generate({ seed, from: NOW, to: NOW + DAY_MS / 24, events: 20_000, sites: [SITE], pages: 200 }),
  ];
  let next = 0;
  const live = async (): Promise<void> => {
    clock.advance(SECOND_MS);
    const records = lines.slice(next, next + 5).map(({ envelope }, i) => ({
      sequence: String(next + i + 1),
      partitionKey: partitionKeyOf(envelope),
      arrivalAt: clock.now(),
      data: encodeJson({ ...envelope, at: clock.now() }),
    }));
    next += 5;
    await worker.process(records);
    if (next % 50 === 0) await compact({ store, clock });
  };
  // A store whose logs are all empty has counted nothing, and readers keep nothing of it.
  await live();
  return {
    year,
    live,
    engine: () => new QueryEngine({ store, clock, lagMs: async () => 0 }),
    close: () => store.close(),
  };
}

/** Milliseconds of rounds with a commit before each, by the clock and of the processor; `cold` is the first of an engine that knows nothing. */
export async function rounds(
  { engine, live }: Stand,
  range: string,
  count: number,
): Promise<{ cold: number; warm: number[]; processor: number[] }> {
  const one = engine();
  const cold = await wallMs(() => round(one, range));
  const warm: number[] = [];
  const processor: number[] = [];
  for (let i = 0; i < count; i++) {
    await live();
    const work = cpuMs(async () => warm.push(await wallMs(() => round(one, range))));
    processor.push(await work);
  }
  const upwards = (a: number, b: number): number => a - b;
  return { cold, warm: warm.sort(upwards), processor: processor.sort(upwards) };
}

const share = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;

/** The same breakdowns from single events, with DuckDB's own approximate distinct count. */
async function duckRound(files: readonly string[]): Promise<() => Promise<void>> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const list = `[${files.map((file) => `'${file.replaceAll("'", "''")}'`).join(",")}]`;
  await connection.run(`CREATE VIEW events AS SELECT * FROM read_parquet(${list})`);
  const columns = PANELS.map(([dimension]) => dimension.slice(dimension.indexOf(":") + 1)).filter(
    (name) => name !== "goal",
  );
  return async () => {
    await connection.runAndReadAll(
      "SELECT approx_count_distinct(visitor), count(*), sum(first = '1') FROM events",
    );
    for (const name of columns)
      await connection.runAndReadAll(
        `SELECT "${name}", approx_count_distinct(visitor) v, count(*) FROM events WHERE "${name}" IS NOT NULL GROUP BY 1 ORDER BY v DESC LIMIT 9`,
      );
  };
}

const measured = (value: number, baseline: number, runs: number): Measured => {
  const ratio = value / baseline;
  return { value, baseline, ratio, spread: [ratio, ratio], runs, discarded: 0 };
};

const against = (id: string, range: string, days: number, limitMs: number): Benchmark => ({
  id,
  what: `one dashboard round (13 queries) over ${range} of 10 million events a month on SQLite, p99 of warm rounds with a commit before each, ms (bound ${limitMs})`,
  against: `10 of these queries by DuckDB over the same ${days} days of events as Parquet`,
  unit: "ms",
  better: "lower",
  floor: 0.1,
  aim: 0.02,
  async run(context) {
    const place = await stand(context, days, EVENTS_A_DAY);
    try {
      const { cold, warm, processor } = await rounds(place, range, 200);
      const duck = await duckRound(await writeParquet(place.year, context.directory, days));
      const theirs = await wallMs(duck);
      context.note(
        `${id}: p50 ${share(warm, 0.5).toFixed(1)} ms, p99 ${share(warm, 0.99).toFixed(1)} ms, longest ${warm.at(-1)!.toFixed(1)} ms of ${warm.length} rounds; of the processor p50 ${share(processor, 0.5).toFixed(1)} ms, p99 ${share(processor, 0.99).toFixed(1)} ms; the first round of a new process ${Math.round(cold)} ms`,
      );
      return measured(share(warm, 0.99), theirs, warm.length);
    } finally {
      await place.close();
    }
  },
});

const growth: Benchmark = {
  id: "round-growth",
  what: "the warm round over 30 days at 10 million events a month, p50",
  against: "the same at a hundredth of the events",
  unit: "ms",
  better: "lower",
  floor: 2,
  aim: 1.5,
  async run(context) {
    const [many, few] = [
      await stand(context, 61, EVENTS_A_DAY),
      await stand(context, 61, EVENTS_A_DAY / 100),
    ];
    try {
      const [big, small] = [await rounds(many, "30d", 100), await rounds(few, "30d", 100)];
      return measured(share(big.warm, 0.5), share(small.warm, 0.5), big.warm.length);
    } finally {
      await many.close();
      await few.close();
    }
  },
};

export const benchmarks: readonly Benchmark[] = [
  against("round-30d", "30d", 61, 50),
  against("round-12mo", "12mo", 366, 150),
  growth,
];
