/**
 * Generates the traffic of made-up but realistic visitors as lines of a stream file: for the demo, benchmarks and random
 * tests. The same options give the same bytes. Knows the wire form only, never how anything is counted.
 */
import type { Envelope } from "../../processors/model/envelope.ts";
import type { WireBatch, WireEvent } from "../../processors/model/event.ts";
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../processors/model/time.ts";
import { BOTS, BROWSERS, type UserAgent } from "./agents.ts";
import { Random, Weighted } from "./random.ts";
import { COUNTRIES, type Country, GOALS, LANDINGS, type Landing, pagesOf } from "./shop.ts";

/** One line of a stream file (design: `{"arrival": ms, "envelope": {...}}`). */
export interface StreamLine {
  /** When the stream took it; lines come in this order. */
  readonly arrival: EpochMs;
  readonly envelope: Envelope;
}

export interface TrafficOptions {
  readonly seed: number;
  /** Event time of what happens is in [from, to); what was late or retried arrives later. */
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** About how many events to make (within a few per cent above a few thousand). Default 10,000. */
  readonly events?: number;
  /** People; each comes back as often as the number of events asks for. Default: one for every two visits. */
  readonly visitors?: number;
  /** Site ids, busiest first. Default `["demo"]`. */
  readonly sites?: readonly string[];
  /** Pages per site, by Zipf's law. Default 200. */
  readonly pages?: number;
  /** Share of batches that were kept offline for minutes to hours. Default 0.02. */
  readonly late?: number;
  /** Share of batches sent a second time with the same batch id. Default 0.02. */
  readonly duplicates?: number;
  /** Share of visitors whose clock is wrong by minutes to years. Default 0.03. */
  readonly skewed?: number;
  /**
   * Share of visits in browsers that leave the report of a page to the next page's first batch, as the collector does where
   * it is told where a visitor goes. Default 0: a request more for every page.
   */
  readonly handsOver?: number;
  /** Share of visits by robots that say so. Default 0.03. */
  readonly bots?: number;
  /** Code of the country in whose money everybody pays. Default: each in that of their own. */
  readonly payIn?: string;
}

/** Mean events of a visit with the constants below; measured over 100,000 visits. */
const EVENTS_PER_VISIT = 5.15;
/** Share of visits that go on after each page: a geometric number of pages, half of them one. */
const GOES_ON = 0.5;
const MAX_PAGES = 40;
/** Hourly share of a day's traffic in local time: quiet at four in the morning, busy in the evening. */
const DAILY_CURVE = [
  2.2, 1.4, 1, 0.8, 0.7, 0.9, 1.6, 2.8, 4, 4.8, 5.2, 5.3, 5.4, 5.3, 5.2, 5.2, 5.1, 5.1, 5.2, 5.6, 6.2, 6.6,
  5.8, 4,
];

const browsers = new Weighted<UserAgent>(BROWSERS, ({ weight }) => weight);
const countries = new Weighted<Country>(COUNTRIES, ({ weight }) => weight);
const landings = new Weighted<Landing>(LANDINGS, ({ weight }) => weight);

/** Lines in order of arrival. Memory is bounded by the visits in progress and the batches that wait offline. */
export function* generate(options: TrafficOptions): Generator<StreamLine> {
  const { seed, from, to, sites = ["demo"], events = 10_000, pages = 200 } = options;
  if (!(to > from)) throw new RangeError(`to must be after from: from ${from}, to ${to}`);
  const visits = Math.max(1, Math.round(events / EVENTS_PER_VISIT));
  const world: World = {
    options,
    from,
    to,
    visitors: options.visitors ?? Math.max(1, Math.ceil(visits / 2)),
    sites: new Weighted(sites, (_, index) => 1 / (index + 1)),
    pages: new Weighted(pagesOf(pages), (_, index) => 1 / (index + 1)),
  };
  const waiting = new ArrivalQueue();
  let visit = 0;
  for (const start of visitStarts(new Random(seed), visits, from, to)) {
    while (waiting.size > 0 && waiting.nextArrival() <= start) yield waiting.take();
    playVisit(world, visit, Random.of(seed, visit), start, waiting);
    visit++;
  }
  while (waiting.size > 0) yield waiting.take();
}

interface World {
  readonly options: TrafficOptions;
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly visitors: number;
  readonly sites: Weighted<string>;
  readonly pages: Weighted<string>;
}

/** What stays the same for one person, whenever they come. */
interface Visitor {
  readonly agent: UserAgent;
  readonly agent64: string;
  readonly country: Country;
  readonly ip: string;
  readonly language: string;
  readonly zone: string;
  readonly width: number;
  readonly height: number;
  /** Their clock minus the true time. */
  readonly clockErrorMs: number;
}

function visitorOf({ options }: World, index: number): Visitor {
  const random = Random.of(options.seed ^ 0x5bf03635, index);
  const agent = browsers.draw(random);
  const country = countries.draw(random);
  const [width, height] = random.pick(agent.screens);
  const isSkewed = random.chance(options.skewed ?? 0.03);
  const wrongBy = random.chance(0.1)
    ? random.between(30, 3_000) * DAY_MS
    : random.between(2, 180) * MINUTE_MS;
  return {
    agent,
    agent64: btoa(agent.text),
    country,
    ip: `${random.pick(country.prefixes)}.${random.below(256)}.${random.between(1, 254)}`,
    language: random.chance(0.9) ? random.pick(country.languages) : "en-US",
    zone: random.pick(country.zones),
    width,
    height,
    clockErrorMs: isSkewed ? (random.chance(0.5) ? wrongBy : -wrongBy) : random.between(-800, 800),
  };
}

/** The batches of one visit, as the edge receives them. */
function playVisit(world: World, visit: number, random: Random, start: EpochMs, out: ArrivalQueue): void {
  const { options, to } = world;
  const visitor = visitorOf(world, random.below(world.visitors));
  const site = world.sites.draw(random);
  const bot = random.chance(options.bots ?? 0.03) ? btoa(random.pick(BOTS)) : undefined;
  const payer = COUNTRIES.find(({ code }) => code === options.payIn) ?? visitor.country;
  const origin = `https://${site.includes(".") ? site : `${site}.example`}`;
  const landing = landings.draw(random);
  const agent64 = bot ?? visitor.agent64;
  const sender: Sender = { world, visit, random, visitor, agent64, origin, site, out };
  const isPatient = options.handsOver !== undefined && random.chance(options.handsOver);
  let carried: string | undefined;
  let path = random.chance(0.35) ? "/" : world.pages.draw(random);
  let referrer = landing.referrer;
  let now = start;
  for (let page = 1; now < to; page++) {
    const url = origin + path + (page === 1 && landing.query !== "" ? `?${landing.query}` : "");
    const dwell = Math.min(Math.round(random.lognormal(28 * SECOND_MS, 1.1)), 3 * HOUR_MS);
    send(sender, url, referrer, now, [{ n: "pageview", t: now }], carried);
    carried = undefined;
    const left = now + dwell;
    const events = pageEvents(random, payer, now, left);
    const shown = events.filter(({ t }) => t! < to);
    const isLeft = isPatient && random.chance(GOES_ON);
    const sent = isLeft ? shown.filter(({ n }) => !isReport(n)) : shown;
    if (sent.length > 0) send(sender, url, referrer, sent.at(-1)!.t!, sent);
    const kept = isLeft ? shown.filter(({ n }) => isReport(n)) : [];
    if (kept.length > 0) carried = JSON.stringify({ ...batchOf(sender, url, referrer, kept), t: undefined });
    if (!(isPatient ? isLeft : random.chance(GOES_ON)) || page >= MAX_PAGES) return;
    referrer = url;
    path = world.pages.draw(random);
    now = left + random.between(150, 900);
  }
}

const isReport = (name: string): boolean => name === "vitals" || name === "engagement";

/** What happens on a page before it is left: perhaps a goal, vitals on the way out, and the engagement report last. */
function pageEvents(random: Random, payer: Country, from: EpochMs, left: EpochMs): WireEvent[] {
  const events: WireEvent[] = [];
  for (const goal of GOALS) {
    if (!random.chance(goal.chance)) continue;
    const event: WireEvent = { n: goal.name, t: random.between(from, left) };
    if (goal.props) event.p = goal.props(random);
    if (goal.revenue) event.$ = { amount: payer.price(random), currency: payer.currency };
    events.push(event);
  }
  events.sort((a, b) => a.t! - b.t!);
  if (random.chance(0.4)) {
    const lcp = Math.round(random.lognormal(1_800, 0.6));
    const vitals = { lcp, fcp: Math.round(lcp * 0.6), ttfb: Math.round(lcp * 0.25) };
    const inp = Math.round(random.lognormal(90, 0.8));
    const cls = Math.round(random.lognormal(0.04, 1.2) * 10_000) / 10_000;
    events.push({ n: "vitals", t: left, m: { ...vitals, inp, cls } });
  }
  const active = Math.round((left - from) * (0.5 + random.unit() / 2));
  events.push({ n: "engagement", t: left, ms: active, sd: Math.min(100, 20 + random.below(100)) });
  return events;
}

interface Sender {
  readonly world: World;
  /** Its number. */
  readonly visit: number;
  readonly random: Random;
  readonly visitor: Visitor;
  readonly agent64: string;
  readonly origin: string;
  readonly site: string;
  readonly out: ArrivalQueue;
}

/** One batch on its way: perhaps kept offline first, perhaps sent twice. `at` is the true time it became ready. */
function send(
  sender: Sender,
  url: string,
  referrer: string,
  at: EpochMs,
  events: readonly WireEvent[],
  carried?: string,
): void {
  const { random, visitor, world } = sender;
  const { late = 0.02, duplicates = 0.02 } = world.options;
  const sentAt =
    at + (random.chance(late) ? Math.round(random.lognormal(20 * MINUTE_MS, 1.2)) : random.between(5, 400));
  const batch = {
    ...batchOf(sender, url, referrer, events),
    t: sentAt + visitor.clockErrorMs,
    ...(carried !== undefined && { q: carried }),
  };
  receive(sender, batch, sentAt + random.between(15, 350));
  if (!random.chance(duplicates)) return;
  // The answer was lost, so the client tries again: same batch id, its clock read anew.
  const retryAfter = random.between(500, 30_000);
  receive(sender, { ...batch, t: batch.t! + retryAfter }, sentAt + retryAfter + random.between(15, 350));
}

/** As it is before it is sent: by the visitor's own clock. */
function batchOf(
  { site, visit, random, visitor }: Sender,
  url: string,
  referrer: string,
  events: readonly WireEvent[],
): WireBatch {
  const error = visitor.clockErrorMs;
  const batch: WireBatch = {
    s: site,
    // Generators of 32 bits repeat each other's draws now and then: of many thousand visits two would share an id.
    b: `${visit.toString(16).padStart(8, "0")}${random.hex(4).slice(8)}`,
    t: 0, // keeps its place: what is sent says when
    c: { u: url, w: visitor.width, h: visitor.height, l: visitor.language, z: visitor.zone },
    e: error === 0 ? [...events] : events.map((event) => ({ ...event, t: event.t! + error })),
  };
  if (referrer !== "") batch.c!.r = referrer;
  return batch;
}

function receive({ random, visitor, agent64, origin, out }: Sender, batch: WireBatch, at: EpochMs): void {
  const envelope: Envelope = {
    route: "/v1/events",
    id: random.hex(2),
    at,
    ip: visitor.ip,
    ua64: agent64,
    country: visitor.country.code,
    trace64: "",
    origin64: btoa(origin),
    body64: base64(JSON.stringify(batch)),
  };
  out.add({ arrival: at + random.between(1, 12), envelope });
}

function base64(text: string): string {
  if (!/\P{ASCII}/u.test(text)) return btoa(text);
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Starts in rising order, spread over [from, to) by the daily curve of the world's average local time. */
function* visitStarts(random: Random, count: number, from: EpochMs, to: EpochMs): Generator<EpochMs> {
  const slotMs = Math.max(10 * MINUTE_MS, Math.ceil((to - from) / 100_000));
  const slots = Math.ceil((to - from) / slotMs);
  const weightOf = (slot: number): number => {
    const hour = ((from + slot * slotMs) % DAY_MS) / HOUR_MS;
    const next = DAILY_CURVE[(Math.floor(hour) + 1) % 24]!;
    const here = DAILY_CURVE[Math.floor(hour)]! + (next - DAILY_CURVE[Math.floor(hour)]!) * (hour % 1);
    return here * Math.min(1, (to - from - slot * slotMs) / slotMs);
  };
  let total = 0;
  for (let slot = 0; slot < slots; slot++) total += weightOf(slot);
  let slot = 0;
  let before = 0;
  let weight = weightOf(0);
  let rest = 1;
  for (let left = count; left > 0; left--) {
    // The smallest of `left` uniform draws in what is left of [0, 1): sorted without a list.
    rest *= (1 - random.unit()) ** (1 / left);
    const at = (1 - rest) * total;
    while (slot < slots - 1 && before + weight <= at) {
      before += weight;
      weight = weightOf(++slot);
    }
    const lengthMs = Math.min(slotMs, to - from - slot * slotMs);
    yield Math.min(from + slot * slotMs + Math.floor(((at - before) / weight) * lengthMs), to - 1);
  }
}

/** A binary heap by arrival; equal arrivals leave in the order they came, so that runs are repeatable. */
class ArrivalQueue {
  readonly #heap: Array<{ readonly line: StreamLine; readonly order: number }> = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  nextArrival(): EpochMs {
    return this.#heap[0]!.line.arrival;
  }

  add(line: StreamLine): void {
    let hole = this.#heap.push({ line, order: this.#order++ }) - 1;
    const entry = this.#heap[hole]!;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!isBefore(entry, this.#heap[parent]!)) break;
      this.#heap[hole] = this.#heap[parent]!;
      hole = parent;
    }
    this.#heap[hole] = entry;
  }

  take(): StreamLine {
    const first = this.#heap[0]!;
    const last = this.#heap.pop()!;
    const size = this.#heap.length;
    if (size === 0) return first.line;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(this.#heap[child + 1]!, this.#heap[child]!)) child++;
      if (!isBefore(this.#heap[child]!, last)) break;
      this.#heap[hole] = this.#heap[child]!;
      hole = child;
    }
    this.#heap[hole] = last;
    return first.line;
  }
}

interface Queued {
  readonly line: StreamLine;
  readonly order: number;
}

const isBefore = (a: Queued, b: Queued): boolean =>
  a.line.arrival < b.line.arrival || (a.line.arrival === b.line.arrival && a.order < b.order);
