/**
 * Counts tables of totals. Each table of a site has a log of its own, whose commits hold its days: so a day is counted
 * once however often it is imported, compaction folds it as it folds what is counted live, and no reader knows the
 * difference. The numbers of a day stand in its first hour.
 *
 * Who the visitors were, totals do not tell. A row of n visitors holds the first n of as many made-up ones as the day
 * had: so a number of visitors is what the table says, and days add up as days of cookieless visitors do.
 */
import { ClickstreamError } from "../../errors.ts";
import { EXIT_PAGE } from "../../model/dimensions.ts";
import { PAGEVIEW } from "../../model/event.ts";
import { type Clock, type EpochMs, SECOND_MS } from "../../model/time.ts";
import { addDays, dayStart, type LocalDate } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import {
  appendCommit,
  type Commit,
  encodeCommit,
  listShards,
  readCommits,
  registerShard,
} from "../commit.ts";
import { readEdition } from "../editions.ts";
import { hoursFrom } from "../expiry.ts";
import { type HashState, hash53, hashPrefix } from "../hash.ts";
import { PartialFold } from "../partial.ts";
import { decodeItem, instantKey, partition } from "../rollups.ts";
import {
  BOUNCES,
  DURATION_MS,
  ENGAGED_MS,
  EVENTS,
  EXIT_VISITORS,
  PAGEVIEWS,
  READS,
  type Rows,
  SCROLL_SUM,
  SCROLLS,
  VISITS,
} from "../rows.ts";
import type { Site } from "../sites.ts";
import { newCounters } from "../state.ts";
import type { TotalsRow, TotalsTable } from "./totalstable.ts";

export interface TotalsReport {
  /** Rows read, and rows of days that this call counted. */
  readonly rows: number;
  readonly counted: number;
  /**
   * Days that this call counted, that this table had been counted of before, that something else was counted of, that are
   * not over, and that the site does not keep any more.
   */
  readonly days: {
    readonly counted: number;
    readonly known: number;
    readonly taken: number;
    readonly open: number;
    readonly unkept: number;
  };
  readonly bad: readonly { readonly line: number; readonly reason: string }[];
}

const PREFIX = "totals/";
const logOf = (site: string, of: string): string => `${PREFIX}${site}/${of}`;
/** Ids of sites may have slashes, dimensions have none. */
const isLogOf = (site: string, log: string): boolean =>
  log.slice(0, log.lastIndexOf("/") + 1) === logOf(site, "");

/** Whether this log is one of totals: it has no records that could be read again. */
export const holdsTotals = (shard: string): boolean => shard.startsWith(PREFIX);

/** Hours of a site that hold totals; nothing in the archive tells of them. */
export async function hoursOfTotals(store: Store, site: string): Promise<Set<EpochMs>> {
  const hours = new Set<EpochMs>();
  for (const { id } of await listShards(store))
    if (isLogOf(site, id)) for (const start of startsIn(await readCommits(store, id, 0))) hours.add(start);
  return hours;
}

function startsIn(commits: readonly Commit[]): Set<EpochMs> {
  const starts = new Set<EpochMs>();
  for (const { partials } of commits)
    for (const { windows } of partials.values()) for (const start of windows.keys()) starts.add(start);
  return starts;
}

/** Rows in one commit, about: a day is never parted. */
const ROWS_A_COMMIT = 2_000;

/**
 * Counts the days of a table that are over and that nothing was counted of but other totals. May be called again after
 * it died anywhere. Throws `unavailable` when somebody else counts the same table, and what the store throws.
 */
export async function importTotals(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  site: Pick<Site, "id" | "timeZone" | "keep">,
  table: TotalsTable,
): Promise<TotalsReport> {
  const bad: TotalsReport["bad"][number][] = [];
  const byDate = new Map<LocalDate, TotalsRow[]>();
  let rows = 0;
  for (const row of table.rows()) {
    rows++;
    if ("reason" in row) bad.push(row);
    else if (byDate.has(row.date)) byDate.get(row.date)!.push(row);
    else byDate.set(row.date, [row]);
  }
  const log = logOf(site.id, table.of);
  // As if it had been merged with itself: whoever lists shards then expects nothing more of it.
  await registerShard(store, log, [log, log]);
  const commits = await readCommits(store, log, 0);
  const known = startsIn(commits);
  // Whoever appends meanwhile takes the slot: what they counted is not known here.
  let n = commits.at(-1)?.n ?? 0;
  const days = { counted: 0, known: 0, taken: 0, open: 0, unkept: 0 };
  const keptFrom = hoursFrom(site, clock.now());
  let counted = 0;
  let waiting: [EpochMs, TotalsRow[]][] = [];
  const flush = async (): Promise<void> => {
    if (waiting.length === 0) return;
    await commitDays({ store, clock }, site.id, log, ++n, table.of, waiting);
    days.counted += waiting.length;
    waiting = [];
  };
  for (const [date, own] of [...byDate].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [start, end] = [dayStart(site.timeZone, date), dayStart(site.timeZone, addDays(date, 1))];
    if (known.has(start)) days.known++;
    else if (end > clock.now()) days.open++;
    else if (start < keptFrom) days.unkept++;
    else if (await isTaken(store, site.id, start, end)) days.taken++;
    else {
      waiting.push([start, own]);
      counted += own.length;
      if (waiting.reduce((sum, [, some]) => sum + some.length, 0) >= ROWS_A_COMMIT) await flush();
    }
  }
  await flush();
  return { rows, counted, days, bad };
}

/** Whether anything but totals has been counted in a day. */
async function isTaken(store: Store, site: string, start: EpochMs, end: EpochMs): Promise<boolean> {
  const { space } = await readEdition(store, site);
  const hours = await store.list(partition("hour", space), { from: instantKey(start), to: instantKey(end) });
  return hours.some((hour) => {
    const { applied } = decodeItem(hour);
    // What a rebuild made holds no commit; what it left alone holds those that it held before.
    return applied.size === 0 || [...applied.keys()].some((shard) => !holdsTotals(shard));
  });
}

async function commitDays(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  site: string,
  log: string,
  n: number,
  of: string,
  days: readonly (readonly [EpochMs, readonly TotalsRow[]])[],
): Promise<void> {
  const partial = new PartialFold();
  for (const [start, rows] of days) {
    const day = new Day(partial, site, start);
    for (const row of rows) day.add(of, row);
  }
  const now = clock.now();
  const bytes = encodeCommit(
    { from: n === 1 ? "" : String(n - 1), committedAt: now, arrivedAt: now },
    new Map([[site, partial]]),
    {
      n,
      to: String(n),
      ordinal: 0,
      watermark: now,
      counters: { ...newCounters(), records: n },
      visitors: new Map(),
      batchIds: [],
    },
  );
  if (!(await appendCommit(store, log, n, bytes)))
    throw new ClickstreamError("unavailable", `site ${site}: somebody else imports the same totals`);
}

/** What a table says of one day, in the window that it is counted in. */
class Day {
  readonly #partial: PartialFold;
  readonly #window: number;
  readonly #prefix: HashState;
  /** Visitors of each row so far: those of a further row of the same value are others, so that their numbers add up. */
  readonly #visitors: ReadonlyMap<Rows, Map<number, number>>;

  constructor(partial: PartialFold, site: string, start: EpochMs) {
    this.#partial = partial;
    this.#visitors = new Map([partial.rows, partial.shares].map((rows) => [rows, new Map()]));
    this.#window = partial.window(start);
    this.#prefix = hashPrefix(`${site}\u0000${start}\u0000`);
  }

  add(of: string, { values, metrics }: TotalsRow): void {
    const { rows, shares } = this.#partial;
    const { visitors = 0, events = 0 } = metrics;
    const totals = this.#partial.totals(this.#window);
    if (of === "") {
      count(shares, totals, metrics);
      this.#addVisitors(shares, totals, visitors);
    }
    for (const [name, value] of values) {
      const column = this.#partial.columnOf(this.#partial.dimension(name), value);
      const row = rows.cells.at(this.#window, column.index);
      count(rows, row, metrics);
      if (name === EXIT_PAGE) rows.add(row, EXIT_VISITORS, visitors);
      else this.#addVisitors(rows, row, visitors);
      if (name !== "event:name") continue;
      rows.add(row, EVENTS, events);
      // Page views are in the table of everything; other events are in this one alone.
      if (value === PAGEVIEW) rows.add(row, PAGEVIEWS, events);
      else shares.add(totals, EVENTS, events);
    }
  }

  #addVisitors(rows: Rows, row: number, count: number): void {
    const known = this.#visitors.get(rows)!;
    const before = known.get(row) ?? 0;
    known.set(row, before + count);
    for (let i = before; i < before + count; i++) {
      // 53 bits of a hash at the front of 64.
      const hash = BigInt(hash53(String(i), this.#prefix)) << 11n;
      rows.visitors.add(row, this.#partial.person(hash.toString(16).padStart(16, "0")));
    }
  }
}

function count(rows: Rows, row: number, metrics: TotalsRow["metrics"]): void {
  const { visits = 0, pageviews = 0, duration = 0, engagedVisits = visits, averageDuration } = metrics;
  rows.add(row, PAGEVIEWS, pageviews);
  rows.add(row, EVENTS, pageviews);
  rows.add(row, VISITS, visits);
  rows.add(row, BOUNCES, metrics.bounces ?? Math.max(0, visits - engagedVisits));
  const seconds = averageDuration === undefined ? duration : averageDuration * visits;
  rows.add(row, DURATION_MS, Math.round(seconds * SECOND_MS));
  rows.add(row, ENGAGED_MS, (metrics.timeOnPage ?? 0) * SECOND_MS);
  rows.add(row, READS, metrics.reads ?? 0);
  rows.add(row, SCROLL_SUM, metrics.scrollDepth ?? 0);
  rows.add(row, SCROLLS, metrics.scrolls ?? 0);
}
