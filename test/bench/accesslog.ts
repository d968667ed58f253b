/** An access log that chance wrote, for benchmarks of imports: a busy site's page views in the combined format, in the order of time. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { DAY_MS, type EpochMs, MINUTE_MS, SECOND_MS } from "../../processors/model/time.ts";
import { BROWSERS } from "../kit/agents.ts";
import { Random, Weighted } from "../kit/random.ts";

/** Five million page views a month. */
const VIEWS_A_DAY = 166_000;
const VISITORS = 20_000;
const PAGES = 2_000;
/** Page views of a visit, and how long a page is looked at: medians of log-normal distributions. */
const VIEWS_A_VISIT = 2;
const LOOKED_AT_MS = 40 * SECOND_MS;
/** Mean of a log-normal distribution with median 2 and sigma 0.8, so that visits begin at the right rate. */
const MEAN_VIEWS = VIEWS_A_VISIT * Math.exp(0.8 ** 2 / 2) + 0.5;
const REFERRERS = [
  "-",
  "-",
  "https://www.google.com/",
  "https://www.bing.com/",
  "https://news.ycombinator.com/item?id=1",
  "https://blog.example.org/a",
];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const LINES_AT_ONCE = 2_000;

export interface LogOptions {
  readonly seed: number;
  readonly lines: number;
  readonly from: EpochMs;
  readonly viewsADay?: number;
}

/**
 * Lines of page views from `from` on: visits of some views each by 20,000 visitors with the test kit's agents on 2,000
 * pages (Zipf's law). The same options give the same lines.
 */
function* logLines({ seed, lines, from, viewsADay = VIEWS_A_DAY }: LogOptions): Generator<string> {
  const random = new Random(seed);
  const agents = new Weighted(BROWSERS, ({ weight }) => weight);
  const people = Array.from({ length: VISITORS }, (_, i) => ({
    ip: `${11 + (i % 180)}.${(i * 7) % 256}.${(i >> 8) % 256}.${i % 256}`,
    agent: agents.draw(random).text,
  }));
  const pages = new Weighted(
    Array.from({ length: PAGES }, (_, i) => (i === 0 ? "/" : `/articles/${i.toString(36)}/page-${i}`)),
    (_, i) => 1 / (i + 1),
  );
  const visitsAMinute = viewsADay / MEAN_VIEWS / (DAY_MS / MINUTE_MS);
  /** Views of the minutes to come, by minute. */
  const minutes = new Map<number, { readonly at: EpochMs; readonly text: string }[]>();
  let written = 0;
  let owed = 0;
  for (let minute = 0; ; minute++) {
    for (owed += visitsAMinute; owed >= 1; owed--) {
      const { ip, agent } = people[random.below(VISITORS)]!;
      let at = minute * MINUTE_MS + random.below(MINUTE_MS);
      let referrer = random.pick(REFERRERS);
      for (let left = Math.max(1, Math.round(random.lognormal(VIEWS_A_VISIT, 0.8))); left > 0; left--) {
        const page = pages.draw(random);
        const text = `"GET ${page} HTTP/1.1" 200 ${random.between(900, 90_000)} "${referrer}" "${agent}"`;
        const views = minutes.get(Math.floor(at / MINUTE_MS)) ?? [];
        minutes.set(Math.floor(at / MINUTE_MS), views);
        views.push({ at, text: `${ip} - - [${clock(from + at)}] ${text}` });
        referrer = `https://example.com${page}`;
        at += Math.round(random.lognormal(LOOKED_AT_MS, 1));
      }
    }
    const views = minutes.get(minute)?.sort((a, b) => a.at - b.at) ?? [];
    minutes.delete(minute);
    for (const { text } of views) {
      yield text;
      if (++written === lines) return;
    }
  }
}

/** `29/Nov/2026:13:55:36 +0000`. */
function clock(at: EpochMs): string {
  const iso = new Date(at).toISOString();
  return `${iso.slice(8, 10)}/${MONTHS[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}

/** Writes them to a file. */
export async function writeLog(path: string, options: LogOptions): Promise<void> {
  const file = createWriteStream(path);
  let waiting: string[] = [];
  const flush = async (): Promise<void> => {
    if (!file.write(`${waiting.join("\n")}\n`)) await once(file, "drain");
    waiting = [];
  };
  for (const line of logLines(options)) if (waiting.push(line) === LINES_AT_ONCE) await flush();
  if (waiting.length > 0) await flush();
  file.end();
  await finished(file);
}
