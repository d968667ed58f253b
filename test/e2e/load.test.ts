import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../processors/clock.ts";
import { listShards, newestCommits } from "../../processors/pipeline/commit.ts";
import { readCursors } from "../../processors/pipeline/cursors.ts";
import { sqliteStore } from "../../processors/stores/sqlite.ts";
import { metrics, postLanes, query } from "../kit/client.ts";
import { patience } from "../kit/patience.ts";
import { poll, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";
import { differences } from "./check.ts";
import { makeLoad } from "./load.ts";

const SITE = "example.com";
const SEED = Number(process.env.RIVULET_SEED ?? 7);
const load = makeLoad({ site: SITE, seed: SEED, batches: 1_000, now: Date.now() });

const data = temporaryDirectory();
let server: ServerProcess;
beforeAll(async () => {
  server = await startServer({ data, args: ["--site", SITE, "--trust-proxy"] });
});
afterAll(async () => {
  await server?.stop();
});

describe(`10,000 events in 1,000 batches over 8 connections, a fifth sent twice (RIVULET_SEED=${SEED})`, () => {
  let lastAnswerAt = 0;

  it("accepts every batch", async () => {
    const statuses = new Map<number, number>();
    const startedAt = performance.now();
    await postLanes(server.url, load.lanes, (_, status) =>
      statuses.set(status, (statuses.get(status) ?? 0) + 1),
    );
    lastAnswerAt = performance.now();
    const sent = load.lanes.flat().length;
    console.log(`${sent} batches in ${(lastAnswerAt - startedAt).toFixed(0)} ms`);
    expect(load.happenings.length).toBe(10_000);
    expect(load.lanes.flat().filter(({ isRepeat }) => isRepeat).length).toBeGreaterThan(150);
    expect([...statuses]).toEqual([[204, sent]]);
  });

  it("says within 3 s that nothing waits any more", async () => {
    const totals = { site_id: SITE, metrics: ["events"], date_range: "24h" };
    await poll(async () => (await query(server.url, totals)).meta.lag_ms === 0, {
      within: 3_000,
      what: "lag 0",
    });
    const took = performance.now() - lastAnswerAt;
    console.log(`nothing waits ${took.toFixed(0)} ms after the last 204`);
    expect(took).toBeLessThan(patience(3_000));
  });

  it("then gives every total and every breakdown exactly", async () => {
    expect(await differences(server.url, SITE, load.happenings)).toEqual([]);
  });

  it("agrees in /metrics", async () => {
    const samples = await metrics(server.url);
    const repeated = load.lanes
      .flat()
      .filter(({ isRepeat }) => isRepeat)
      .reduce((sum, { happenings }) => sum + happenings.length, 0);
    expect(samples.get("rivulet_batches_total")).toBe(1_000);
    expect(samples.get("rivulet_events_total")).toBe(10_000);
    expect(samples.get("rivulet_duplicates_total")).toBe(repeated);
    expect(samples.get("rivulet_records_total")).toBe(load.lanes.flat().length);
    expect(samples.get("rivulet_lag_seconds")).toBe(0);
  });

  it("gives the same when the log has been folded into rollups", async () => {
    const store = sqliteStore({ path: join(data, "store.db"), clock: systemClock });
    await poll(
      async () => {
        const [shard] = await listShards(store);
        const [newest] = await newestCommits(store, shard!.id, 1);
        return (await readCursors(store)).get(shard!.id) === newest!.n;
      },
      { within: 25_000, every: 100, what: "compaction" },
    );
    await store.close();
    expect(await differences(server.url, SITE, load.happenings)).toEqual([]);
  });

  it("gives the same after a restart, and stops at Ctrl-C with code 0", async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    server = await startServer({ data, args: ["--trust-proxy"] });
    expect(await differences(server.url, SITE, load.happenings)).toEqual([]);
    expect((await metrics(server.url)).get("rivulet_events_total")).toBe(10_000);
  });
});
