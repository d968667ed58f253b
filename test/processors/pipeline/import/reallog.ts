/**
 * A real access log against a counter of its own, which knows nothing of ours: patterns, sets and loops.
 * `RIVULET_LOG=FILE npm run vitest -- test/processors/pipeline/import/importer.test.ts`, for example with the 10,000 lines of
 * https://github.com/elastic/examples/tree/master/Common%20Data%20Formats/apache_logs. Not part of the tests: it is not ours to give away.
 */
import { readFile } from "node:fs/promises";
import { isbot } from "isbot";
import { expect } from "vitest";
import { keyedHash } from "../../../../processors/crypto.ts";
import { DAY_MS } from "../../../../processors/model/time.ts";
import { ShardWorker } from "../../../../processors/pipeline/aggregate.ts";
import { compactAll } from "../../../../processors/pipeline/compact.ts";
import { importFile } from "../../../../processors/pipeline/import/importer.ts";
import { ASSET_EXTENSIONS } from "../../../../processors/pipeline/import/request.ts";
import { textSource } from "../../../../processors/pipeline/import/textsource.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import { memoryStream } from "../../../../processors/streams/memory.ts";
import { manualClock } from "../../../kit/clock.ts";
import { bytesOf, sha256 } from "./kit.ts";

const HOST = "log.example";
const LINE =
  /^(\S+) \S+ \S+ \[([^\]]+)\] "(\S+) (\S+)[^"]*" (\d{3}) \S+ "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"/;

interface View {
  readonly at: number;
  readonly page: string;
  readonly status: string;
  readonly referrer: string;
  readonly agent: string;
  readonly who: string;
}

function read(text: string): { views: View[]; bots: number; bad: number } {
  const views: View[] = [];
  let [bots, bad] = [0, 0];
  for (const line of text.trimEnd().split("\n")) {
    const parts = LINE.exec(line);
    if (!parts) {
      bad++;
      continue;
    }
    const [, ip = "", time = "", method, target = "", status = "", referrer = "", agent = ""] = parts;
    const page = decoded(target.split(/[?#]/)[0]!);
    const extension = /\.([^./]+)$/.exec(target.split(/[?#;]/)[0]!)?.[1]?.toLowerCase() ?? "";
    if (method !== "GET" || !/^2|^304$/.test(status) || ASSET_EXTENSIONS.has(extension)) continue;
    if (agent === "-" || isbot(agent)) {
      bots++;
      continue;
    }
    const at = Date.parse(time.replace(/^(\d+)\/(\w+)\/(\d+):/, "$1 $2 $3 "));
    views.push({ at, page, status, referrer, agent, who: `${ip} ${agent}` });
  }
  return { views, bots, bad };
}

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};

/** Host and path of a referrer, as it is shown; one without a host that could be called is none. */
function origin(referrer: string): string {
  const [, host, path = ""] = /^https?:\/\/(?:www\.)?([\w.-]+)(?::\d+)?(\/[^?#]*)?/.exec(referrer) ?? [];
  return host === undefined ? "Direct / None" : host.toLowerCase() + path.replace(/\/+$/, "");
}

const tally = (keys: Iterable<string>): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
};

/** The first view of each visit: what came more than half an hour after the view before it. */
function visits(views: readonly View[]): View[] {
  const last = new Map<string, number>();
  return [...views]
    .sort((a, b) => a.at - b.at)
    .filter(({ who, at }) => {
      const before = last.get(who) ?? Number.NEGATIVE_INFINITY;
      last.set(who, at);
      return at - before > 30 * 60_000;
    });
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Rules of thumb, enough for browsers of their time. */
function browser(agent: string): string {
  if (/OPR|Opera/.test(agent)) return "Opera";
  if (/MSIE|Trident/.test(agent) && !/MAXTHON/.test(agent)) return "Internet Explorer";
  if (/Chrome\/|CriOS/i.test(agent) && !/SE 2/.test(agent)) return "Chrome";
  if (/Firefox|Iceweasel|FxiOS/.test(agent) && !/SeaMonkey/.test(agent)) return "Firefox";
  return "another";
}

/** Throws where anything differs. */
export async function compareWithRealLog(path: string): Promise<void> {
  const text = await readFile(path, "utf8");
  const { views, bots, bad } = read(text);
  const times = views.map(({ at }) => at);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const clock = manualClock(to + 30 * DAY_MS);
  const store = memoryStore({ clock });
  const stream = memoryStream({ clock, shards: 1 });
  await registerSites(store, clock, [{ id: HOST, timeZone: "UTC" }]);
  const source = await textSource({
    name: "access.log",
    open: bytesOf(text, 100_000),
    newDigest: sha256,
    format: "auto",
    all: false,
    hostname: HOST,
  });
  const put = async (records: readonly { partitionKey: string; data: Uint8Array }[]): Promise<void> => {
    for (const record of records) await stream.put(record);
  };
  const report = { begin: async () => {}, add: () => {}, flush: async () => 0 };
  const { entry } = await importFile({ store, clock, report, put }, source, { site: HOST, lanes: 1 });
  let salts = 0;
  const deps = {
    store,
    clock,
    hash: keyedHash,
    randomBytes: (n: number) => new Uint8Array(n).fill(++salts),
    country: () => "",
  };
  const [shard] = await stream.shards();
  const { records } = await stream.read(shard!.id, "", 1_000);
  await new ShardWorker(deps, shard!).process(records);
  await compactAll({ store, clock });
  const engine = new QueryEngine({ store, clock, lagMs: async () => 0 });
  const ask = async (metric: string, dimension?: string): Promise<Record<string, number>> => {
    const { results } = await engine.query({
      site_id: HOST,
      metrics: [metric],
      date_range: [from, to].map(dayOf),
      ...(dimension ? { dimensions: [dimension], pagination: { limit: 10_000 } } : {}),
    });
    return Object.fromEntries(results.map((row) => [row.dimensions.join(), row.metrics[0] as number]));
  };
  expect(entry.counts).toMatchObject({ events: views.length + bots, bots, bad });
  expect(await ask("pageviews")).toEqual({ "": views.length });
  expect(await ask("pageviews", "event:page")).toEqual(tally(views.map(({ page }) => page)));
  expect(await ask("pageviews", "event:props:status")).toEqual(tally(views.map(({ status }) => status)));
  const began = visits(views);
  expect(await ask("visits")).toEqual({ "": began.length });
  expect(await ask("visits", "visit:referrer")).toEqual(tally(began.map(({ referrer }) => origin(referrer))));
  const daily = new Set(views.map(({ who, at }) => `${dayOf(at)} ${who}`));
  expect(await ask("visitors", "time:day")).toEqual(tally([...daily].map((one) => one.slice(0, 10))));
  const browsers = await ask("visits", "visit:browser");
  const plain = tally(began.map(({ agent }) => browser(agent)));
  // Some call themselves both.
  expect((browsers.Chrome ?? 0) + (browsers.Chromium ?? 0)).toBe(plain.Chrome);
  for (const name of ["Firefox", "Internet Explorer", "Opera"])
    expect([name, browsers[name]]).toEqual([name, plain[name]]);
}
