/** How soon an event is in the live answer after its POST, while others come in, with and without a long past. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../processors/clock.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import { poll, startServer } from "../../kit/server.ts";
import { writeLog } from "../accesslog.ts";
import type { Benchmark } from "../benchmark.ts";
import { load } from "../load.ts";
import { median, short, sideBySide } from "../measure.ts";
import { posts, renewed } from "../posts.ts";
import { fillYear } from "../years.ts";

const CLI = fileURLToPath(new URL("../../../infra/local/bin.js", import.meta.url));
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
  /** An access log is imported meanwhile, into another site. */
  readonly isImporting?: boolean;
  readonly boundMs: number;
}

const pastOf = ({ pastDays, isImporting }: Conditions): string =>
  isImporting
    ? "while an access log is imported"
    : pastDays === 0
      ? "on an empty store"
      : `with ${Math.round(pastDays / 3)} million past events`;

const row = (conditions: Conditions): Benchmark => ({
  id: conditions.id,
  what: `POST to visible in the live answer while ${short(conditions.eventsASecond)} events a second come in, ${EVENTS_A_POST} a POST, ${pastOf(conditions)}: 99th percentile`,
  against: `${short(conditions.boundMs)} ms`,
  unit: "ms",
  better: "lower",
  floor: 1,
  aim: 0.2,
  async run({ budgetMs, seed, directory, note }) {
    const { id, eventsASecond, pastDays, isImporting, boundMs } = conditions;
    const seconds = Math.min(6, Math.max(2, budgetMs / (BLOCKS + 2) / 1_000));
    const rate = eventsASecond / EVENTS_A_POST;
    const bodies = posts(seed, Math.ceil(seconds * rate), EVENTS_A_POST);
    const data = await mkdtemp(join(directory, "f-"));
    if (pastDays > 0) await fillPast(join(data, "store.db"), pastDays, seed);
    const log = join(directory, "beside.log");
    if (isImporting) await writeLog(log, { seed, lines: IMPORTED_LINES, from: IMPORTED_FROM });
    const server = await startServer({ data });
    const importing = isImporting && startImport(log, data);
    const importedAt = performance.now();
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
      const measured = await sideBySide({ subject, baseline: () => boundMs, runs: BLOCKS }, budgetMs);
      note(
        `${id}: median ${short(median(seen))} ms of ${seen.length} probes, blocks of ${short(seconds)} s; a loopback round trip took ${short(median(trips))} ms`,
      );
      if (importing) {
        const imported = Number(/rivulet_events_total (\d+)/.exec(await ask("/metrics"))?.[1]);
        const rate = ((imported - seen.length) * 1_000) / (performance.now() - importedAt);
        note(
          `${id}: some ${short(rate)} events a second were counted, both kinds, the start of the import included`,
        );
        if (importing.exitCode !== null) throw new Error("the import ended before the measuring did");
      }
      return measured;
    } finally {
      if (importing) importing.kill("SIGKILL");
      ask.close();
      await server.stop();
    }
  },
});

/** More than is imported meanwhile. */
const IMPORTED_LINES = 1_500_000;
const IMPORTED_FROM = Date.UTC(2026, 0, 1);

const startImport = (log: string, data: string): ChildProcess =>
  spawn(process.execPath, [CLI, "import", log, "--site", "example.com", "--data", data], { stdio: "ignore" });

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
  row({ id: "freshness", eventsASecond: 2_000, pastDays: 0, boundMs: 250 }),
  row({ id: "freshness-past", eventsASecond: 2_000, pastDays: 30, boundMs: 250 }),
  row({ id: "freshness-10k", eventsASecond: 10_000, pastDays: 0, boundMs: 250 }),
  row({ id: "freshness-import", eventsASecond: 200, pastDays: 0, isImporting: true, boundMs: 1_000 }),
];
