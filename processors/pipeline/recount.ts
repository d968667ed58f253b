/**
 * Counts stream records a second time, as plainly as can be: sets, maps and loops, no visits, no sketches, no tables.
 * Shares with the live path what an event is (decode) and who is a robot, and nothing of how it is counted.
 */
import { type ClickEvent, isReport, PAGEVIEW } from "../model/event.ts";
import { DAY_MS, type EpochMs, MINUTE_MS } from "../model/time.ts";
import type { StreamRecord } from "../streams/stream.ts";
import { base64Header } from "./decode/base64.ts";
import { decodeBatches } from "./decode/decode.ts";
import { decodeEnvelope } from "./decode/envelope.ts";
import { decodeImported, isImported } from "./decode/imported.ts";
import { agentParser } from "./enrich/agent.ts";
import { hash53 } from "./hash.ts";
import { importedWindow, isHistory } from "./history.ts";
import { MAX_BATCH_IDS } from "./state.ts";

/** What can be told of one (site, minute) without knowing visits. */
export interface Tally {
  events: number;
  pageviews: number;
  /** Minor units by ISO 4217 currency, and the same without signs, which tells when sums have left what is exact. */
  readonly revenue: Map<string, { minor: number; absolute: number }>;
  /** Distinct senders, whenever their batches were received. None of history. */
  readonly senders: Set<string>;
  /** The same, as often as each may have an id of its own: a cookieless sender has another one each day. */
  readonly dailySenders: Set<string>;
}

/** By site and start of the minute. */
export type Tallies = ReadonlyMap<string, ReadonlyMap<EpochMs, Tally>>;

/** What is being counted of some records. */
interface Count {
  readonly sites: Map<string, Map<EpochMs, Tally>>;
  /** The latest event so far of each cookieless sender to a site, by day of receipt. */
  readonly latest: Map<string, EpochMs>;
}

const parseAgent = agentParser({ maxEntries: 1_000 });

/** Counts the records of one shard, in order. It remembers nothing but the batch ids that it has seen. */
export class Recount {
  /** hash53 of (site, batch id), oldest first; the form in which a shard's state keeps them, to begin with those. */
  readonly #ids: Set<number>;

  constructor(idsBefore: Iterable<number>) {
    this.#ids = new Set(idsBefore);
  }

  /** Takes ids as seen whose records are gone. */
  learn(ids: Iterable<number>): void {
    for (const id of ids) this.#isNew(id);
  }

  /** Counts some records on their own; `isSite` says which sites were registered when they were counted live. */
  count(records: readonly StreamRecord[], isSite: (site: string) => boolean): Tallies {
    const count: Count = { sites: new Map(), latest: new Map() };
    for (const record of records) this.#countRecord(record, isSite, count);
    return count.sites;
  }

  #countRecord({ data, arrivalAt }: StreamRecord, isSite: (site: string) => boolean, count: Count): void {
    if (isImported(data)) {
      this.#countImported(data, arrivalAt, isSite, count);
      return;
    }
    const envelope = decodeEnvelope(data, arrivalAt);
    if ("reason" in envelope) return;
    const batches = decodeBatches(envelope);
    if ("reason" in batches) return;
    const agentText = base64Header(envelope.ua64);
    const { bot, library } = parseAgent(agentText);
    for (const { site, id, visitor, events } of batches) {
      if (!isSite(site)) continue;
      const request = id !== "" ? `b${id}` : envelope.id !== "" ? `e${envelope.id}` : "";
      if (request !== "" && !this.#isNew(hash53(`${site}\u0000${request}`))) continue;
      if (bot && !library) continue;
      const { ip, at } = envelope;
      const from = senderOf({ site, ip, agentText, visitor, at, isPast: false }, events, count);
      for (const event of events) countFrom(count, site, event, from);
    }
  }

  #countImported(
    data: Uint8Array,
    arrivalAt: EpochMs,
    isSite: (site: string) => boolean,
    count: Count,
  ): void {
    const imported = decodeImported(data, arrivalAt);
    if ("reason" in imported || !isSite(imported.site)) return;
    const { site } = imported;
    if (!this.#isNew(hash53(`${site}\u0000i${imported.id}`))) return;
    for (const { batch, at, ip, agentText } of imported.posts) {
      const { bot, library } = parseAgent(agentText);
      if (bot && !(library && imported.countsLibraries)) continue;
      let from: Sender | undefined;
      for (const event of batch.events) {
        // Nothing is compared with history but how many events it has: its minutes are not kept, nor what is found in them.
        if (!isHistory(event.at, arrivalAt)) {
          const { visitor, events } = batch;
          from ??= senderOf({ site, ip, agentText, visitor, at, isPast: true }, events, count);
          countFrom(count, site, event, from);
        } else if (!isReport(event.name))
          countEvent(tallyOf(count, site, importedWindow(event.at, arrivalAt)), event);
      }
    }
  }

  #isNew(id: number): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      // The live path forgets at the same number, so that both forget the same ids.
      if (this.#ids.size <= MAX_BATCH_IDS) break;
      this.#ids.delete(oldest);
    }
    return true;
  }
}

/** What tells who sent a batch. Visits of what is imported are remembered apart. */
interface Whence {
  readonly site: string;
  readonly ip: string;
  readonly agentText: string;
  readonly visitor: string;
  readonly at: EpochMs;
  readonly isPast: boolean;
}

/** Who sent a batch: in general, and by each id that it may have been counted under. */
interface Sender {
  readonly always: string;
  readonly daily: readonly string[];
}

function senderOf(whence: Whence, events: readonly ClickEvent[], { latest }: Count): Sender {
  const { site, ip, agentText, visitor, at, isPast } = whence;
  const always = JSON.stringify(visitor !== "" ? [visitor] : [ip, agentText]);
  if (visitor !== "") return { always, daily: [always] };
  const daily = `${Math.floor(at / DAY_MS)} ${isPast} ${always}`;
  const key = `${site} ${daily}`;
  const before = latest.get(key) ?? 0;
  // As long as a sender's events come in their order, all of one minute have one id: today's, or yesterday's.
  const isOvertaken = events.some((event) => event.at < before);
  latest.set(key, Math.max(before, ...events.map((event) => event.at)));
  return { always, daily: isOvertaken ? [daily, `overtaken ${daily}`] : [daily] };
}

function countFrom(count: Count, site: string, event: ClickEvent, { always, daily }: Sender): void {
  if (isReport(event.name)) return;
  const tally = tallyOf(count, site, Math.floor(event.at / MINUTE_MS) * MINUTE_MS);
  countEvent(tally, event);
  tally.senders.add(always);
  for (const one of daily) tally.dailySenders.add(one);
}

function tallyOf({ sites }: Count, site: string, minute: EpochMs): Tally {
  let minutes = sites.get(site);
  if (!minutes) {
    minutes = new Map();
    sites.set(site, minutes);
  }
  let tally = minutes.get(minute);
  if (!tally) {
    tally = { events: 0, pageviews: 0, revenue: new Map(), senders: new Set(), dailySenders: new Set() };
    minutes.set(minute, tally);
  }
  return tally;
}

function countEvent(tally: Tally, { name, revenue }: ClickEvent): void {
  tally.events += 1;
  if (name === PAGEVIEW) tally.pageviews += 1;
  if (!revenue) return;
  const sum = tally.revenue.get(revenue.currency) ?? { minor: 0, absolute: 0 };
  sum.minor += revenue.minor;
  sum.absolute += Math.abs(revenue.minor);
  tally.revenue.set(revenue.currency, sum);
}
