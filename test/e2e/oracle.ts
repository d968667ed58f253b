/**
 * Counts a list of happenings with plain sets and loops, and says what the Stats API has to answer for them. Shares no
 * code with the product; definitions are those of the Stats API.
 */
import type { Happening } from "./load.ts";

export interface Expected {
  readonly body: { readonly metrics: readonly string[]; readonly dimensions: readonly string[] };
  /** The metrics by dimension value, `""` for the totals. */
  readonly rows: ReadonlyMap<string, readonly unknown[]>;
}

interface Visit {
  readonly visitor: number;
  readonly first: Happening;
  readonly events: Happening[];
  readonly reports: Happening[];
}

const isReport = ({ name }: Happening): boolean => name === "engagement";
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const round = (value: number, digits = 0): number => Math.round(value * 10 ** digits) / 10 ** digits;
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

function visitsOf(happenings: readonly Happening[]): Visit[] {
  const visits = new Map<string, Visit>();
  for (const happening of [...happenings].sort((a, b) => a.at - b.at)) {
    let visit = visits.get(happening.visit);
    if (!visit) {
      visit = { visitor: happening.visitor, first: happening, events: [], reports: [] };
      visits.set(happening.visit, visit);
    }
    (isReport(happening) ? visit.reports : visit.events).push(happening);
  }
  return [...visits.values()];
}

const isBounce = ({ events }: Visit): boolean => events.filter(({ interactive }) => interactive).length <= 1;
const exitPage = ({ events, first }: Visit): string =>
  (events.findLast(({ name }) => name === "pageview") ?? first).page;
const seconds = ({ events, reports, first }: Visit): number =>
  (Math.max(...[...events, ...reports].map(({ at }) => at)) - first.at) / 1000;

/** What one row is counted from: its events and reports, and the visits that it owns. */
interface Share {
  readonly events: readonly Happening[];
  readonly reports: readonly Happening[];
  /** For bounce rate, duration and visits of visit dimensions. */
  readonly visits: readonly Visit[];
  /** Of an event dimension: visits in which the value occurred. */
  readonly visitsWith?: number;
  readonly allVisitors: number;
}

const people = (events: readonly Happening[]): number => new Set(events.map(({ visitor }) => visitor)).size;

function money(events: readonly Happening[], average: boolean): unknown {
  const byCurrency = new Map<string, number[]>();
  for (const { revenue } of events) {
    if (!revenue) continue;
    byCurrency.set(revenue.currency, [...(byCurrency.get(revenue.currency) ?? []), revenue.cents]);
  }
  const [first] = [...byCurrency].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
  if (!first) return null;
  const [currency, cents] = first;
  return { currency, cents: average ? Math.round(sum(cents) / cents.length) : sum(cents) };
}

/** Pairs of visit and page that reported, each with its engaged time and deepest scroll. */
function reads(reports: readonly Happening[]): { pairs: number; scroll: number } {
  const deepest = new Map<string, number>();
  for (const { visit, page, scroll = 0 } of reports) {
    const pair = `${visit} ${page}`;
    deepest.set(pair, Math.max(deepest.get(pair) ?? 0, scroll));
  }
  return { pairs: deepest.size, scroll: sum([...deepest.values()]) };
}

function metric(name: string, share: Share): unknown {
  const { events, reports, visits } = share;
  const pageviews = events.filter((event) => event.name === "pageview").length;
  const read = reads(reports);
  const engagedMs = sum(reports.map((report) => report.engagedMs ?? 0));
  switch (name) {
    case "visitors":
      return people(events);
    case "visits":
      return share.visitsWith ?? visits.length;
    case "pageviews":
      return pageviews;
    case "events":
      return events.length;
    case "views_per_visit":
      return round(ratio(pageviews, visits.length), 2);
    case "bounce_rate":
      return round(100 * ratio(visits.filter(isBounce).length, visits.length));
    case "visit_duration":
      return round(ratio(sum(visits.map(seconds)), visits.length));
    case "engaged_time":
      return round(ratio(engagedMs / 1000, visits.length));
    case "time_on_page":
      return read.pairs === 0 ? null : round(engagedMs / 1000 / read.pairs);
    case "scroll_depth":
      return read.pairs === 0 ? null : round(read.scroll / read.pairs);
    case "total_revenue":
      return money(events, false);
    case "average_revenue":
      return money(events, true);
    case "percentage":
    case "conversion_rate":
      return round(100 * ratio(people(events), share.allVisitors), 1);
    default:
      throw new Error(`the oracle does not know ${name}`);
  }
}

const VISIT_METRICS = ["views_per_visit", "bounce_rate", "visit_duration", "engaged_time"];
const PAGE_METRICS = ["time_on_page", "scroll_depth"];
const COMMON = ["visitors", "visits", "pageviews", "events"];
const MONEY = ["total_revenue", "average_revenue"];

export const VISIT_DIMENSIONS = [
  "visit:source",
  "visit:channel",
  "visit:referrer",
  "visit:utm_source",
  "visit:utm_medium",
  "visit:utm_campaign",
  "visit:utm_term",
  "visit:utm_content",
  "visit:entry_page",
  "visit:device",
  "visit:browser",
  "visit:os",
  "visit:country",
  "visit:screen",
  "visit:language",
];

/** Every breakdown that rollups hold for these happenings, with the answer to each. */
export function expectations(happenings: readonly Happening[]): Expected[] {
  const visits = visitsOf(happenings);
  const visitById = new Map(visits.map((visit) => [visit.first.visit, visit]));
  const events = happenings.filter((happening) => !isReport(happening));
  const reports = happenings.filter(isReport);
  const allVisitors = people(events);
  const all: Share = { events, reports, visits, allVisitors };
  const expected: Expected[] = [];
  const ask = (
    metrics: readonly string[],
    dimension: string | undefined,
    shares: ReadonlyMap<string, Share>,
  ) =>
    expected.push({
      body: { metrics, dimensions: dimension === undefined ? [] : [dimension] },
      rows: new Map([...shares].map(([value, share]) => [value, metrics.map((name) => metric(name, share))])),
    });

  ask([...COMMON, ...VISIT_METRICS, ...PAGE_METRICS, ...MONEY], undefined, new Map([["", all]]));

  for (const [dimension, length] of [
    ["time:minute", 60_000],
    ["time:hour", 3_600_000],
  ] as const) {
    const label = (at: number): string =>
      new Date(at - (at % length)).toISOString().slice(0, 19).replace("T", " ");
    ask(
      [...COMMON, "bounce_rate", "visit_duration", "total_revenue"],
      dimension,
      group(
        happenings,
        (happening) => [label(happening.at)],
        (own, value) => ({
          events: own.filter((happening) => !isReport(happening)),
          reports: own.filter(isReport),
          visits: visits.filter(({ first }) => label(first.at) === value),
          allVisitors,
        }),
      ),
    );
  }

  for (const dimension of VISIT_DIMENSIONS) {
    const attributeOf = (visit: Visit): string =>
      dimension === "visit:entry_page" ? visit.first.page : (visit.first.attributes[dimension] ?? "");
    ask(
      [...COMMON, ...VISIT_METRICS, ...PAGE_METRICS, ...MONEY, "percentage"],
      dimension,
      group(
        visits,
        (visit) => (attributeOf(visit) === "" ? [] : [attributeOf(visit)]),
        (own) => ({
          events: own.flatMap((visit) => visit.events),
          reports: own.flatMap((visit) => visit.reports),
          visits: own,
          allVisitors,
        }),
      ),
    );
  }
  ask(
    [...COMMON, "bounce_rate", "visit_duration", "views_per_visit"],
    "visit:exit_page",
    group(
      visits,
      (visit) => [exitPage(visit)],
      (own) => ({
        events: own.flatMap((visit) => visit.events),
        reports: own.flatMap((visit) => visit.reports),
        visits: own,
        allVisitors,
      }),
    ),
  );

  const byEvent = (
    dimension: string,
    metrics: readonly string[],
    valuesOf: (happening: Happening) => string[],
    extra: (value: string) => Pick<Share, "reports" | "visits"> = () => ({ reports: [], visits: [] }),
  ) =>
    ask(
      metrics,
      dimension,
      group(events, valuesOf, (own, value) => ({
        events: own,
        visitsWith: new Set(own.map(({ visit }) => visit)).size,
        allVisitors,
        ...extra(value),
      })),
    );
  byEvent(
    "event:page",
    [...COMMON, "bounce_rate", "visit_duration", ...PAGE_METRICS, ...MONEY, "percentage"],
    ({ page }) => [page],
    (page) => ({
      reports: reports.filter((report) => report.page === page),
      visits: [...visitById.values()].filter(({ first }) => first.page === page),
    }),
  );
  byEvent("event:hostname", [...COMMON, ...MONEY], ({ hostname }) => [hostname]);
  byEvent("event:name", [...COMMON, ...MONEY, "percentage"], ({ name }) => [name]);
  byEvent("event:goal", ["visitors", "events", ...MONEY, "conversion_rate"], ({ name }) =>
    name === "pageview" ? [] : [name],
  );
  const keys = new Set(events.flatMap(({ props }) => Object.keys(props)));
  for (const key of keys)
    byEvent(`event:props:${key}`, [...COMMON, ...MONEY, "conversion_rate"], ({ props }) =>
      props[key] === undefined ? [] : [String(props[key])],
    );
  return expected;
}

function group<T>(
  items: readonly T[],
  valuesOf: (item: T) => readonly string[],
  shareOf: (own: readonly T[], value: string) => Share,
): Map<string, Share> {
  const groups = new Map<string, T[]>();
  for (const item of items)
    for (const value of valuesOf(item)) {
      const own = groups.get(value);
      if (own) own.push(item);
      else groups.set(value, [item]);
    }
  return new Map([...groups].map(([value, own]) => [value, shareOf(own, value)]));
}

/** Money as cents, so that both sides compare as integers. */
export function comparable(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("currency" in value)) return value;
  const { currency, value: amount } = value as { currency: string; value: number };
  return { currency, cents: Math.round(amount * 100) };
}
