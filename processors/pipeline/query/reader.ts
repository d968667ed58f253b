/**
 * Reads what is known of a site now: the smallest cover of day, hour and minute rollups, plus the tail of the commit
 * logs that is not folded into them yet. Order matters: cursors, then rollups, then the tail (docs/decisions/0002). What
 * was read is kept (windows.ts), so that a warm reader reads nothing but new commits.
 */
import { ClickstreamError } from "../../errors.ts";
import type { RejectReason } from "../../model/event.ts";
import type { Measures } from "../../model/measures.ts";
import { type Clock, DAY_MS, type EpochMs, MINUTE_MS } from "../../model/time.ts";
import { addDays, dayStart, hourEnd, hourStart, localDate } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import {
  type Commit,
  type CommitHeader,
  type LoggedShard,
  listShards,
  newestCommits,
  readCommits,
} from "../commit.ts";
import { readCursors } from "../compact.ts";
import { readEdition } from "../editions.ts";
import { minutesFrom } from "../expiry.ts";
import type { FeedEntry } from "../feed.ts";
import { type Applied, decodeItem, type Granularity, instantKey, partition } from "../rollups.ts";
import type { Site } from "../sites.ts";
import type { Range } from "./range.ts";
import { type Base, KeptSite, KeptWindow, MergedTable } from "./windows.ts";

/** One window of the cover, with everything in it that was committed. */
export interface Cell {
  readonly granularity: Granularity;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** Kept: never change them. */
  readonly totals: Measures;
  readonly late: number;
  readonly rejects: ReadonlyMap<RejectReason, number>;
}

/** One table wanted, of a part of the range. */
export interface Wanted {
  /** Names it among all that are kept: whatever is merged under one key must be of the same table and pass the same values. */
  readonly key: string;
  readonly range: Range;
  readonly table: string;
  readonly keep: (value: string) => boolean;
}

/** The newest commit of a shard. */
export interface NewestCommit extends CommitHeader {
  /** Every shard that came from this one has begun: what is still to come is theirs. */
  readonly isReplaced: boolean;
}

export interface Snapshot {
  /** In order, without gaps. */
  readonly cells: readonly Cell[];
  /** As wanted, in that order. The next read changes them: take what is needed before the next await. */
  readonly tables: readonly MergedTable[];
  /** Of each shard that has a commit. */
  readonly newest: readonly NewestCommit[];
}

type SizedBase = Base & { readonly bytes: number };

/** Of items as they were read, for who asks for another table of the same windows. */
const MAX_BASE_BYTES = 48 << 20;
/** Rows of merged tables: one of a thousand visitors takes 4 KB, most take 200 bytes. */
const MAX_MERGED_ROWS = 60_000;
/** An empty table counts too, or a chart of empty days would keep any number of them. */
const ROWS_OF_NOTHING = 10;
/** Of one site: years of days, with the hours and minutes of eight days, twice over. */
const MAX_WINDOWS = 30_000;
/** Items read at once, before others have a turn: a year of days at once would be half a gigabyte, and seconds. */
const DAYS_AT_ONCE = 4;
const SHORT_AT_ONCE = 30;
/** Who is more commits behind reads the items again instead. */
const MAX_BEHIND = 2_000;
/** A day may turn stale while it is read; more often than this it does not. */
const MAX_TRIES = 10;
/** Commits looked at for the live feed when nothing is in memory yet. */
const FEED_COMMITS = 30;

export class RollupReader {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #pause: () => Promise<unknown>;
  /** Decoded commits beyond the cursor, by shard, in order. */
  readonly #tails = new Map<string, Commit[]>();
  /** Up to which commit of each shard everything that is kept has been told. */
  readonly #positions = new Map<string, number>();
  /** Newest commit of each shard that was read, wherever the cursor is. */
  readonly #newest = new Map<string, CommitHeader>();
  readonly #kept = new Map<string, KeptSite>();
  readonly #bases = new Map<KeptWindow, SizedBase>();
  #baseBytes = 0;
  readonly #merged = new Map<string, MergedTable>();
  #mergedRows = 0;
  readonly #feeds = new Map<string, FeedEntry[]>();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(deps: { store: Store; clock: Clock; pause?: () => Promise<unknown> }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#pause = deps.pause ?? (async () => {});
  }

  /**
   * The cells that cover `range` with windows no longer than `coarsest`, and the tables wanted. Throws `bad_request`
   * when the range needs minutes that are kept no longer.
   */
  read(site: Site, range: Range, coarsest: Granularity, wanted: readonly Wanted[] = []): Promise<Snapshot> {
    return this.#turn(async () => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const snapshot = await this.#tryRead(site, range, coarsest, wanted);
        if (snapshot) return snapshot;
      }
      throw new ClickstreamError(
        "unavailable",
        `rollups of ${site.id}: changed ${MAX_TRIES} times while read`,
      );
    });
  }

  /** The newest commit of each shard that has one. */
  newest(): Promise<readonly NewestCommit[]> {
    return this.#turn(async () => {
      const cursors = await this.#cursors();
      return (await this.#readTails(cursors)) ?? (await this.#readTails(cursors)) ?? [];
    });
  }

  /** The newest events of a site, newest first. */
  feed(site: string): readonly FeedEntry[] {
    return this.#feeds.get(site) ?? [];
  }

  /** One at a time: what is in memory belongs to the cursors that were read with it. */
  #turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#reading.then(work);
    this.#reading = turn.catch(() => {});
    return turn;
  }

  /** Undefined when something that was kept turned out to be outdated; it is forgotten then. */
  async #tryRead(
    site: Site,
    range: Range,
    coarsest: Granularity,
    wanted: readonly Wanted[],
  ): Promise<Snapshot | undefined> {
    const cursors = await this.#cursors();
    const kept = await this.#keptOf(site);
    const windows = await this.#windowsOf(kept, site, range, coarsest, cursors);
    const tables = wanted.map(({ key, range: part, table, keep }) => {
      const own = within(windows, part);
      const known = this.#merged.get(key);
      return known?.isOf(own) ? known : new MergedTable(table, own, keep);
    });
    const bases = await this.#fill(kept, tables, cursors);
    const newest = bases && (await this.#readTails(cursors));
    if (!newest) return undefined;
    for (const [i, table] of tables.entries()) {
      table.update(bases);
      this.#keepMerged(wanted[i]!.key, table);
    }
    return { cells: windows, tables, newest };
  }

  /** Reads the cursors, and forgets commits that nobody should need any more. */
  async #cursors(): Promise<ReadonlyMap<string, number>> {
    const cursors = await readCursors(this.#store);
    const isBehind = [...cursors].some(([shard, n]) => n - (this.#positions.get(shard) ?? n) > MAX_BEHIND);
    // Windows that were read while no log could be: nobody knows any more what they lack.
    if (isBehind || this.#positions.size === 0) this.#forgetAll();
    for (const { touched } of this.#kept.values()) {
      for (const window of touched) {
        if (window.forget(cursors)) this.#dropBase(window);
        if (window.isQuiet) touched.delete(window);
      }
    }
    return cursors;
  }

  #forgetAll(): void {
    for (const known of [this.#kept, this.#merged, this.#bases, this.#tails, this.#positions]) known.clear();
    this.#mergedRows = 0;
    this.#baseBytes = 0;
  }

  async #keptOf({ id, timeZone }: Site): Promise<KeptSite> {
    const edition = await readEdition(this.#store, id);
    const known = this.#kept.get(id);
    if (known?.edition.version === edition.version && known.size <= MAX_WINDOWS) return known;
    const kept = new KeptSite(id, timeZone, edition);
    this.#kept.set(id, kept);
    return kept;
  }

  /** The windows that cover a range. The dates of a year are not worked out again for each of a dozen questions. */
  async #windowsOf(
    kept: KeptSite,
    site: Site,
    range: Range,
    coarsest: Granularity,
    cursors: ReadonlyMap<string, number>,
  ): Promise<readonly KeptWindow[]> {
    const now = this.#clock.now();
    const keptFrom = minutesFrom(site, now);
    const today = dayStart(kept.zone, localDate(kept.zone, now));
    const name = [range.from, range.to, coarsest, today].join(" ");
    const known = kept.cover(name);
    const oldest = known?.find(({ granularity }) => granularity === "minute");
    if (known && (!oldest || oldest.from >= keptFrom)) return known;
    const cover = planCover(kept.zone, range, coarsest, now, keptFrom);
    const windows = await this.#open(kept, cover, cursors);
    // A day that its hours serve for may be derived any time.
    if (cover.day.every(({ from }) => kept.window("day", from))) kept.keepCover(name, windows);
    return windows;
  }

  /** The windows of a cover, those that are not kept yet read from their items. */
  async #open(kept: KeptSite, cover: Cover, cursors: ReadonlyMap<string, number>): Promise<KeptWindow[]> {
    const created = new Set<KeptWindow>();
    const keep = (granularity: Granularity, span: Range, base: SizedBase): void => {
      const window = new KeptWindow(granularity, span, base);
      kept.add(window);
      created.add(window);
      this.#keepBase(window, base);
    };
    const missing = (granularity: Granularity, spans: readonly Range[]): Range[] =>
      spans.filter(({ from }) => !kept.window(granularity, from));
    let days: Range[] = [];
    let hours: Range[] = [];
    try {
      for await (const { span, base } of this.#items(kept, "day", missing("day", cover.day), cursors)) {
        if (base) keep("day", span, base);
        // An hour is written before the cursor moves: where there is none, nothing was counted up to the cursor.
        else if (await this.#isWithoutHours(kept, span)) keep("day", span, nothing(cursors));
      }
      days = cover.day.filter(({ from }) => kept.window("day", from));
      const waiting = cover.day.filter(({ from }) => !kept.window("day", from));
      hours = [...cover.hour, ...waiting.flatMap((day) => hoursOf(kept.zone, day))];
      for (const [granularity, spans] of [
        ["hour", hours],
        ["minute", cover.minute],
      ] as const)
        for await (const { span, base } of this.#items(
          kept,
          granularity,
          missing(granularity, spans),
          cursors,
        ))
          if (base) keep(granularity, span, base);
    } finally {
      // In an outage too: those windows are kept, and what was read of the logs is not read again.
      if (created.size > 0)
        for (const tail of this.#tails.values())
          for (const commit of tail) kept.deliver(commit, (window) => created.has(window));
    }
    return [
      ...days.map(({ from }) => kept.window("day", from)!),
      ...hours.map(({ from }) => kept.window("hour", from)!),
      ...cover.minute.map(({ from }) => kept.window("minute", from)!),
    ].sort((a, b) => a.from - b.from);
  }

  async #isWithoutHours({ edition }: KeptSite, { from, to }: Range): Promise<boolean> {
    const range = { from: instantKey(from), to: instantKey(to), limit: 1 };
    return (await this.#store.list(partition("hour", edition.space), range)).length === 0;
  }

  /**
   * The items of windows, read in portions; nothing where there is none. A day that is stale, absent, or holds commits
   * beyond the cursor has no base: its hours serve instead.
   */
  async *#items(
    { edition, zone }: KeptSite,
    granularity: Granularity,
    spans: readonly Range[],
    cursors: ReadonlyMap<string, number>,
  ): AsyncGenerator<{ span: Range; base: SizedBase | undefined }> {
    const isDay = granularity === "day";
    const keyOf = ({ from }: Range): string => (isDay ? localDate(zone, from) : instantKey(from));
    for (const [i, run] of runsOf(spans, isDay ? DAYS_AT_ONCE : SHORT_AT_ONCE).entries()) {
      if (i > 0) await this.#pause();
      // The range ends before `to`: anything behind the last key lets that key in, and no other.
      const range = { from: keyOf(run[0]!), to: `${keyOf(run.at(-1)!)} ` };
      const items = await this.#store.list(partition(granularity, edition.space), range);
      const found = new Map(items.map((item) => [item.sk, item]));
      for (const span of run) {
        const item = found.get(keyOf(span));
        if (!item) {
          yield { span, base: isDay ? undefined : nothing(cursors) };
          continue;
        }
        const { applied, rollup } = decodeItem(item);
        const isAhead = [...applied].some(([shard, n]) => n > (cursors.get(shard) ?? 0));
        if (isDay && (!rollup || isAhead)) yield { span, base: undefined };
        else yield { span, base: { rollup, bound: newer(cursors, applied), bytes: item.value.length } };
      }
    }
  }

  /** Puts items into the tables that lack them. Undefined when a day that was kept is stale by now: it is forgotten. */
  async #fill(
    kept: KeptSite,
    tables: readonly MergedTable[],
    cursors: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<KeptWindow, Base> | undefined> {
    const takers = new Map<KeptWindow, MergedTable[]>();
    for (const table of tables) {
      for (const window of table.lacking()) {
        const known = takers.get(window);
        if (known) known.push(table);
        else takers.set(window, [table]);
      }
    }
    const bases = new Map<KeptWindow, Base>();
    const give = (window: KeptWindow, base: Base): void => {
      for (const table of takers.get(window) ?? []) table.addBase(base);
      // Only how far it reaches is needed further on.
      bases.set(window, { rollup: undefined, bound: base.bound });
    };
    const unread: Record<Granularity, KeptWindow[]> = { minute: [], hour: [], day: [] };
    for (const window of takers.keys()) {
      const base = this.#bases.get(window);
      if (base) give(window, base);
      else unread[window.granularity].push(window);
    }
    for (const granularity of ["day", "hour", "minute"] as const) {
      for await (const { span, base } of this.#items(kept, granularity, unread[granularity], cursors)) {
        const window = kept.window(granularity, span.from)!;
        if (base) {
          give(window, base);
          this.#keepBase(window, base);
        } else if (window.isEmpty) give(window, nothing(cursors));
        else {
          kept.remove(window);
          return undefined;
        }
      }
    }
    return bases;
  }

  #keepBase(window: KeptWindow, base: SizedBase): void {
    this.#dropBase(window);
    if (!base.rollup || base.bytes > MAX_BASE_BYTES / 2) return;
    this.#bases.set(window, base);
    this.#baseBytes += base.bytes;
    for (const oldest of this.#bases.keys()) {
      if (this.#baseBytes <= MAX_BASE_BYTES) break;
      this.#dropBase(oldest);
    }
  }

  #dropBase(window: KeptWindow): void {
    this.#baseBytes -= this.#bases.get(window)?.bytes ?? 0;
    this.#bases.delete(window);
  }

  #keepMerged(key: string, table: MergedTable): void {
    this.#mergedRows -= this.#merged.get(key)?.countedRows ?? 0;
    this.#merged.delete(key);
    table.countedRows = table.rows.size + ROWS_OF_NOTHING;
    this.#merged.set(key, table);
    this.#mergedRows += table.countedRows;
    for (const [oldest, { countedRows }] of this.#merged) {
      if (this.#mergedRows <= MAX_MERGED_ROWS) break;
      this.#merged.delete(oldest);
      this.#mergedRows -= countedRows;
    }
  }

  /** Brings everything up to now; answers the newest commits, or undefined when some are gone that were not seen. */
  async #readTails(cursors: ReadonlyMap<string, number>): Promise<NewestCommit[] | undefined> {
    const shards = await listShards(this.#store);
    const isWarm = this.#positions.size > 0;
    for (const { id } of shards) {
      const cursor = cursors.get(id) ?? 0;
      let position = this.#positions.get(id);
      if (position === undefined) {
        // The feed and the watermark need those before the cursor too.
        for (const commit of (await newestCommits(this.#store, id, FEED_COMMITS)).reverse())
          if (commit.n <= cursor) this.#remember(commit);
        // A shard that began since the windows were read: they lack all of it.
        position = isWarm ? 0 : cursor;
      }
      const fresh = await readCommits(this.#store, id, position);
      if ((fresh[0]?.n ?? Math.max(cursor, position) + 1) !== position + 1) {
        this.#forgetAll();
        return undefined;
      }
      this.#positions.set(id, fresh.at(-1)?.n ?? position);
      this.#tails.set(
        id,
        [...(this.#tails.get(id) ?? []), ...fresh].filter(({ n }) => n > cursor),
      );
      for (const commit of fresh) {
        this.#remember(commit);
        for (const kept of this.#kept.values()) kept.deliver(commit);
      }
    }
    return shards.flatMap(({ id }) => {
      const header = this.#newest.get(id);
      return header ? [{ ...header, isReplaced: isReplaced(id, shards) }] : [];
    });
  }

  #remember(commit: Commit): void {
    const known = this.#newest.get(commit.shard);
    if (!known || known.n < commit.n) {
      const { partials: _, ...header } = commit;
      this.#newest.set(commit.shard, header);
    }
    for (const [site, { feed }] of commit.partials) {
      const entries = [...(this.#feeds.get(site) ?? []), ...feed].sort((a, b) => b.at - a.at);
      this.#feeds.set(site, entries.slice(0, 20));
    }
  }
}

const nothing = (bound: ReadonlyMap<string, number>): SizedBase => ({ rollup: undefined, bound, bytes: 0 });

function newer(cursors: ReadonlyMap<string, number>, applied: Applied): ReadonlyMap<string, number> {
  const bound = new Map(cursors);
  for (const [shard, n] of applied) bound.set(shard, Math.max(n, bound.get(shard) ?? 0));
  return bound;
}

/** Those of ordered windows that begin in the range. */
function within(windows: readonly KeptWindow[], { from, to }: Range): readonly KeptWindow[] {
  let low = 0;
  let high = windows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (windows[middle]!.from < from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < windows.length && windows[end]!.from < to) end++;
  return windows.slice(low, end);
}

/** Neighbouring spans together, so that a month is a few range reads; at most `most` in one. */
function runsOf(spans: readonly Range[], most: number): Range[][] {
  const runs: Range[][] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = runs.at(-1);
    if (last && last.length < most && last.at(-1)!.to === span.from) last.push(span);
    else runs.push([span]);
  }
  return runs;
}

/** A split makes two shards of one, a merge one of two. The first of two children says nothing of the other's records. */
function isReplaced(id: string, shards: readonly LoggedShard[]): boolean {
  const children = shards.filter(({ parents }) => parents.includes(id));
  return children.length > 1 || children.some(({ parents }) => parents.length > 1);
}

type Cover = Readonly<Record<Granularity, readonly Range[]>>;

/** Whole days by days, whole hours by hours, the rest by minutes, which are kept from `keptFrom` on. */
export function planCover(
  zone: string,
  { from, to }: Range,
  coarsest: Granularity,
  now: EpochMs,
  keptFrom: EpochMs,
): Cover {
  const windows: Record<Granularity, Range[]> = { minute: [], hour: [], day: [] };
  const today = dayStart(zone, localDate(zone, now));
  let at = from;
  while (at < to) {
    const date = localDate(zone, at);
    const dayEnd = dayStart(zone, addDays(date, 1));
    if (coarsest === "day" && at === dayStart(zone, date) && dayEnd <= to && dayEnd <= today) {
      windows.day.push({ from: at, to: dayEnd });
      at = dayEnd;
      continue;
    }
    const nextHour = hourEnd(zone, at);
    if (coarsest !== "minute" && at === hourStart(zone, at) && nextHour <= to) {
      windows.hour.push({ from: at, to: nextHour });
      at = nextHour;
      continue;
    }
    if (at < keptFrom)
      throw new ClickstreamError(
        "bad_request",
        `date_range: minutes are kept for ${Math.round((now - keptFrom) / DAY_MS)} days; begin and end older ranges on whole local hours`,
      );
    windows.minute.push({ from: at, to: at + MINUTE_MS });
    at += MINUTE_MS;
  }
  return windows;
}

function hoursOf(zone: string, day: Range): Range[] {
  const hours: Range[] = [];
  for (let at = day.from; at < day.to; at = hourEnd(zone, at)) {
    hours.push({ from: at, to: hourEnd(zone, at) });
  }
  return hours;
}
