/**
 * The dashboard over an hour of live traffic, in a minute: a page whose clock runs sixty times as fast polls a server
 * whose numbers change. Nothing on it may move but by a click, and it may keep nothing of what it has shown.
 */
import type { CDPSession } from "playwright-core";
import { type Fixture, startFixture } from "../dashboard/fixture.ts";
import { SUM_LAYOUT_SHIFTS } from "../dashboard/inpage.ts";
import type { Browser } from "../kit/browser.ts";

const SPEED = 60;
const MINUTE_MS = 60_000 / SPEED;
/** Of changes of the server's numbers, in real time: three seconds of the page's. */
const CHANGE_MS = 50;
/** When memory is counted, in minutes: the first half hour is the engine's, to compile and to fill its caches. */
const COUNTS = [30, 60];
/** What one answer kept for each poll would be many times over. */
const MAX_GROWTH_BYTES = 64 * 1024;

/** Timers and clocks alike: to the page it is a fast machine on a fast network. Network and painting take real time. */
const FAST_TIME = `(() => {
  const speed = ${SPEED};
  const faster = (clock) => { const began = clock(); return () => began + (clock() - began) * speed; };
  const now = faster(Date.now.bind(Date));
  performance.now = faster(performance.now.bind(performance));
  Date = class extends Date {
    constructor(...given) { given.length ? super(...given) : super(now()); }
    static now() { return now(); }
  };
  for (const name of ["setTimeout", "setInterval"]) {
    const real = window[name];
    window[name] = (run, ms = 0, ...given) => real(run, ms / speed, ...given);
  }
})()`;

function change({ data }: Fixture, second: number): void {
  data.visitors = 9 + Math.round(8 * Math.sin(second / 40)) + (second % 7) * (second % 600 > 300 ? 900 : 1);
  data.reversed = second % 30 > 20;
  data.rows = 4 + (second % 9);
  const event = {
    at: Date.now(),
    name: second % 2 ? "signup" : "pageview",
    page: `/p/${second}`,
    source: ["Google", "Hacker News", ""][second % 3]!,
    country: second % 4 ? "KR" : "",
    device: "Desktop",
    browser: "Chrome",
  };
  data.latest = [event, ...data.latest.slice(0, 19)];
}

interface Memory {
  readonly bytes: number;
  readonly nodes: number;
  readonly listeners: number;
}

export interface Hour {
  readonly shift: number;
  readonly polls: number;
  /** After half an hour, and after the whole. */
  readonly memory: readonly Memory[];
  readonly problems: readonly string[];
}

/** Takes a minute and some seconds. */
export async function watchHour(browser: Browser): Promise<Hour> {
  const problems: string[] = [];
  const fixture = await startFixture({ revenue: 2, error: 0.012, rows: 8 });
  const page = await browser.newPage({ viewport: { width: 1280, height: 1080 }, locale: "en-US" });
  page.on("pageerror", (error) => problems.push(String(error)));
  let polls = 0;
  page.on("request", (request) => {
    if (request.url().includes("/live")) polls++;
  });
  await page.addInitScript(FAST_TIME);
  await page.addInitScript(SUM_LAYOUT_SHIFTS);
  await page.goto(fixture.url);
  await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
  await page.evaluate("layoutShift = 0");
  const devtools = await page.context().newCDPSession(page);

  const began = performance.now();
  const timer = setInterval(
    () => change(fixture, Math.round(((performance.now() - began) * SPEED) / 1_000)),
    CHANGE_MS,
  );
  const memory: Memory[] = [];
  for (const minute of COUNTS) {
    await page.waitForTimeout(Math.max(0, minute * MINUTE_MS - (performance.now() - began)));
    memory.push(await count(devtools));
  }
  clearInterval(timer);
  const shift = (await page.evaluate("layoutShift")) as number;
  await page.close();
  await fixture.close();

  if (shift !== 0) problems.push(`layout shift ${shift}`);
  const [half, whole] = memory as [Memory, Memory];
  if (whole.bytes - half.bytes > MAX_GROWTH_BYTES)
    problems.push(`memory grew in half an hour from ${half.bytes} to ${whole.bytes} bytes`);
  for (const kind of ["nodes", "listeners"] as const)
    if (whole[kind] > 1.5 * half[kind]) problems.push(`from ${half[kind]} ${kind} to ${whole[kind]}`);
  return { shift, polls, memory, problems };
}

/** For the log. */
export const hourLine = ({ shift, polls, memory }: Hour): string =>
  `an hour of the dashboard, ${polls} polls: layout shift ${shift}; after 30 and 60 minutes ${[
    "bytes",
    "nodes",
    "listeners",
  ]
    .map((what) => `${memory.map((one) => one[what as keyof Memory]).join(" and ")} ${what}`)
    .join(", ")}`;

/**
 * What the page's own code holds: its values, the nodes and the listeners. Not the engine's compiled code, nor what the
 * browser keeps beside them: while somebody listens to a page, as this check does, that is a record of each request.
 */
async function count(devtools: CDPSession): Promise<Memory> {
  for (let i = 0; i < 3; i++) await devtools.send("HeapProfiler.collectGarbage");
  const { nodes, jsEventListeners: listeners } = await devtools.send("Memory.getDOMCounters");
  const chunks: string[] = [];
  const take = ({ chunk }: { chunk: string }): void => void chunks.push(chunk);
  devtools.on("HeapProfiler.addHeapSnapshotChunk", take);
  await devtools.send("HeapProfiler.takeHeapSnapshot", {});
  devtools.off("HeapProfiler.addHeapSnapshotChunk", take);
  const { snapshot, nodes: fields } = JSON.parse(chunks.join("")) as Snapshot;
  const { node_fields: names, node_types } = snapshot.meta;
  const [type, size] = [names.indexOf("type"), names.indexOf("self_size")];
  let bytes = 0;
  for (let at = 0; at < fields.length; at += names.length)
    if (VALUES.has(node_types[0][fields[at + type]!]!)) bytes += fields[at + size]!;
  return { bytes, nodes, listeners };
}

/** Kinds of what JavaScript makes, as a heap snapshot names them. */
const VALUES = new Set([
  "object",
  "closure",
  "array",
  "string",
  "concatenated string",
  "sliced string",
  "regexp",
  "number",
  "bigint",
  "symbol",
  "object shape",
]);

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[]];
    };
  };
  readonly nodes: readonly number[];
}
