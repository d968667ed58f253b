/** The law of counting on random traffic: any batching, repeat, delay or crash gives the bytes of the undisturbed run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteStore } from "../../processors/stores/sqlite.ts";
import { manualClock } from "../kit/clock.ts";
import { generate, type StreamLine } from "../kit/generate.ts";
import { Random } from "../kit/random.ts";
import { type ReplayOptions, type ReplayResult, replay } from "../kit/replay.ts";

export interface Trial {
  readonly lines: readonly StreamLine[];
  readonly expected: ReadonlyMap<string, string>;
  readonly totals: string;
}

const SITES = ["shop", "blog"];
const HOUR_MS = 3_600_000;

/** Random traffic, and what it comes to when nothing goes wrong. */
export async function makeTrial(seed: number): Promise<Trial> {
  const random = new Random(seed);
  // Around midnight as often as not: salts change there.
  const from = Date.UTC(
    2026,
    random.below(12),
    1 + random.below(28),
    random.pick([22, 23, random.below(24)]),
    random.below(60),
  );
  const lines = [
    ...generate({
      seed,
      from,
      to: from + random.between(1, 6) * HOUR_MS,
      events: random.between(50, 500),
      sites: SITES,
      pages: random.between(2, 60),
      late: random.pick([0, 0.02, 0.2]),
      duplicates: random.pick([0, 0.02, 0.3]),
    }),
  ];
  const calm = await replay(lines);
  return { lines, expected: await calm.rollups(), totals: await totalsOf(calm) };
}

export interface Schedule {
  readonly kind: "memory" | "sqlite" | "reshard";
  readonly options: ReplayOptions;
}

export function makeSchedule(seed: number, { lines }: Trial): Schedule {
  const random = new Random(seed);
  const kind = random.pick(["memory", "memory", "memory", "sqlite", "reshard"] as const);
  return {
    kind,
    options: {
      seed,
      duplicates: random.pick([0, 0.2, 0.6]),
      shuffle: random.pick([0, 5_000, 60_000]),
      lateBy: random.pick([0, 600_000]),
      ...(random.chance(0.7) ? { crashAt: "random" as const } : {}),
      ...(kind === "reshard" ? { reshardAt: random.below(lines.length), shards: random.between(1, 3) } : {}),
    },
  };
}

/** What differs from the undisturbed run: keys of rollups, or the totals where shards were split. Empty when the law holds. */
export async function trySchedule(trial: Trial, { kind, options }: Schedule): Promise<string[]> {
  if (kind === "sqlite") return onSqlite(trial, options);
  const disturbed = await replay(trial.lines, options);
  // A split may part the registers' insertion order from the calm run's, never what they add up to.
  if (kind === "reshard") {
    const totals = await totalsOf(disturbed);
    return totals === trial.totals ? [] : [`totals: ${totals}, not ${trial.totals}`];
  }
  return unequal(trial.expected, await disturbed.rollups());
}

async function onSqlite(trial: Trial, options: ReplayOptions): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "rivulet-law-"));
  const store = sqliteStore({
    path: join(directory, "store.db"),
    clock: manualClock(trial.lines[0]?.arrival),
  });
  try {
    return unequal(trial.expected, await (await replay(trial.lines, { ...options, store })).rollups());
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

const unequal = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));

async function totalsOf(result: ReplayResult): Promise<string> {
  const answers: unknown[] = [];
  for (const site_id of SITES) {
    for (const dimensions of [[], ["event:page"], ["visit:source"], ["visit:exit_page"], ["time:hour"]]) {
      const metrics = ["visitors", "visits", "pageviews", "events", "total_revenue"];
      if (dimensions[0] === "visit:exit_page") metrics.pop();
      const { results } = await result.query({ site_id, metrics, date_range: "all", dimensions });
      answers.push([site_id, dimensions, results]);
    }
  }
  return JSON.stringify(answers);
}
