/** A small world for schedules: a dozen records of a few visitors, made so that any answer tells which of them are in it. */
import type { WireBatch, WireEvent } from "../../processors/model/event.ts";
import type { StreamLine } from "../../processors/model/streamfile.ts";
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../processors/model/time.ts";
import { dayStart, localDate } from "../../processors/model/zone.ts";
import { Random } from "../kit/random.ts";

export interface World {
  readonly seed: number;
  readonly sites: readonly { readonly id: string; readonly timeZone: string }[];
  /** In order of arrival. */
  readonly lines: readonly StreamLine[];
  /** Number of the batch in each line that should be counted, by the line's data; a retry has the number of its first. */
  readonly batchOf: ReadonlyMap<string, number>;
  readonly batches: readonly Batch[];
  readonly from: EpochMs;
  readonly to: EpochMs;
}

export interface Batch {
  readonly line: StreamLine;
  readonly site: string;
}

/**
 * Batch i brings in 4^i cents: the revenue of an answer, written in base four, has a digit for each batch, which says how
 * often it was counted. 4^19 cents are the most that one event may bring in.
 */
const BASE = 4;
const MAX_BATCHES = 12;

const centsOf = (batch: number): number => BASE ** batch;

/** How often each batch is in a sum of cents. */
export function timesCounted(cents: number, batches: number): number[] {
  const times: number[] = [];
  for (let i = 0, rest = cents; i < batches; i++) {
    times.push(rest % BASE);
    rest = Math.floor(rest / BASE);
  }
  return times;
}

const ZONES = ["UTC", "UTC", "Asia/Seoul", "Asia/Kathmandu", "America/New_York"];
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";
const PHONE =
  "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36";
const BOT = "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)";
const PAGES = ["/", "/a", "/b?utm_source=news", "/c/d"];

export function makeWorld(seed: number): World {
  const random = new Random(seed);
  const sites = ["shop", "blog"]
    .slice(0, random.between(1, 2))
    .map((id) => ({ id, timeZone: random.pick(ZONES) }));
  const visitors = Array.from({ length: random.between(1, 4) }, (_, i) => ({
    ip: `203.0.113.${i + 1}`,
    agent: random.pick([BROWSER, PHONE]),
    chosen: random.chance(0.2) ? `member-${i}` : "",
    site: random.pick(sites).id,
  }));
  const lines: StreamLine[] = [];
  const batchOf = new Map<string, number>();
  const batches: Batch[] = [];
  // A little before midnight in UTC or in a site's zone, or before any hour: days, hours and salts change on the way.
  const noon = Date.UTC(2026, random.below(12), 1 + random.below(28), 12);
  const zone = sites[0]!.timeZone;
  const midnight = dayStart(zone, localDate(zone, noon + DAY_MS));
  let at =
    (random.chance(0.5) ? midnight : noon + random.between(1, 12) * HOUR_MS) - random.below(15 * MINUTE_MS);
  const count = random.between(3, MAX_BATCHES);
  // The faster, the more records meet in one window.
  const pace = random.pick([3 * SECOND_MS, MINUTE_MS, 10 * MINUTE_MS]);
  let nights = 0;
  while (batches.length < count) {
    // Minutes are kept for eight days: the world ends before.
    const isNight = nights < 2 && random.chance(0.04);
    if (isNight) nights++;
    at += isNight ? random.between(20, 30) * HOUR_MS : gap(random, pace);
    const visitor = random.pick(visitors);
    if (random.chance(0.08)) {
      lines.push(makeLine(random, at, visitor.ip, ...refused(random, visitor.site)));
      continue;
    }
    const number = batches.length;
    const batch: WireBatch = {
      s: visitor.site,
      b: `batch-${number}`,
      t: at - random.between(0, 300),
      ...(visitor.chosen === "" ? {} : { v: visitor.chosen }),
      c: { u: `https://${visitor.site}.example${random.pick(PAGES)}`, w: random.pick([390, 1440]) },
      e: events(random, number, at),
    };
    const line = makeLine(random, at, visitor.ip, visitor.agent, batch);
    batches.push({ line, site: visitor.site });
    batchOf.set(dataOf(line), number);
    lines.push(line);
    if (random.chance(0.2)) {
      // The client lost the answer and tries again; the edge knows nothing of it.
      at += random.below(20_000);
      const again = makeLine(random, at, visitor.ip, visitor.agent, { ...batch, t: at });
      batchOf.set(dataOf(again), number);
      lines.push(again);
    }
  }
  return {
    seed,
    sites,
    lines,
    batchOf,
    batches,
    from: (lines[0]?.arrival ?? at) - DAY_MS,
    to: at + DAY_MS,
  };
}

/** Mostly within a visit, sometimes at the edge of its half hour. */
const gap = (random: Random, pace: number): number =>
  random.chance(0.15) ? 30 * MINUTE_MS + random.between(-1, 1) : random.below(pace);

function events(random: Random, number: number, at: EpochMs): WireEvent[] {
  // Some were kept offline for a while: their minutes, and perhaps their days, are over.
  const happened = at - (random.chance(0.1) ? random.below(8 * HOUR_MS) : random.below(5_000));
  const first: WireEvent = {
    n: random.chance(0.7) ? "pageview" : "order",
    t: happened,
    $: { amount: (centsOf(number) / 100).toFixed(2), currency: "USD" },
    p: { batch: String(number) },
  };
  const list = [first];
  if (random.chance(0.3)) list.push({ n: "signup", t: happened - random.below(3_000) });
  if (random.chance(0.3)) list.push({ n: "engagement", t: happened, ms: random.below(9_000), sd: 60 });
  if (random.chance(0.2)) list.push({ n: "vitals", t: happened, m: { lcp: random.between(500, 4_000) } });
  return list;
}

/** What must not be counted: a site that nobody registered, a robot, no JSON at all. */
function refused(random: Random, site: string): [agent: string, body: WireBatch | string] {
  const batch: WireBatch = {
    s: site,
    b: random.hex(1),
    c: { u: "https://x.example/" },
    e: [{ n: "pageview" }],
  };
  return random.pick([
    [BROWSER, { ...batch, s: "nowhere" }],
    [BOT, batch],
    [BROWSER, "{"],
  ] as const) as [string, WireBatch | string];
}

function makeLine(
  random: Random,
  at: EpochMs,
  ip: string,
  agent: string,
  body: WireBatch | string,
): StreamLine {
  return {
    arrival: at,
    envelope: {
      route: "/v1/events",
      id: random.hex(2),
      at,
      ip,
      ua64: btoa(agent),
      country: "KR",
      trace64: "",
      origin64: "",
      body64: btoa(typeof body === "string" ? body : JSON.stringify(body)),
    },
  };
}

export const dataOf = ({ envelope }: StreamLine): string => JSON.stringify(envelope);
