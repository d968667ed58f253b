/** Fills a server with a sample stream, then goes on with gentle live traffic, so that a newcomer sees it alive. */
import { setTimeout as sleep } from "node:timers/promises";
import { partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../processors/model/time.ts";
import { generate } from "../../test/kit/generate.ts";
import { describe } from "./consumer.ts";
import type { Runtime } from "./runtime.ts";

/** The day a week ago too, which the dashboard draws behind today. */
const HISTORY_DAYS = 8;
/** About 18,000 events; the rest are reports of engagement. */
const HISTORY_EVENTS = 40_000;
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
  const isNew = (await runtime.consumer.counters()).events === 0;
  if (isNew) {
    const started = performance.now();
    let lines: StreamLine[] = [];
    for (const line of generate({
      seed: 1,
      from: now - HISTORY_DAYS * DAY_MS,
      to: now,
      events: HISTORY_EVENTS,
      sites: [site],
      ...SHOP,
    })) {
      if (stopping.aborted || line.arrival > now) break;
      lines.push(line);
      if (lines.length < CHUNK) continue;
      await put(runtime, lines);
      lines = [];
    }
    await put(runtime, lines);
    while (runtime.consumer.lagMs() > 0 && !stopping.aborted) await sleep(50);
    if (stopping.aborted) return;
    log(
      `demo: about ${HISTORY_EVENTS} events and reports of the last ${HISTORY_DAYS} days counted in ${((performance.now() - started) / 1000).toFixed(1)} s; live traffic goes on`,
    );
  }
  for (let from = Date.now() - WARM_UP_MS; !stopping.aborted; from += HOUR_MS)
    await playHour(runtime, site, from, stopping);
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
