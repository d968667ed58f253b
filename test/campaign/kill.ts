/** Drills on the shipped server: SIGKILL in the middle of a load, a start on the same files, and a recount of every batch. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WireBatch } from "../../processors/model/event.ts";
import { type Post, postLanes, query } from "../kit/client.ts";
import { Random } from "../kit/random.ts";
import { poll, type ServerProcess, startServer } from "../kit/server.ts";

interface DrillBatch extends Post {
  readonly id: string;
  readonly events: number;
  readonly cents: number;
}

export interface DrillOptions {
  readonly data: string;
  /** Registered already, and empty: a table of rollups holds 1,000 values, and every batch is one. */
  readonly site: string;
  readonly seed: number;
  readonly batches?: number;
  readonly connections?: number;
}

export interface DrillResult {
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly retried: boolean;
  readonly kills: number;
  /** From start to answer on the killed server's files, ms. */
  readonly restartMs: number;
  /** What was lost or doubled, one line each; empty when all is well. */
  readonly problems: readonly string[];
}

const SETTLE_MS = 15_000;

/**
 * Loads `server`, kills it, starts another on the same data, lets the clients try again or walk away, and compares.
 * Returns the running server too; everything random follows from the seed but the machine's own timing.
 */
export async function drill(
  server: ServerProcess,
  { data, site, seed, batches = 300, connections = 16 }: DrillOptions,
): Promise<{ server: ServerProcess; result: DrillResult }> {
  const random = new Random(seed);
  const all = Array.from({ length: batches }, (_, number) => makeBatch(random, site, `${seed}-${number}`));
  const acknowledged = new Set<DrillBatch>();
  const retried = random.chance(0.5);

  let kills = 1;
  await loadUntilKilled(server, all, { random, connections, acknowledged });
  const startedAt = performance.now();
  let running = await startServer({ data });
  const restartMs = performance.now() - startedAt;
  if (random.chance(0.3)) {
    // Again, while it catches up with what the first one left.
    kills++;
    await sleep(random.below(30));
    await running.kill("SIGKILL");
    running = await startServer({ data });
  }
  const unanswered = all.filter((batch) => !acknowledged.has(batch));
  if (retried) {
    await postLanes(running.url, lanesOf(unanswered, connections), (batch, status) => {
      if (status === 204) acknowledged.add(batch);
    });
  }
  const problems = await recount(running, site, all, acknowledged);
  if (retried && acknowledged.size !== all.length)
    problems.push(`${all.length - acknowledged.size} batches were not accepted when sent again`);
  return {
    server: running,
    result: {
      acknowledged: acknowledged.size,
      unanswered: unanswered.length,
      retried,
      kills,
      restartMs,
      problems,
    },
  };
}

function makeBatch(random: Random, site: string, id: string): DrillBatch {
  const events = random.between(1, 8);
  const cents = random.between(1, 1_000_000);
  const visitor = random.chance(0.5) ? { v: `member-${random.below(40)}` } : {};
  const batch: WireBatch = {
    s: site,
    b: id,
    ...visitor,
    c: { u: `https://${site}.example/${random.below(20)}` },
    e: Array.from({ length: events }, (_, i) => ({
      n: i === 0 ? "pageview" : "step",
      p: { batch: id },
      ...(i === 0 ? { $: { amount: cents / 100, currency: "USD" } } : {}),
    })),
  };
  return {
    id,
    events,
    cents,
    path: "/v1/events",
    headers: {
      "Content-Type": "text/plain",
      "User-Agent": `Mozilla/5.0 (X11; Linux x86_64; rv:${100 + random.below(30)}.0) Gecko/20100101 Firefox/127.0`,
    },
    body: JSON.stringify(batch),
  };
}

const lanesOf = <T>(items: readonly T[], lanes: number): T[][] =>
  Array.from({ length: lanes }, (_, lane) => items.filter((_, i) => i % lanes === lane));

/** Kills it after a random number of answers and a few random milliseconds, with requests in flight on all connections. */
async function loadUntilKilled(
  server: ServerProcess,
  all: readonly DrillBatch[],
  {
    random,
    connections,
    acknowledged,
  }: { random: Random; connections: number; acknowledged: Set<DrillBatch> },
): Promise<void> {
  const killAfter = random.below(all.length);
  const delayMs = random.below(12);
  let killed: Promise<unknown> | undefined;
  let answers = 0;
  const aim = (): void => {
    if (answers++ === killAfter) killed = sleep(delayMs).then(() => server.kill("SIGKILL"));
  };
  aim();
  await postLanes(server.url, lanesOf(all, connections), (batch, status) => {
    if (status === 204) acknowledged.add(batch);
    aim();
  });
  await (killed ?? server.kill("SIGKILL"));
}

async function recount(
  server: ServerProcess,
  site: string,
  all: readonly DrillBatch[],
  acknowledged: ReadonlySet<DrillBatch>,
): Promise<string[]> {
  const totals = { site_id: site, metrics: ["events", "total_revenue"], date_range: "7d" };
  await poll(async () => (await query(server.url, totals)).meta.lag_ms === 0, {
    within: SETTLE_MS,
    what: () => `lag 0; it printed:\n${server.output()}`,
  });
  const answer = await query(server.url, { ...totals, dimensions: ["event:props:batch"] });
  const counted = new Map(answer.results.map(({ dimensions, metrics }) => [dimensions[0], metrics]));
  const problems: string[] = [];
  let events = 0;
  for (const batch of all) {
    const [got = 0, money] = (counted.get(batch.id) ?? []) as [number?, { value: number }?];
    counted.delete(batch.id);
    events += got;
    const state = acknowledged.has(batch) ? "acknowledged" : "unanswered";
    const isRight =
      got === batch.events
        ? Math.round((money?.value ?? 0) * 100) === batch.cents
        : got === 0 && state === "unanswered";
    if (!isRight)
      problems.push(
        `batch ${batch.id} (${state}): ${got} of ${batch.events} events, ${money?.value ?? 0} USD`,
      );
  }
  for (const [id] of counted) problems.push(`batch ${id} was never sent`);
  const total = (await query(server.url, totals)).results[0]?.metrics[0];
  if (total !== events) problems.push(`${total} events in all, ${events} over the batches`);
  return problems;
}
