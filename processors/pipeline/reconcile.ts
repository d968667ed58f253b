/**
 * Recounts what was committed from the records that are still in the stream, and keeps every window where the live
 * numbers say otherwise. The live side is what a reader would see: rollup items, and the commits that they lack.
 */
import type { Measures } from "../model/measures.ts";
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS, windowStart } from "../model/time.ts";
import { addDays, localDate } from "../model/zone.ts";
import type { Store } from "../stores/store.ts";
import type { Stream } from "../streams/stream.ts";
import { type Commit, listShards, readCommits, readLog } from "./commit.ts";
import { readCursors } from "./cursors.ts";
import { dayWindow, differenceOf, differentVisitors, keyOf, type Window, windowsOf } from "./difference.ts";
import { readEdition } from "./editions.ts";
import { Findings, type Found } from "./findings.ts";
import { holdsTotals } from "./import/totals.ts";
import {
  addMinute,
  addTotals,
  FIRST_POSITION,
  findingKey,
  isRecountKept,
  movePosition,
  type Position,
  readMinutes,
  readPositions,
  readRebuilt,
} from "./ledger.ts";
import { inPortions } from "./portions.ts";
import { RecordSource } from "./recordsource.ts";
import { Recount, type Tallies, type Tally } from "./recount.ts";
import { decodeItem, partition } from "./rollups.ts";
import { listSites, type Site } from "./sites.ts";
import { loadState } from "./snapshots.ts";

/** What the recount says of a site, as `meta.reconciled` shows it. */
export interface Reconciled extends Found {
  /** Arrival of the newest record that has been recounted, epoch ms. */
  readonly until: EpochMs;
}

/** Commits recounted between two writes of the position. */
const COMMITS_AT_ONCE = 20;
const WRITES_AT_ONCE = 64;
const REGISTRY_MARGIN_MS = 10 * SECOND_MS;

interface ShardBooks {
  recount: Recount;
  position: Position;
}

/** One for a process. Several on one store do no harm: whatever one has written, the other skips. */
export class Reconciler {
  readonly #store: Store;
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #pause: () => Promise<unknown>;
  readonly #shards = new Map<string, ShardBooks>();
  readonly #findings: Findings;
  /** Windows compared once before their commits were compacted: to be compared again afterwards. */
  #again = new Map<string, Window>();
  #until: EpochMs = 0;

  /** `pause` gives others their turn after each commit: recounting a busy one takes tens of milliseconds. */
  constructor(deps: {
    readonly store: Store;
    readonly stream: Stream;
    readonly clock: Clock;
    readonly pause?: () => Promise<unknown>;
  }) {
    this.#store = deps.store;
    this.#stream = deps.stream;
    this.#clock = deps.clock;
    this.#pause = deps.pause ?? (async () => {});
    this.#findings = new Findings(deps);
  }

  /** Reads what earlier processes found. Call once, before anything else. */
  async open(): Promise<void> {
    for (const position of (await readPositions(this.#store)).values())
      this.#until = Math.max(this.#until, position.until);
    for (const { id, timeZone } of await listSites(this.#store)) {
      if (!(await this.#findings.open(id))) continue;
      // Days that the last process may have left to be compared.
      for (const ago of [0, 1]) {
        const window = dayWindow(id, timeZone, addDays(localDate(timeZone, this.#clock.now()), -ago));
        this.#again.set(keyOf(window), window);
      }
    }
  }

  /**
   * Recounts all commits that it has not seen, and compares the windows that they touch, now and once more at the next
   * call, when they are compacted. Throws `unavailable` or `throttled` on an outage: call again, nothing is recounted
   * twice.
   */
  async run(): Promise<{ readonly commits: number; readonly records: number }> {
    const done = { commits: 0, records: 0 };
    const touched = new Map<string, Window>();
    const sites = new Map<string, Site>();
    const positions = await readPositions(this.#store);
    for (const { id } of await listShards(this.#store)) {
      if (holdsTotals(id)) continue;
      // Another process has recounted further, and may have let the stream forget.
      if ((positions.get(id)?.n ?? 0) > (this.#shards.get(id)?.position.n ?? 0)) this.#shards.delete(id);
      try {
        await this.#recountShard(id, sites, touched, done);
      } catch (error) {
        // Its memory may hold ids of records beyond the position.
        this.#shards.delete(id);
        throw error;
      }
    }
    const windows = new Map([...this.#again, ...byKey(this.#findings.windows()), ...touched]);
    // All of them, should comparing fail.
    this.#again = windows;
    const left = await this.#compare([...windows.values()]);
    this.#again = new Map([...touched, ...byKey(left)]);
    return done;
  }

  /** Records of each shard up to here are recounted, so the stream may forget them. */
  recounted(): ReadonlyMap<string, string> {
    return new Map([...this.#shards].map(([id, { position }]) => [id, position.to]));
  }

  /** Undefined before anything of this site was recounted. */
  of(site: string): Reconciled | undefined {
    const found = this.#findings.of(site);
    return found && { until: this.#until, ...found };
  }

  /** All sites together. */
  totals(): Found {
    return this.#findings.totals();
  }

  async #recountShard(
    id: string,
    sites: Map<string, Site>,
    touched: Map<string, Window>,
    done: { commits: number; records: number },
  ): Promise<void> {
    const books = this.#shards.get(id) ?? (await this.#openShard(id));
    for (;;) {
      const log = await readLog(this.#store, id, books.position.n, COMMITS_AT_ONCE);
      if (log.length === 0) return;
      for (const site of await listSites(this.#store)) sites.set(site.id, site);
      const source = new RecordSource(this.#stream, id, books.position.to);
      const kept: { readonly commit: Commit; readonly tallies: Tallies }[] = [];
      let position = books.position;
      for (const { commit, change } of log) {
        const records = await source.take(commit.to);
        const { counters, batchIds } = change();
        if (isGone(commit, counters.records, records.length, position)) {
          books.recount.learn(batchIds);
          position = moved(commit, counters.records, windowAfter(commit));
          continue;
        }
        const isSite = (id: string): boolean => wasCounted(sites.get(id), commit) || commit.partials.has(id);
        kept.push({ commit, tallies: books.recount.count(records, isSite) });
        done.records += records.length;
        position = moved(commit, counters.records, position.since, true);
        await this.#pause();
      }
      await this.#write(id, kept);
      for (const window of windowsOf(kept, sites, this.#clock.now())) touched.set(keyOf(window), window);
      await movePosition(this.#store, id, position);
      books.position = position;
      this.#until = Math.max(this.#until, position.until);
      done.commits += log.length;
    }
  }

  /** Whether a shard has counted anything up to a position; its state has all its visitors, and reading it for nothing takes a second of an import. */
  async #hasBefore(id: string, { n }: Position): Promise<boolean> {
    if (n > 0) return true;
    const isFirst = (await listShards(this.#store)).some(
      (shard) => shard.id === id && shard.parents.length === 0,
    );
    const [oldest] = await readCommits(this.#store, id, 0, 1);
    return !isFirst || oldest?.n !== 1;
  }

  /** Begins where the last process ended, with the batch ids of the commits up to there. */
  async #openShard(id: string): Promise<ShardBooks> {
    const position = (await readPositions(this.#store)).get(id) ?? FIRST_POSITION;
    const ids = new Set(
      (await this.#hasBefore(id, position)) ? (await loadState(this.#store, id))?.state.batchIds.keys() : [],
    );
    for (let after = position.n; ids.size > 0; ) {
      const log = await readLog(this.#store, id, after, COMMITS_AT_ONCE);
      for (const { change } of log) for (const later of change().batchIds) ids.delete(later);
      const last = log.at(-1);
      if (!last) break;
      after = last.commit.n;
    }
    const books = { recount: new Recount(ids), position };
    this.#shards.set(id, books);
    return books;
  }

  async #write(
    shard: string,
    kept: readonly { readonly commit: Commit; readonly tallies: Tallies }[],
  ): Promise<void> {
    const bySite = new Map<string, Map<EpochMs, { n: number; tally: Tally }[]>>();
    for (const { commit, tallies } of kept) {
      for (const [site, windows] of tallies) {
        const minutes = bySite.get(site) ?? new Map<EpochMs, { n: number; tally: Tally }[]>();
        bySite.set(site, minutes);
        for (const [minute, tally] of windows)
          minutes.set(minute, [...(minutes.get(minute) ?? []), { n: commit.n, tally }]);
      }
      for (const { site, found } of differentVisitors(commit, tallies, this.#clock.now()))
        await this.#findings.keep(site, found);
    }
    for (const [site, minutes] of bySite) {
      const events = new Map<number, number>();
      await inPortions([...minutes], WRITES_AT_ONCE, async ([minute, tallies]) => {
        if (isRecountKept(minute, this.#clock.now()))
          await addMinute(this.#store, site, minute, shard, tallies);
        for (const { n, tally } of tallies) events.set(n, (events.get(n) ?? 0) + tally.events);
      });
      const counts = [...events].map(([n, count]) => ({ n, events: count })).sort((a, b) => a.n - b.n);
      const totals = await addTotals(this.#store, site, shard, counts);
      this.#findings.recounted(site, totals?.events ?? 0);
    }
  }

  /** Compares windows; answers those that cannot be compared yet, because somebody compacted beyond the recount. */
  async #compare(windows: readonly Window[]): Promise<Window[]> {
    if (windows.length === 0) return [];
    // As a reader does: cursors, then items, then the log; here as of the recounted commits.
    const cursors = await readCursors(this.#store);
    const positions = new Map([...this.#shards].map(([id, { position }]) => [id, position]));
    const since = Math.max(0, ...[...positions.values()].map((position) => position.since));
    const tail = await this.#readTail(cursors, positions);
    const left: Window[] = [];
    await inPortions(windows, WRITES_AT_ONCE, async (window) => {
      const { site, granularity, start, end, sk } = window;
      // Before `since` the recount lacks records; what is no longer kept by the minute cannot be compared.
      if (start < since || !isRecountKept(start, this.#clock.now())) return;
      const rebuilt = await readRebuilt(this.#store, site);
      if ([...rebuilt].some((minute) => minute >= start && minute < end)) {
        await this.#findings.forget(site, findingKey(window));
        return;
      }
      const { space } = await readEdition(this.#store, site);
      const item = await this.#store.get({ pk: partition(granularity, space), sk });
      const known = item && decodeItem(item);
      // A day that is not over, or has changed since, waits until it is derived from its hours.
      if (granularity === "day" && !known?.rollup) {
        left.push(window);
        return;
      }
      const recounted = await readMinutes(this.#store, site, start, end);
      const applied = [...(known?.applied ?? []), ...recounted.flatMap((one) => Object.entries(one.applied))];
      if (applied.some(([shard, n]) => n > (positions.get(shard)?.n ?? 0))) {
        left.push(window);
        return;
      }
      const live = known?.rollup ? [known.rollup.totals] : [];
      for (let minute = start; minute < end; minute += MINUTE_MS) {
        for (const { shard, n, totals } of tail.get(keyOf({ site, granularity: "minute", start: minute })) ??
          [])
          if (n > Math.max(cursors.get(shard) ?? 0, known?.applied.get(shard) ?? 0)) live.push(totals);
      }
      const found = differenceOf(window, live, recounted);
      if (found) await this.#findings.keep(site, found);
      else await this.#findings.forget(site, findingKey(window));
    });
    return left;
  }

  /** What the recounted commits beyond the cursors add, by minute. */
  async #readTail(
    cursors: ReadonlyMap<string, number>,
    positions: ReadonlyMap<string, Position>,
  ): Promise<Map<string, { shard: string; n: number; totals: Measures }[]>> {
    const tail = new Map<string, { shard: string; n: number; totals: Measures }[]>();
    for (const [shard, position] of positions) {
      const after = cursors.get(shard) ?? 0;
      if (position.n <= after) continue;
      for (const { n, partials } of await readCommits(this.#store, shard, after, position.n - after)) {
        for (const [site, { windows }] of partials) {
          for (const [start, { totals }] of windows) {
            const key = keyOf({ site, granularity: "minute", start });
            const parts = tail.get(key) ?? [];
            parts.push({ shard, n, totals });
            tail.set(key, parts);
          }
        }
      }
    }
    return tail;
  }
}

const byKey = (windows: Iterable<Window>): readonly (readonly [string, Window])[] =>
  [...windows].map((window) => [keyOf(window), window]);

/**
 * Whether the stream has forgotten records of this commit (its retention is over, or an earlier version trimmed them).
 * Where the commit before was whole, fewer records than were counted are no gap but a finding.
 */
function isGone({ n }: Commit, records: number, found: number, position: Position): boolean {
  if (n !== position.n + 1) return true;
  const counted = records - position.records;
  return found < counted && (found === 0 || !position.isWhole);
}

/** Whether the worker must have known this site; workers notice what happens to a site within seconds. */
const wasCounted = (site: Site | undefined, { committedAt }: Commit): boolean =>
  site !== undefined && site.removedAt === undefined && site.createdAt <= committedAt - REGISTRY_MARGIN_MS;

const moved = (commit: Commit, records: number, since: EpochMs, isWhole = false): Position => ({
  n: commit.n,
  to: commit.to,
  records,
  until: commit.arrivedAt,
  since,
  isWhole,
});

/** First minute that no event of this commit can lie in: event times are clamped to the time of receipt. */
const windowAfter = ({ arrivedAt, committedAt }: Commit): EpochMs =>
  windowStart(Math.max(arrivedAt, committedAt), MINUTE_MS) + MINUTE_MS;
