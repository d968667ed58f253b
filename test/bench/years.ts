/**
 * A year of a busy site as rollup items, without folding a hundred million events: some days are drawn visit by visit
 * and counted into rollups as the fold counts them, encoded by the product's own code, and stand for all days in turn.
 * Tables are as full and sketches as large as such days have them. The same visits can be written as Parquet.
 */

import { join } from "node:path";
import { parquetWriteFile } from "hyparquet-writer";
import { writeTableApart } from "../../processors/model/columns.ts";
import { VISIT_DIMENSIONS, type VisitDimension } from "../../processors/model/dimensions.ts";
import type { Measures } from "../../processors/model/measures.ts";
import { bound } from "../../processors/model/overflow.ts";
import { Rollup } from "../../processors/model/rollup.ts";
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from "../../processors/model/time.ts";
import { derive } from "../../processors/pipeline/derive.ts";
import { spanOf } from "../../processors/pipeline/periods.ts";
import {
  encodeItem,
  encodeTableItem,
  instantKey,
  partition,
  tableKey,
} from "../../processors/pipeline/rollups.ts";
import { ByteWriter } from "../../processors/sketches/bytes.ts";
import type { Store } from "../../processors/stores/store.ts";
import { manualClock } from "../kit/clock.ts";
import { Random } from "../kit/random.ts";

/** Days that differ in what is visited. */
const DRAWN_DAYS = 4;
/** Days that differ in their visitors, as pseudonyms change each day; each stands for every twelfth. */
const DAYS_OF_VISITORS = 12;
const EVENTS_A_VISIT = 4;
const PAGES = 10_000;
/** How many values there are, and which share of visits has one. */
const VALUES: Readonly<Record<VisitDimension, readonly [values: number, share: number]>> = {
  "visit:source": [300, 1],
  "visit:channel": [8, 1],
  "visit:referrer": [3_000, 1],
  "visit:utm_source": [50, 0.2],
  "visit:utm_medium": [10, 0.2],
  "visit:utm_campaign": [300, 0.2],
  "visit:utm_term": [200, 0.1],
  "visit:utm_content": [300, 0.1],
  "visit:entry_page": [PAGES, 1],
  "visit:device": [3, 1],
  "visit:browser": [12, 1],
  "visit:os": [8, 1],
  "visit:country": [120, 1],
  "visit:screen": [4, 1],
  "visit:language": [40, 1],
};
const GOALS = 8;
const GOAL_SHARE = 0.05;

interface DrawnVisit {
  readonly hi: number;
  readonly lo: number;
  readonly attributes: ReadonlyMap<VisitDimension, string>;
  /** One for each page view; the last is the exit page. */
  readonly pages: readonly string[];
  readonly goal: string | undefined;
  readonly seconds: number;
}

/** The visits of one day or hour. */
function drawVisits(seed: number, events: number): DrawnVisit[] {
  const random = new Random(seed);
  const next = (): number => random.unit();
  // Zipf's law by inversion: the rank below which a share u of all views lies.
  const zipf = (count: number): number => Math.floor(count ** next()) - 1;
  const visits: DrawnVisit[] = [];
  for (let i = 0; i < Math.max(1, Math.round(events / EVENTS_A_VISIT)); i++) {
    const attributes = new Map<VisitDimension, string>();
    for (const name of VISIT_DIMENSIONS) {
      const [count, share] = VALUES[name];
      if (next() < share)
        attributes.set(
          name,
          name === "visit:entry_page" ? page(zipf(count)) : `${name.slice(6)} ${zipf(count)}`,
        );
    }
    visits.push({
      hi: random.uint32(),
      lo: random.uint32(),
      attributes,
      pages: [
        attributes.get("visit:entry_page")!,
        ...Array.from({ length: EVENTS_A_VISIT - 1 }, () => page(zipf(PAGES))),
      ],
      goal: next() < GOAL_SHARE ? `goal ${zipf(GOALS)}` : undefined,
      seconds: Math.floor(next() * 300),
    });
  }
  return visits;
}

const page = (rank: number): string => `/articles/${rank}`;

/** What the fold would hold of them in one window; another salt makes others of the visitors. */
function rollupOf(visits: readonly DrawnVisit[], salt = 0): Rollup {
  const rollup = new Rollup();
  for (const { hi: unsalted, lo, attributes, pages, goal, seconds } of visits) {
    const hi = (unsalted ^ Math.imul(salt, 0x9e3779b1)) >>> 0;
    const whole = (row: Measures): void => {
      row.visits++;
      row.pageviews += pages.length;
      row.events += pages.length + (goal ? 1 : 0);
      row.durationMs += seconds * 1_000;
      row.engagedMs += seconds * 600;
      row.addVisitor(hi, lo);
    };
    whole(rollup.totals);
    for (const [dimension, value] of attributes) whole(rollup.row(dimension, value)!);
    const exit = rollup.row("visit:exit_page", pages.at(-1)!)!;
    exit.visits++;
    exit.exitVisitors++;
    for (const path of pages) {
      const row = rollup.row("event:page", path)!;
      row.events++;
      row.pageviews++;
      row.visits++;
      row.addVisitor(hi, lo);
      rollup.totals.addVital("lcp", 800 + (lo % 3_000));
      row.addVital("lcp", 800 + (lo % 3_000));
    }
    const names = goal ? ["pageview", goal] : ["pageview"];
    for (const name of names) {
      const row = rollup.row("event:name", name)!;
      row.events += name === "pageview" ? pages.length : 1;
      row.visits++;
      row.addVisitor(hi, lo);
    }
    if (goal) rollup.totals.addRevenue("USD", 100 + (lo % 10_000));
  }
  bound(rollup);
  return rollup;
}

export interface Year {
  /** The visits of the drawn days; drawn anew, or their memory would be what the collector of garbage is busy with. */
  readonly drawn: () => Generator<readonly DrawnVisit[]>;
  /** Processor time that it took to derive a month from its days. */
  readonly monthMs: number;
}

/** Fills a store with `days` whole days before the one of `now`, and the hours and minutes of that one up to `now`. */
export async function fillYear(
  store: Store,
  {
    site,
    now,
    days,
    eventsADay,
    seed,
  }: { site: string; now: EpochMs; days: number; eventsADay: number; seed: number },
): Promise<Year> {
  const today = now - (now % DAY_MS);
  const drawn = function* (): Generator<DrawnVisit[]> {
    for (let i = 0; i < DRAWN_DAYS; i++) yield drawVisits(seed + i, eventsADay);
  };
  const encoded: ReturnType<typeof dayItems>[] = [];
  const differing = Math.min(days, DAYS_OF_VISITORS);
  let first = 0;
  for (const visits of drawn()) {
    for (let salt = first; salt < differing; salt += DRAWN_DAYS)
      encoded[salt] = dayItems(rollupOf(visits, salt));
    first++;
  }
  for (let day = 1; day <= days; day++) {
    const sk = new Date(today - day * DAY_MS).toISOString().slice(0, 10);
    const { value, tables } = encoded[day % encoded.length]!;
    await Promise.all([
      store.put({ pk: partition("day", site), sk, value }, 0),
      ...tables.map(([name, table]) => store.put({ ...tableKey("day", site, sk, name), value: table }, 0)),
    ]);
  }
  for (const [granularity, lengthMs, from] of [
    ["hour", HOUR_MS, today],
    ["minute", MINUTE_MS, now - HOUR_MS],
  ] as const) {
    const value = encodeItem(
      new Map(),
      rollupOf(drawVisits(seed + lengthMs, (eventsADay * lengthMs) / DAY_MS)),
    );
    for (let at = from; at + lengthMs <= now; at += lengthMs)
      await store.put({ pk: partition(granularity, site), sk: instantKey(at), value }, 0);
  }
  // The drawn days have no hours: whoever compacts must not derive them.
  const built = new TextEncoder().encode(new Date(today).toISOString().slice(0, 10));
  await store.put({ pk: "built", sk: site, value: built }, 0);
  return { drawn, monthMs: await fillMonths(store, site, today, days) };
}

/** An item as the product derives it, with its tables. */
function dayItems(rollup: Rollup): { value: Uint8Array; tables: [dimension: string, value: Uint8Array][] } {
  const whole = new Rollup();
  whole.mergeTotals(rollup);
  const tables = rollup.dimensions.map((dimension): [string, Uint8Array] => {
    const writer = new ByteWriter();
    writeTableApart(writer, rollup.table(dimension)!);
    return [dimension, encodeTableItem(new Map(), writer.finish())];
  });
  return { value: encodeItem(new Map(), whole, { apart: tables.map(([name]) => name) }), tables };
}

/**
 * The newest whole month is derived from its days by the product, and stands for all that have all their days. Answers
 * how long that took, ms of the processor; 0 where no month is whole.
 */
async function fillMonths(store: Store, site: string, today: EpochMs, days: number): Promise<number> {
  const months: string[] = [];
  const first = today - days * DAY_MS;
  for (let at = today; ; ) {
    const month = new Date(new Date(at).setUTCDate(0)).toISOString().slice(0, 7);
    const { from } = spanOf("month", "UTC", month);
    if (from < first) break;
    months.push(month);
    at = from;
  }
  const [newest, ...others] = months;
  if (newest === undefined) return 0;
  const { to } = spanOf("month", "UTC", newest);
  const clock = manualClock(to + 9 * DAY_MS);
  await store.put({ pk: "built-months", sk: site, value: new TextEncoder().encode(newest) }, 0);
  const before = process.cpuUsage();
  await derive({ store, clock }, new Map([[site, { timeZone: "UTC" }]]));
  const { user, system } = process.cpuUsage(before);
  const [head] = await store.list(partition("month", site));
  const tables = await store.list(partition("month-tables", site));
  if (!head || tables.length === 0) throw new Error(`${newest} was not derived`);
  for (const month of others) {
    await store.put({ ...head, sk: month }, 0);
    for (const table of tables)
      await store.put({ ...table, sk: `${month}${table.sk.slice(newest.length)}` }, 0);
  }
  return (user + system) / 1_000;
}

/** The page views of the drawn days as Parquet, one file each; answers the files that stand for `days` days. */
export async function writeParquet({ drawn }: Year, directory: string, days: number): Promise<string[]> {
  const files: string[] = [];
  let i = 0;
  for (const visits of drawn()) {
    const filename = join(directory, `day-${i++}.parquet`);
    const text = (of: (visit: DrawnVisit, page: string, at: number) => string | null) =>
      visits.flatMap((visit) => visit.pages.map((path, at) => of(visit, path, at)));
    const column = (name: string, data: (string | null)[]) => ({
      name,
      data,
      type: "STRING" as const,
      nullable: true,
    });
    parquetWriteFile({
      filename,
      columnData: [
        column(
          "visitor",
          text(({ hi, lo }) => `${hi.toString(16)}${lo.toString(16)}`),
        ),
        column(
          "page",
          text((_, path) => path),
        ),
        column(
          "first",
          text((_, __, at) => (at === 0 ? "1" : "0")),
        ),
        ...VISIT_DIMENSIONS.map((name) =>
          column(
            name.slice(6),
            text(({ attributes }) => attributes.get(name) ?? null),
          ),
        ),
        column(
          "exit_page",
          text(({ pages }) => pages.at(-1)!),
        ),
      ],
    });
    files.push(filename);
  }
  return Array.from({ length: days }, (_, day) => files[day % files.length]!);
}
