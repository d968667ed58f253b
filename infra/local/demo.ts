/** Fills a server with a sample stream, then goes on with gentle live traffic, so that a newcomer sees it alive. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "../../processors/errors.ts";
import { partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from "../../processors/model/time.ts";
import { listShards, newestCommits } from "../../processors/pipeline/commit.ts";
import type { Store } from "../../processors/stores/store.ts";
import { generate } from "../../test/kit/generate.ts";
import type { Runtime } from "./runtime.ts";

/** The day a week ago too, which the dashboard draws behind today. */
const HISTORY_MS = 8 * DAY_MS;
/** About 18,000 events; the rest are reports of engagement. */
const HISTORY_EVENTS = 40_000;
/** A pause as short as that is none that anybody would see. */
const MIN_PAUSE_MS = 10 * MINUTE_MS;
/** About one every three seconds, at any time of day: alive at a glance, and not so many that the days before look empty. */
const LIVE_EVENTS_AN_HOUR = 1_200;
/** Live traffic begins a little in the past: then people are in the middle of their visits, and not all on their first page. */
const WARM_UP_MS = 3 * MINUTE_MS;
/** A shop with one currency, so that its revenue is one number. */
const SHOP = { payIn: "US" };
const CHUNK = 250;

/** Starts at once and returns; `stop` resolves when nothing more will be put. */
export function playDemo(runtime: Runtime, log: (line: string) => void): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const site = runtime.sites[0]?.id ?? "demo";
  const playing = play(runtime, site, stopping.signal, log).catch((error: unknown) =>
    log(`demo: ${describe(error)}`),
  );
  return {
    async stop() {
      stopping.abort();
      await playing;
    },
  };
}

async function play(
  runtime: Runtime,
  site: string,
  stopping: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const now = Date.now();
  const from = Math.max(now - HISTORY_MS, await countedUntil(runtime.grants.store));
  if (now - from > MIN_PAUSE_MS) await playHistory(runtime, site, { from, to: now }, stopping, log);
  for (let from = Date.now() - WARM_UP_MS; !stopping.aborted; from += HOUR_MS)
    await playHour(runtime, site, from, stopping);
}

/** Up to when a demo on these data came: stopped in the middle of its days, or a day ago, it goes on from there. */
async function countedUntil(store: Store): Promise<EpochMs> {
  let until = 0;
  for (const { id } of await listShards(store))
    for (const { watermark } of await newestCommits(store, id, 1)) until = Math.max(until, watermark);
  return until;
}

async function playHistory(
  runtime: Runtime,
  site: string,
  { from, to }: { readonly from: EpochMs; readonly to: EpochMs },
  stopping: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const started = performance.now();
  const isWhole = to - from === HISTORY_MS;
  const events = Math.ceil((HISTORY_EVENTS * (to - from)) / HISTORY_MS);
  // Whoever starts the demo anew sees the same shop; what follows must not repeat its batches.
  const seed = isWhole ? 1 : from % 1_000_000;
  let lines: StreamLine[] = [];
  for (const line of generate({ seed, from, to, events, sites: [site], ...SHOP })) {
    if (stopping.aborted || line.arrival > to) break;
    lines.push(line);
    if (lines.length < CHUNK) continue;
    await put(runtime, lines);
    lines = [];
  }
  await put(runtime, lines);
  while (runtime.consumer.lagMs() > 0 && !stopping.aborted) await sleep(50);
  if (stopping.aborted) return;
  const when = isWhole ? `of the last ${HISTORY_MS / DAY_MS} days` : "since it was stopped";
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  log(`demo: about ${events} events and reports ${when} counted in ${seconds} s; live traffic goes on`);
}

async function playHour(runtime: Runtime, site: string, from: number, stopping: AbortSignal): Promise<void> {
  const to = from + HOUR_MS;
  const traffic = generate({
    seed: from % 1_000_000,
    from,
    to,
    events: LIVE_EVENTS_AN_HOUR,
    sites: [site],
    ...SHOP,
  });
  for (const line of traffic) {
    if (line.arrival >= to) return; // what is late from this hour belongs to somebody who never came back
    const wait = line.arrival - Date.now();
    if (wait > 0) await sleep(wait, undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return;
    await put(runtime, [line]);
  }
}

async function put({ stream, consumer }: Runtime, lines: readonly StreamLine[]): Promise<void> {
  const encoder = new TextEncoder();
  await Promise.all(
    lines.map(({ envelope }) =>
      stream.put({ partitionKey: partitionKeyOf(envelope), data: encoder.encode(JSON.stringify(envelope)) }),
    ),
  );
  consumer.wake();
}
