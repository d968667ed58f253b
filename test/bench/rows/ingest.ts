/** The local server under load: its processor time for each request and event, and how soon an event is in the answers. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { WireBatch } from "../../../processors/model/event.ts";
import { metrics } from "../../kit/client.ts";
import { poll, type ServerProcess, startServer } from "../../kit/server.ts";
import type { Benchmark } from "../benchmark.ts";
import { makeCorpus } from "../corpus.ts";
import { load, postOf, processMs, startTarget } from "../load.ts";
import { exactly, median, short, sideBySide } from "../measure.ts";
import { folder } from "./fold.ts";

const CONNECTIONS = 64;
const REQUESTS = 8_000;

/** Posts of made-up visitors now, `perBatch` events each. */
function posts(seed: number, count: number, perBatch: number): string[] {
  const now = Date.now();
  const corpus = makeCorpus({ seed, events: count * perBatch, perBatch });
  return corpus.records.map(({ data64 }) => {
    const envelope = JSON.parse(Buffer.from(Buffer.from(data64).toString("latin1"), "base64").toString());
    const batch = JSON.parse(Buffer.from(envelope.body64, "base64").toString()) as WireBatch;
    const shift = now - batch.t!;
    const moved = {
      ...batch,
      s: "demo",
      t: now,
      e: batch.e.map((event) => ({ ...event, t: event.t! + shift })),
    };
    return postOf("/v1/events", JSON.stringify(moved), Buffer.from(envelope.ua64, "base64").toString());
  });
}

/** The same posts with ids of their own, so that none counts as repeated. */
const renewed = (post: string, round: number): string =>
  post.replace(/"b":"(.{6})/, `"b":"${round.toString(36).padStart(6, "0")}`);

const ingest: Benchmark = {
  id: "ingest",
  what: `local ingest: one event a POST, ${CONNECTIONS} connections, checked and synced to disk before the 204; requests per second of the server's processor time`,
  against: "node:http and JSON.parse",
  unit: "/s",
  better: "higher",
  floor: 0.5,
  aim: 0.7,
  async run({ budgetMs, seed, directory }) {
    const bodies = posts(seed, REQUESTS, 1);
    const [ours, plain] = [
      await startTarget("ingest", await mkdtemp(join(directory, "i-"))),
      await startTarget("plain"),
    ];
    const rate = async ({ port, pid }: typeof ours): Promise<number> => {
      const before = processMs(pid);
      await load({ port, connections: CONNECTIONS, requests: REQUESTS, request: (i) => bodies[i]! });
      return (REQUESTS * 1_000) / (processMs(pid) - before);
    };
    try {
      return await sideBySide({ subject: () => rate(ours), baseline: () => rate(plain) }, budgetMs);
    } finally {
      await ours.close();
      await plain.close();
    }
  },
};

/** Posts and waits until all is counted; processor milliseconds of the server. */
async function countAll(server: ServerProcess, bodies: readonly string[], events: number): Promise<number> {
  const counted = async (): Promise<number> => (await metrics(server.url)).get("rivulet_events_total") ?? 0;
  const [before, base] = [processMs(server.pid), await counted()];
  const port = Number(new URL(server.url).port);
  await load({ port, connections: CONNECTIONS, requests: bodies.length, request: (i) => bodies[i]! });
  await poll(async () => (await counted()) >= base + events, {
    within: 10_000,
    what: "all events counted",
    every: 50,
  });
  return processMs(server.pid) - before;
}

const batched: Benchmark = {
  id: "ingest-batched",
  what: "the whole local server, 20 events a POST: durable and folded, µs of its processor per event",
  against: "folding alone",
  unit: "µs",
  better: "lower",
  floor: 3,
  aim: 2.2,
  async run({ budgetMs, seed, directory }) {
    const corpus = makeCorpus({ seed, events: 40_000, perBatch: 20 });
    const bodies = posts(seed, 2_000, 20);
    const events = bodies.length * 20;
    const server = await startServer({ data: await mkdtemp(join(directory, "b-")) });
    try {
      return await sideBySide(
        {
          subject: async (round) =>
            ((await countAll(
              server,
              bodies.map((post) => renewed(post, round)),
              events,
            )) *
              1_000) /
            events,
          async baseline() {
            const worker = await folder(corpus);
            const before = process.cpuUsage();
            while (worker.left > 0) await worker.fold(250);
            const { user, system } = process.cpuUsage(before);
            return (user + system) / corpus.events;
          },
        },
        budgetMs,
      );
    } finally {
      await server.stop();
    }
  },
};

const cpu: Benchmark = {
  id: "cpu-per-event",
  what: "the whole local server, one event a POST: durable and folded, µs of its processor per event",
  against: "Umami 3.1 with PostgreSQL on this machine, earlier: 4,500 µs at its best",
  unit: "µs",
  better: "lower",
  floor: 1 / 50,
  aim: 1 / 100,
  async run({ budgetMs, seed, directory }) {
    const bodies = posts(seed, 10_000, 1);
    const events = bodies.length;
    const server = await startServer({ data: await mkdtemp(join(directory, "c-")) });
    try {
      return await sideBySide(
        {
          subject: async (round) =>
            ((await countAll(
              server,
              bodies.map((post) => renewed(post, round)),
              events,
            )) *
              1_000) /
            events,
          baseline: () => 4_500,
        },
        budgetMs,
      );
    } finally {
      await server.stop();
    }
  },
};

const freshness: Benchmark = {
  id: "freshness",
  what: "POST to visible in the live answer while 2,000 events a second come in, 20 a POST: 99th percentile",
  against: "250 ms",
  unit: "ms",
  better: "lower",
  floor: 1,
  aim: 0.2,
  async run({ budgetMs, seed, directory, note }) {
    const seconds = Math.min(20, Math.max(5, budgetMs / 1_000));
    const bodies = posts(seed, seconds * 100, 20);
    const server = await startServer({ data: await mkdtemp(join(directory, "f-")) });
    const port = Number(new URL(server.url).port);
    const seen: number[] = [];
    const trips: number[] = [];
    try {
      let isOver = false;
      const loading = load({
        port,
        connections: 16,
        requests: bodies.length,
        request: (i) => bodies[i]!,
        rate: 100,
      }).finally(() => {
        isOver = true;
      });
      for (let probe = 0; !isOver; probe++) {
        const tripAt = performance.now();
        await (await fetch(`${server.url}/healthz`)).text();
        trips.push(performance.now() - tripAt);
        const page = `/probe/${probe}`;
        const startedAt = performance.now();
        const batch = {
          s: "demo",
          b: `probe-${probe}`,
          e: [{ n: "pageview", u: `https://shop.example${page}` }],
        };
        await fetch(`${server.url}/v1/events`, {
          method: "POST",
          headers: { "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0" },
          body: JSON.stringify(batch),
        });
        await poll(
          async () =>
            (
              await (
                await fetch(`${server.url}/api/v2/query`, {
                  method: "POST",
                  headers: { "Content-Type": "application/json" },
                  body: JSON.stringify({
                    site_id: "demo",
                    metrics: ["pageviews"],
                    date_range: "realtime",
                    filters: [["is", "event:page", [page]]],
                  }),
                })
              ).text()
            ).includes("[1]"),
          { within: 10_000, what: page, every: 1 },
        );
        seen.push(performance.now() - startedAt);
      }
      await loading;
    } finally {
      await server.stop();
    }
    seen.sort((a, b) => a - b);
    const p99 = seen[Math.floor(seen.length * 0.99)]!;
    note(
      `freshness: median ${short(median(seen))} ms, ${seen.length} probes; a loopback round trip took ${short(median(trips))} ms in the same run. The directory was empty before: history of 10 million events is not measured`,
    );
    return { ...exactly(p99, 250), runs: seen.length };
  },
};

export const benchmarks: readonly Benchmark[] = [ingest, batched, cpu, freshness];
