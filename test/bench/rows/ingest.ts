/** The local server under load: its processor time for each request and event. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { metrics } from "../../kit/client.ts";
import { poll, type ServerProcess, startServer } from "../../kit/server.ts";
import type { Benchmark } from "../benchmark.ts";
import { makeCorpus } from "../corpus.ts";
import { load, processMs, startTarget } from "../load.ts";
import { sideBySide } from "../measure.ts";
import { posts, renewed } from "../posts.ts";
import { folder } from "./fold.ts";

const CONNECTIONS = 64;
const REQUESTS = 8_000;

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

export const benchmarks: readonly Benchmark[] = [ingest, batched, cpu];
