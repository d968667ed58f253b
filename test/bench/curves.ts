/**
 * How processor time, stored bytes and answers grow with events, sites, shards and addresses: the product's own worker,
 * compaction and queries on SQLite, under a clock of their own. `npm run bench -- --curves` prints them.
 */
import { statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { keyedHash, randomBytes } from "../../processors/crypto.ts";
import { partitionKeyOf } from "../../processors/model/streamfile.ts";
import { DAY_MS, HOUR_MS } from "../../processors/model/time.ts";
import { ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import { encodeJson } from "../../processors/pipeline/json.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../processors/pipeline/sites.ts";
import { sqliteStore } from "../../processors/stores/sqlite.ts";
import { evenRanges, hashKey, isWithin } from "../../processors/streams/partition.ts";
import type { StreamRecord } from "../../processors/streams/stream.ts";
import { manualClock } from "../kit/clock.ts";
import { generate } from "../kit/generate.ts";
import { CORPUS_FROM } from "./corpus.ts";
import { cpuMs, median, short } from "./measure.ts";

interface Scale {
  readonly events: number;
  readonly sites: number;
  readonly shards: number;
  readonly addresses: number;
}

interface Cost {
  /** Processor milliseconds: counting on all shards, on the busiest, folding commits into rollups, one dashboard's questions. */
  readonly countMs: number;
  readonly busiestMs: number;
  readonly compactMs: number;
  readonly askMs: number;
  readonly bytes: number;
}

interface Curve {
  readonly name: keyof Scale;
  readonly values: readonly number[];
  readonly fixed: Scale;
}

const SMALL: Scale = { events: 20_000, sites: 1, shards: 1, addresses: 200 };
const CURVES: readonly Curve[] = [
  { name: "events", values: [1e4, 1e5, 1e6, 1e7], fixed: SMALL },
  { name: "sites", values: [1, 10, 100, 1_000], fixed: SMALL },
  { name: "shards", values: [1, 4, 16, 64], fixed: SMALL },
  { name: "addresses", values: [10, 1e3, 1e5, 1e6], fixed: { ...SMALL, events: 50_000 } },
];
const COLUMNS: readonly (readonly [of: keyof Cost, name: string])[] = [
  ["countMs", "count, ms"],
  ["busiestMs", "busiest shard, ms"],
  ["compactMs", "compact, ms"],
  ["askMs", "ask, ms"],
  ["bytes", "stored, B"],
];
const RECORDS_A_COMMIT = 250;
const COMMITS_A_COMPACTION = 40;
const ASKED_TIMES = 5;

/** The slope of the line through the logarithms, by least squares: y grows as x to this power. */
export function exponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (of: 0 | 1): number => logs.reduce((sum, point) => sum + point[of], 0) / logs.length;
  const [x0, y0] = [mean(0), mean(1)];
  const slope = (of: 0 | 1): number =>
    logs.reduce((sum, [x, y]) => sum + (x - x0) * (of ? y - y0 : x - x0), 0);
  return slope(1) / slope(0);
}

/** Prints each curve as a table; what would not end within its share of the budget is left out, and said so. */
export async function drawCurves(context: {
  readonly budgetMs: number;
  readonly seed: number;
  readonly directory: string;
  readonly print: (line: string) => void;
}): Promise<void> {
  const { budgetMs, print } = context;
  await measure(SMALL, context); // warms up
  for (const { name, values, fixed } of CURVES) {
    const endsAt = performance.now() + budgetMs / CURVES.length;
    const costs: (readonly [value: number, cost: Cost])[] = [];
    const left: number[] = [];
    let lastMs = 0;
    for (const value of values) {
      const grows = name === "events" ? 10 : 1;
      if (performance.now() + lastMs * grows > endsAt) {
        left.push(value);
        continue;
      }
      const startedAt = performance.now();
      costs.push([value, await measure({ ...fixed, [name]: value }, context)]);
      lastMs = performance.now() - startedAt;
    }
    print(`\n| ${name} | ${COLUMNS.map(([, title]) => title).join(" | ")} |`);
    print(`|---:|${COLUMNS.map(() => "---:|").join("")}`);
    for (const [value, cost] of costs)
      print(`| ${value.toLocaleString("en-US")} | ${COLUMNS.map(([of]) => short(cost[of])).join(" | ")} |`);
    if (costs.length > 1) {
      const slope = (of: keyof Cost) => exponent(costs.map(([value, cost]) => [value, cost[of]])).toFixed(2);
      print(`| exponent | ${COLUMNS.map(([of]) => slope(of)).join(" | ")} |`);
    }
    if (left.length > 0) print(`\nNot measured, for want of time: ${left.map(short).join(", ")} ${name}.`);
  }
}

/** A day of traffic at this scale, counted, compacted and asked about. */
async function measure(
  scale: Scale,
  { seed, directory }: { readonly seed: number; readonly directory: string },
): Promise<Cost> {
  const clock = manualClock(CORPUS_FROM);
  const path = join(await mkdtemp(join(directory, "g-")), "store.db");
  const store = sqliteStore({ path, clock });
  const sites = Array.from({ length: scale.sites }, (_, i) => `site-${i}.example`);
  await registerSites(
    store,
    clock,
    sites.map((id) => ({ id, timeZone: "UTC" })),
  );
  const deps = { store, clock, hash: keyedHash, randomBytes, country: () => "" };
  const shards = evenRanges(scale.shards).map((range, i) => ({
    range,
    worker: new ShardWorker(deps, { id: `shard-${i}`, parents: [] }),
    waiting: [] as StreamRecord[],
    ms: 0,
  }));
  let compactMs = 0;
  let commits = 0;
  const tidy = async (): Promise<void> => {
    compactMs += await cpuMs(async () => {
      while ((await compact({ store, clock })).more);
    });
  };
  const commit = async (shard: (typeof shards)[number]): Promise<void> => {
    const records = shard.waiting.splice(0);
    shard.ms += await cpuMs(() => shard.worker.process(records));
    if (++commits % COMMITS_A_COMPACTION === 0) await tidy();
  };
  let sequence = 0;
  const traffic = generate({
    seed,
    from: CORPUS_FROM,
    to: CORPUS_FROM + DAY_MS / 2,
    events: scale.events,
    sites,
    pages: scale.addresses,
    late: 0,
    duplicates: 0,
    skewed: 0,
    bots: 0,
  });
  for (const { arrival, envelope } of traffic) {
    clock.advanceTo(arrival);
    const partitionKey = partitionKeyOf(envelope);
    const hash = hashKey(partitionKey);
    const shard = shards.find(({ range }) => isWithin(hash, range))!;
    const data = encodeJson(envelope);
    shard.waiting.push({ sequence: String(++sequence), partitionKey, arrivalAt: arrival, data });
    if (shard.waiting.length >= RECORDS_A_COMMIT) await commit(shard);
  }
  for (const shard of shards) await commit(shard);
  await tidy();
  clock.advance(HOUR_MS);
  const asked: number[] = [];
  for (let i = 0; i < ASKED_TIMES; i++) {
    const engine = new QueryEngine({ store, clock, lagMs: async () => 0 });
    asked.push(await cpuMs(() => dashboard(engine, sites[0]!)));
  }
  await store.close();
  const times = shards.map(({ ms }) => ms);
  return {
    countMs: times.reduce((sum, ms) => sum + ms, 0),
    busiestMs: Math.max(...times),
    compactMs,
    askMs: median(asked),
    bytes: statSync(path).size,
  };
}

/** What a page that was just opened asks of today. */
async function dashboard(engine: QueryEngine, site: string): Promise<void> {
  const today = { site_id: site, metrics: ["visitors", "visits", "pageviews"], date_range: "day" };
  await engine.query(today);
  await engine.query({ ...today, dimensions: ["time:hour"] });
  for (const dimension of ["event:page", "visit:source", "visit:country", "visit:device"])
    await engine.query({
      ...today,
      metrics: ["visitors"],
      dimensions: [dimension],
      pagination: { limit: 9 },
    });
}
