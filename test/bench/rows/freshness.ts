/** How soon an event is in the live answer after its POST, while others come in, with and without a long past. */
import { mkdtemp } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { systemClock } from "../../../processors/crypto.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import { poll, startServer } from "../../kit/server.ts";
import type { Benchmark } from "../benchmark.ts";
import { load } from "../load.ts";
import { median, short, sideBySide } from "../measure.ts";
import { posts, renewed } from "../posts.ts";
import { fillYear } from "../years.ts";

const SITE = "demo";
const EVENTS_A_POST = 20;
const CONNECTIONS = 16;
const BLOCKS = 5;
const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0";

interface Conditions {
  readonly id: string;
  readonly eventsASecond: number;
  /** Days of 333,333 events each that lie in the store before the server starts. */
  readonly pastDays: number;
}

const row = ({ id, eventsASecond, pastDays }: Conditions): Benchmark => ({
  id,
  what: `POST to visible in the live answer while ${short(eventsASecond)} events a second come in, ${EVENTS_A_POST} a POST, ${pastDays === 0 ? "on an empty store" : `with ${Math.round(pastDays / 3)} million past events`}: 99th percentile`,
  against: "250 ms",
  unit: "ms",
  better: "lower",
  floor: 1,
  aim: 0.2,
  async run({ budgetMs, seed, directory, note }) {
    const seconds = Math.min(6, Math.max(2, budgetMs / (BLOCKS + 2) / 1_000));
    const rate = eventsASecond / EVENTS_A_POST;
    const bodies = posts(seed, Math.ceil(seconds * rate), EVENTS_A_POST);
    const data = await mkdtemp(join(directory, "f-"));
    if (pastDays > 0) await fillPast(join(data, "store.db"), pastDays, seed);
    const server = await startServer({ data });
    const port = Number(new URL(server.url).port);
    const ask = client(port);
    const seen: number[] = [];
    const trips: number[] = [];
    const probe = async (name: string): Promise<number> => {
      const page = `/probe/${name}`;
      const event = { n: "pageview", u: `https://shop.example${page}` };
      const question = {
        site_id: SITE,
        metrics: ["pageviews"],
        date_range: "realtime",
        filters: [["is", "event:page", [page]]],
      };
      const startedAt = performance.now();
      await ask("/v1/events", { s: SITE, b: `probe-${name}`, e: [event] });
      await poll(async () => (await ask("/api/v2/query", question)).includes("[1]"), {
        within: 10_000,
        what: page,
        every: 1,
      });
      return performance.now() - startedAt;
    };
    /** Probes one after the other while the others post; the 99th percentile. */
    const subject = async (block: number): Promise<number> => {
      const waits: number[] = [];
      let isOver = false;
      const others = load({
        port,
        connections: CONNECTIONS,
        requests: bodies.length,
        request: (i) => renewed(bodies[i]!, block),
        rate,
      }).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        const startedAt = performance.now();
        await ask("/healthz");
        trips.push(performance.now() - startedAt);
        waits.push(await probe(`${block}-${waits.length}`));
      }
      await others;
      if (block > 0) seen.push(...waits);
      return waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.99)]!;
    };
    try {
      const measured = await sideBySide({ subject, baseline: () => 250, runs: BLOCKS }, budgetMs);
      note(
        `${id}: median ${short(median(seen))} ms of ${seen.length} probes, blocks of ${short(seconds)} s; a loopback round trip took ${short(median(trips))} ms`,
      );
      return measured;
    } finally {
      ask.close();
      await server.stop();
    }
  },
});

/** As if the site had been counted for so long: rollups as full as they would be, without folding each event. */
async function fillPast(path: string, days: number, seed: number): Promise<void> {
  const store = sqliteStore({ path, clock: systemClock });
  await registerSites(store, systemClock, [{ id: SITE, timeZone: "UTC" }]);
  await fillYear(store, { site: SITE, now: systemClock.now(), days, eventsADay: 333_333, seed });
  await store.close();
}

/** Asks over one connection that stays; POSTs where there is a body. Rejects on anything but 2xx. */
function client(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string, body?: object): Promise<string> =>
    new Promise((done, fail) => {
      const method = body ? "POST" : "GET";
      const headers = { "User-Agent": AGENT, ...(body ? { "Content-Type": "application/json" } : {}) };
      request({ port, host: "127.0.0.1", path, method, agent, headers }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("end", () => (answer.statusCode! < 300 ? done(text) : fail(new Error(`${path}: ${text}`))));
      })
        .on("error", fail)
        .end(body && JSON.stringify(body));
    });
  return Object.assign(ask, { close: () => agent.destroy() });
}

export const benchmarks: readonly Benchmark[] = [
  row({ id: "freshness", eventsASecond: 2_000, pastDays: 0 }),
  row({ id: "freshness-past", eventsASecond: 2_000, pastDays: 30 }),
  row({ id: "freshness-10k", eventsASecond: 10_000, pastDays: 0 }),
];
