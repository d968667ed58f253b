/**
 * Counts a recorded stream a second time, by other means: every event kept, plain sets, maps and loops, no windows, no
 * sketches, no state that is forgotten. Shares with the pipeline only what reads an event (decode) and describes it (enrich).
 */
import { VISIT_DIMENSIONS } from "../../processors/model/dimensions.ts";
import { type Batch, type ClickEvent, VITALS, type Vital } from "../../processors/model/event.ts";
import type { StreamLine } from "../../processors/model/streamfile.ts";
import { base64Header } from "../../processors/pipeline/decode/base64.ts";
import { decodeBatches } from "../../processors/pipeline/decode/decode.ts";
import { decodeEnvelope } from "../../processors/pipeline/decode/envelope.ts";
import { minorDigits } from "../../processors/pipeline/decode/revenue.ts";
import { agentParser } from "../../processors/pipeline/enrich/agent.ts";
import { countryOf, visitAttributes } from "../../processors/pipeline/enrich/visit.ts";
import { encodeJson } from "../../processors/pipeline/json.ts";

const MINUTE = 60_000;
const GAP = 30 * MINUTE;
/** A visitor not heard of for longer begins anew: docs/exactness.md. */
const REMEMBERED = 24 * 60 * MINUTE;
const DAY = 24 * 60 * MINUTE;

export interface Visit {
  readonly visitor: string;
  /** Minute of its earliest event but reports: all that concerns the visit as a whole is counted there. */
  minute: number;
  /** Values of VISIT_DIMENSIONS, AGENT_DIMENSIONS and ENTRY_HOSTNAME by name, as of that event. */
  attributes: ReadonlyMap<string, string>;
  first: number;
  last: number;
  interactive: number;
  pageviews: number;
  events: number;
  engagedMs: number;
  exitPage: string;
  exitHostname: string;
  exitAt: number;
  readonly seen: Set<string>;
  readonly read: Set<string>;
  readonly depths: Map<string, number>;
}

/** A page view or custom event that was counted. */
interface Hit {
  readonly event: ClickEvent;
  readonly visit: Visit;
  /** Those of the visit when this was counted. */
  readonly attributes: ReadonlyMap<string, string>;
  /** [dimension, value] of its own; `first` says whether it was the first of its kind in the visit. */
  readonly values: readonly { readonly dimension: string; readonly value: string; readonly first: boolean }[];
}

/** What a report about a page view adds. */
interface Report {
  readonly at: number;
  readonly page: string;
  readonly visit: Visit | undefined;
  /** Those of the visit when this was counted. */
  readonly attributes: ReadonlyMap<string, string> | undefined;
  readonly engagedMs: number;
  readonly reads: number;
  readonly scrolls: number;
  readonly scrollSum: number;
  readonly vitals: Partial<Record<Vital, number>>;
}

interface SiteFacts {
  readonly hits: Hit[];
  readonly visits: Visit[];
  readonly reports: Report[];
  late: number;
}

/** One row's numbers, before they are divided and rounded. */
export interface Tally {
  readonly visitors: Set<string>;
  readonly revenue: Map<string, { minor: number; count: number }>;
  readonly vitals: Map<Vital, number[]>;
  events: number;
  pageviews: number;
  visits: number;
  bounces: number;
  durationMs: number;
  engagedMs: number;
  reads: number;
  scrolls: number;
  scrollSum: number;
}

export interface Question {
  readonly site: string;
  /** Event time in [from, to). */
  readonly from: number;
  readonly to: number;
  /** Undefined for totals. */
  readonly dimension?: string;
  /** Name of the time bucket that owns an instant; none by default. */
  readonly bucketOf?: (at: number) => string;
}

export interface OracleOptions {
  readonly sites: readonly string[];
  readonly latenessMs?: number;
  /** Values of PLACE_DIMENSIONS by name; without it they are not known. */
  readonly placeOf?: (ip: string) => Readonly<Record<string, string>>;
}

const parse = agentParser({ maxEntries: 10_000 });

/** Reads the lines in the order given, which must be the order in which each visitor's records arrive. */
export class Oracle {
  readonly counters = { records: 0, batches: 0, events: 0, late: 0, rejects: {} as Record<string, number> };
  readonly #options: OracleOptions;
  readonly #facts = new Map<string, SiteFacts>();
  readonly #visits = new Map<string, Visit[]>();
  /** When the newest batch of each visitor was received. */
  readonly #heard = new Map<string, number>();
  readonly #batches = new Set<string>();

  constructor(lines: readonly StreamLine[], options: OracleOptions) {
    this.#options = options;
    for (const { arrival, envelope } of lines) {
      this.counters.records++;
      const read = decodeEnvelope(encodeJson(envelope), arrival);
      if ("reason" in read) {
        this.#reject(read.reason, 1);
        continue;
      }
      const batches = decodeBatches(read);
      if ("reason" in batches) this.#reject(batches.reason, 1);
      else for (const batch of batches) this.#batch(batch, read);
    }
  }

  #reject(reason: string, count: number): void {
    if (count > 0) this.counters.rejects[reason] = (this.counters.rejects[reason] ?? 0) + count;
  }

  #batch(batch: Batch, envelope: Parameters<typeof decodeBatches>[0]): void {
    const everything = batch.events.length + batch.rejects.length;
    if (!this.#options.sites.includes(batch.site)) {
      this.#reject("unknown_site", everything);
      return;
    }
    const id =
      batch.id !== "" ? ["client", batch.id] : envelope.id !== "" ? ["edge", envelope.id] : undefined;
    if (id) {
      const key = JSON.stringify([batch.site, ...id]);
      if (this.#batches.has(key)) {
        this.#reject("duplicate", everything);
        return;
      }
      this.#batches.add(key);
    }
    const agentText = base64Header(envelope.ua64);
    const agent = parse(agentText);
    if (agent.bot) {
      this.#reject("bot", everything);
      return;
    }
    this.counters.batches++;
    for (const { reason } of batch.rejects) this.#reject(reason, 1);
    if (batch.events.length === 0) return;
    const visitor = this.#visitor(batch, envelope, agentText);
    const visits = this.#recall(visitor, envelope.at) ?? [];
    this.#visits.set(visitor, visits);
    this.#heard.set(visitor, Math.max(this.#heard.get(visitor) ?? 0, envelope.at));
    let facts = this.#facts.get(batch.site);
    if (!facts) {
      facts = { hits: [], visits: [], reports: [], late: 0 };
      this.#facts.set(batch.site, facts);
    }
    for (const event of batch.events.toSorted((a, b) => a.at - b.at)) {
      this.counters.events++;
      const minuteEnd = Math.floor(event.at / MINUTE) * MINUTE + MINUTE;
      if (minuteEnd <= envelope.at - (this.#options.latenessMs ?? MINUTE)) {
        this.counters.late++;
        facts.late++;
      }
      const attributes = () => {
        const values = visitAttributes(event, batch, agent, () => countryOf(envelope, () => ""));
        return new Map([
          ...VISIT_DIMENSIONS.map((name, i) => [name as string, values[i] ?? ""] as const),
          ["visit:browser_version", agent.browserVersion],
          ["visit:os_version", agent.osVersion],
          ...Object.entries(this.#options.placeOf?.(envelope.ip) ?? {}),
          ["visit:entry_page_hostname", event.url.hostname],
        ]);
      };
      this.#event(event, { visitor, visits, attributes, facts });
    }
  }

  /** Who it is: the id that the site chose; else address and agent on one day, or the day before while a visit goes on. */
  #visitor(batch: Batch, envelope: { at: number; ip: string }, agent: string): string {
    if (batch.visitor !== "") return JSON.stringify([batch.site, "chosen", batch.visitor]);
    const day = Math.floor(envelope.at / DAY);
    const on = (of: number) => JSON.stringify([batch.site, of, envelope.ip, agent]);
    if (this.#recall(on(day), envelope.at)) return on(day);
    const earliest = Math.min(...batch.events.map(({ at }) => at));
    const goesOn = this.#recall(on(day - 1), envelope.at)?.some(({ last }) => last + GAP >= earliest);
    return goesOn ? on(day - 1) : on(day);
  }

  /** A visitor's visits, as long as they are remembered. */
  #recall(visitor: string, at: number): Visit[] | undefined {
    return at - (this.#heard.get(visitor) ?? at) > REMEMBERED ? undefined : this.#visits.get(visitor);
  }

  #event(
    event: ClickEvent,
    {
      visitor,
      visits,
      attributes,
      facts,
    }: { visitor: string; visits: Visit[]; attributes: () => Map<string, string>; facts: SiteFacts },
  ): void {
    let visit: Visit | undefined;
    for (const candidate of visits)
      if (event.at >= candidate.first - GAP && event.at <= candidate.last + GAP)
        if (!visit || candidate.first >= visit.first) visit = candidate;
    const page = event.url.path;
    const minute = Math.floor(event.at / MINUTE) * MINUTE;
    if (event.name === "vitals" || event.name === "engagement") {
      const isEngagement = event.name === "engagement";
      let reads = 0;
      let scrolls = 0;
      let scrollSum = 0;
      if (visit && isEngagement) {
        visit.last = Math.max(visit.last, event.at);
        visit.engagedMs += event.engagedMs ?? 0;
        if (!visit.read.has(page)) reads = 1;
        visit.read.add(page);
        if (event.scrollDepth !== undefined) {
          const before = visit.depths.get(page);
          if (before === undefined) scrolls = 1;
          const deepest = Math.max(before ?? 0, event.scrollDepth);
          scrollSum = deepest - (before ?? 0);
          visit.depths.set(page, deepest);
        }
      }
      const engagedMs = isEngagement ? (event.engagedMs ?? 0) : 0;
      facts.reports.push({
        at: event.at,
        page,
        visit,
        attributes: visit?.attributes,
        engagedMs,
        reads,
        scrolls,
        scrollSum,
        vitals: event.vitals ?? {},
      });
      return;
    }
    if (!visit) {
      visit = {
        visitor,
        minute,
        attributes: attributes(),
        first: event.at,
        last: event.at,
        interactive: 0,
        pageviews: 0,
        events: 0,
        engagedMs: 0,
        exitPage: "",
        exitHostname: "",
        exitAt: 0,
        seen: new Set(),
        read: new Set(),
        depths: new Map(),
      };
      visits.push(visit);
      facts.visits.push(visit);
    }
    const began = visit.events === 0;
    const isView = event.name === "pageview";
    const isFirstView = isView && visit.pageviews === 0;
    if (event.at < visit.first) {
      visit.minute = minute;
      visit.attributes = attributes();
    }
    visit.first = Math.min(visit.first, event.at);
    visit.last = Math.max(visit.last, event.at);
    visit.events++;
    if (isView) visit.pageviews++;
    if (event.interactive) visit.interactive++;
    if (began || isFirstView || (isView && event.at >= visit.exitAt)) {
      visit.exitPage = page;
      visit.exitHostname = event.url.hostname;
      visit.exitAt = event.at;
    }
    const own: [string, string][] = [
      ["event:page", page],
      ["event:hostname", event.url.hostname],
      ["event:name", event.name],
    ];
    for (const [key, value] of event.props) own.push([`event:props:${key}`, value]);
    const { seen } = visit;
    const values = own.map(([dimension, value]) => {
      const mark = JSON.stringify([dimension, value]);
      const first = !seen.has(mark);
      seen.add(mark);
      return { dimension, value, first };
    });
    facts.hits.push({ event, visit, attributes: visit.attributes, values });
  }

  late(site: string): number {
    return this.#facts.get(site)?.late ?? 0;
  }

  /** Property keys that occur. */
  props(site: string): string[] {
    const names = this.#facts
      .get(site)
      ?.hits.flatMap(({ values }) => values.map(({ dimension }) => dimension));
    return [...new Set(names)].filter((name) => name.startsWith("event:props:")).sort();
  }

  /** First and last instant of what was counted. */
  span(site: string): { from: number; to: number } {
    let from = Number.POSITIVE_INFINITY;
    let to = 0;
    const { hits = [], reports = [] } = this.#facts.get(site) ?? {};
    for (const at of [...hits.map(({ event }) => event.at), ...reports.map((report) => report.at)]) {
      from = Math.min(from, at);
      to = Math.max(to, at);
    }
    return { from, to };
  }

  /** Rows by `[bucket, value]` as JSON; rows in which nothing happened are absent. */
  tally({ site, from, to, dimension, bucketOf = () => "" }: Question): Map<string, Tally> {
    const facts = this.#facts.get(site);
    const rows = new Map<string, Tally>();
    const row = (at: number, value: string): Tally => {
      const key = JSON.stringify([bucketOf(at), value]);
      let found = rows.get(key);
      if (!found) {
        found = newTally();
        rows.set(key, found);
      }
      return found;
    };
    const table = dimension === "event:goal" ? "event:name" : dimension;
    const isByExit = dimension?.startsWith("visit:exit_page");
    const isVisitDimension = dimension?.startsWith("visit:") && !isByExit;
    const isOfWhole = dimension === "visit:entry_page_hostname";
    const attributeOf = (of: { readonly attributes: ReadonlyMap<string, string> }): string | undefined =>
      dimension === undefined ? "" : isVisitDimension ? of.attributes.get(dimension) || undefined : undefined;

    for (const { event, visit, attributes, values } of facts?.hits ?? []) {
      if (event.at < from || event.at >= to) continue;
      const count = (tally: Tally): void => {
        tally.events++;
        if (event.name === "pageview") tally.pageviews++;
        tally.visitors.add(visit.visitor);
        if (event.revenue) {
          const money = tally.revenue.get(event.revenue.currency) ?? { minor: 0, count: 0 };
          money.minor += event.revenue.minor;
          money.count++;
          tally.revenue.set(event.revenue.currency, money);
        }
      };
      const value = attributeOf(isOfWhole ? visit : { attributes });
      if (value !== undefined) count(row(event.at, value));
      for (const own of values) {
        if (own.dimension !== table || (dimension === "event:goal" && own.value === "pageview")) continue;
        const tally = row(event.at, own.value);
        count(tally);
        if (own.first) tally.visits++;
      }
    }
    for (const visit of facts?.visits ?? []) {
      if (visit.minute < from || visit.minute >= to) continue;
      const exit = dimension === "visit:exit_page" ? visit.exitPage : visit.exitHostname;
      const value = isByExit ? exit : attributeOf(visit);
      if (value === undefined) continue;
      const tally = row(visit.minute, value);
      tally.visits++;
      if (visit.interactive <= 1) tally.bounces++;
      tally.durationMs += visit.last - visit.first;
      if (!isByExit) continue;
      tally.visitors.add(visit.visitor);
      tally.pageviews += visit.pageviews;
      tally.events += visit.events;
      tally.engagedMs += visit.engagedMs;
    }
    for (const report of facts?.reports ?? []) {
      if (report.at < from || report.at >= to) continue;
      const value =
        dimension === "event:page"
          ? report.page
          : report.attributes && report.visit
            ? attributeOf(isOfWhole ? report.visit : { attributes: report.attributes })
            : dimension
              ? undefined
              : "";
      if (value === undefined) continue;
      const hasVitals =
        dimension === undefined || ["event:page", "visit:device", "visit:country"].includes(dimension);
      const measured = hasVitals ? VITALS.filter((name) => report.vitals[name] !== undefined) : [];
      const { engagedMs, reads, scrolls, scrollSum } = report;
      if (measured.length === 0 && engagedMs + reads + scrolls + scrollSum === 0) continue;
      const tally = row(report.at, value);
      tally.engagedMs += engagedMs;
      tally.reads += reads;
      tally.scrolls += scrolls;
      tally.scrollSum += scrollSum;
      for (const name of measured) {
        const list = tally.vitals.get(name) ?? [];
        list.push(report.vitals[name] as number);
        tally.vitals.set(name, list);
      }
    }
    return rows;
  }
}

export const newTally = (): Tally => ({
  visitors: new Set(),
  revenue: new Map(),
  vitals: new Map(),
  events: 0,
  pageviews: 0,
  visits: 0,
  bounces: 0,
  durationMs: 0,
  engagedMs: 0,
  reads: 0,
  scrolls: 0,
  scrollSum: 0,
});

const rounded = (part: number, whole: number, digits = 0): number =>
  whole === 0 ? 0 : Math.round((part * 10 ** digits) / whole) / 10 ** digits;

/**
 * A metric of a row as the Stats API defines it. `entry` is the row of the entry page of the same name, which alone knows
 * the visits that began on a page; `everybody` the visitors of the whole query.
 */
export function metricOf(metric: string, row: Tally, entry: Tally, everybody: number): unknown {
  switch (metric) {
    case "visitors":
      return row.visitors.size;
    case "visits":
      return row.visits;
    case "pageviews":
      return row.pageviews;
    case "events":
      return row.events;
    case "views_per_visit":
      return rounded(row.pageviews, row.visits, 2);
    case "bounce_rate":
      return rounded(100 * entry.bounces, entry.visits);
    case "visit_duration":
      return rounded(entry.durationMs, 1000 * entry.visits);
    case "engaged_time":
      return rounded(row.engagedMs, 1000 * row.visits);
    case "time_on_page":
      return row.reads === 0 ? null : rounded(row.engagedMs, 1000 * row.reads);
    case "scroll_depth":
      return row.scrolls === 0 ? null : rounded(row.scrollSum, row.scrolls);
    case "percentage":
    case "conversion_rate":
      return rounded(100 * row.visitors.size, everybody, 1);
    case "total_revenue":
    case "average_revenue": {
      const [first] = [...row.revenue].sort((a, b) => b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1));
      if (!first) return null;
      const [currency, { minor, count }] = first;
      const digits = minorDigits(currency);
      return {
        currency,
        value: rounded(minor, (metric === "total_revenue" ? 1 : count) * 10 ** digits, digits),
      };
    }
    default: {
      const [name, percentile] = metric.split("_p") as [Vital, string];
      const values = row.vitals.get(name)?.toSorted((a, b) => a - b);
      return values ? values[Math.floor((Number(percentile) / 100) * (values.length - 1))] : null;
    }
  }
}
