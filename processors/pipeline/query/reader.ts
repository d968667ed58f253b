/**
 * Reads what is known of a site now: the smallest cover of month, day, hour and minute rollups, plus the tail of the commit
 * logs that is not folded into them yet. Order matters: cursors, then rollups, then the tail (docs/decisions/0002). What
 * was read is kept (windows.ts), so that a warm reader reads nothing but new commits.
 */
import { ClickstreamError } from "../../errors.ts";
import type { RejectReason } from "../../model/event.ts";
import type { Measures } from "../../model/measures.ts";
import type { Clock, EpochMs } from "../../model/time.ts";
import { localDate } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import { readCursors } from "../cursors.ts";
import { readEdition } from "../editions.ts";
import { minutesFrom } from "../expiry.ts";
import type { FeedEntry } from "../feed.ts";
import type { Granularity } from "../rollups.ts";
import type { Site } from "../sites.ts";
import { ItemBases } from "./bases.ts";
import { type Cover, daysOf, hoursOf, planCover } from "./cover.ts";
import { growing, TableFiller } from "./fill.ts";
import { RollupItems } from "./items.ts";
import { MergedTable } from "./merged.ts";
import type { Range } from "./range.ts";
import { CommitTails, type NewestCommit } from "./tails.ts";
import { Weighed } from "./weighed.ts";
import { type Bound, KeptSite, KeptWindow } from "./windows.ts";

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

export interface Snapshot {
  /** In order, without gaps. */
  readonly cells: readonly Cell[];
  /** As wanted, in that order. The next read changes them: take what is needed before the next await. */
  readonly tables: readonly MergedTable[];
  /** Of each shard that has a commit. */
  readonly newest: readonly NewestCommit[];
}

/** Of merged tables: those of a dashboard over a year of a busy site take half of it. */
const MAX_MERGED_BYTES = 160 << 20;
/** Of one site: years of days, with the hours and minutes of eight days, twice over. */
const MAX_WINDOWS = 30_000;
/** Of all tables of one question, some 900 bytes each: a week of minutes full of made-up addresses has ten million. */
const MAX_ROWS = 500_000;
/** A day may turn stale while it is read; more often than this it does not. */
const MAX_TRIES = 10;

export interface ReaderDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Lets others have their turn while years are read. Without it nobody has one: for a process that does nothing else. */
  readonly pause?: () => Promise<unknown>;
  /** Of all tables of one question; what has more is refused. Default MAX_ROWS. */
  readonly maxRows?: number;
}

export class RollupReader {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #items: RollupItems;
  readonly #tails: CommitTails;
  /** By site: told of every commit that the tails have read. */
  readonly #kept = new Map<string, KeptSite>();
  readonly #bases = new ItemBases();
  readonly #filler: TableFiller;
  readonly #merged = new Weighed<string, MergedTable>(MAX_MERGED_BYTES);
  readonly #maxRows: number;
  #reading: Promise<unknown> = Promise.resolve();

  constructor({ store, clock, pause = async () => {}, maxRows = MAX_ROWS }: ReaderDeps) {
    this.#store = store;
    this.#clock = clock;
    this.#maxRows = maxRows;
    this.#items = new RollupItems(store, pause);
    this.#tails = new CommitTails(store, pause);
    this.#filler = new TableFiller({ store, pause, items: this.#items, bases: this.#bases });
  }

  /**
   * The cells that cover `range` with windows no longer than `coarsest`, and the tables wanted. Throws `bad_request`
   * when the range needs minutes that are kept no longer or the tables have too many rows, and the signal's reason when it
   * aborts meanwhile.
   */
  read(
    site: Site,
    range: Range,
    coarsest: Granularity,
    wanted: readonly Wanted[] = [],
    signal?: AbortSignal,
  ): Promise<Snapshot> {
    return this.#turn(async () => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const snapshot = await this.#tryRead(site, range, coarsest, wanted, signal);
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
    return this.#turn(() => this.#upToDate());
  }

  /** Start of the earliest window that commits have of a site before rollups have it; undefined where there is none. */
  earliest(site: string): Promise<EpochMs | undefined> {
    return this.#turn(async () => {
      await this.#upToDate();
      return this.#tails.earliest(site);
    });
  }

  /** The newest events of a site, newest first. */
  feed(site: string): readonly FeedEntry[] {
    const { erasedAt = 0 } = this.#kept.get(site)?.edition ?? {};
    return this.#tails.feed(site).filter(({ at }) => at > erasedAt);
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
    signal: AbortSignal | undefined,
  ): Promise<Snapshot | undefined> {
    signal?.throwIfAborted();
    const cursors = await this.#cursors();
    const kept = await this.#keptOf(site);
    const windows = await this.#windowsOf(kept, site, range, coarsest, cursors);
    const tables = wanted.map(({ key, range: part, table, keep }) => {
      const own = within(windows, part);
      const known = this.#merged.get(key);
      return known?.isOf(own) ? known : new MergedTable(table, own, keep);
    });
    const grow = growing(tables, this.#maxRows);
    const isFilled = await this.#filler.fill(kept, tables, { cursors, grow, signal });
    const newest = isFilled && (await this.#readTails(cursors));
    if (!newest) return undefined;
    for (const [i, table] of tables.entries()) {
      grow(table, () => table.update());
      this.#merged.set(wanted[i]!.key, table, table.bytes);
    }
    return { cells: windows, tables, newest };
  }

  /** Reads the cursors, and forgets commits that nobody should need any more. */
  async #cursors(): Promise<ReadonlyMap<string, number>> {
    const cursors = await readCursors(this.#store);
    // Windows that were read while no log could be: nobody knows any more what they lack.
    if (this.#tails.isBehind(cursors)) this.#forgetAll();
    for (const { touched } of this.#kept.values()) {
      for (const window of touched) {
        if (window.forget(cursors)) this.#bases.delete(window);
        if (window.isQuiet) touched.delete(window);
      }
    }
    return cursors;
  }

  #forgetAll(): void {
    for (const known of [this.#kept, this.#merged, this.#bases]) known.clear();
    this.#tails.forget();
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
    cursors: Bound,
  ): Promise<readonly KeptWindow[]> {
    const now = this.#clock.now();
    const keptFrom = minutesFrom(site, now);
    const name = [range.from, range.to, coarsest, localDate(kept.zone, now)].join(" ");
    const known = kept.cover(name);
    const oldest = known?.find(({ granularity }) => granularity === "minute");
    if (known && (!oldest || oldest.from >= keptFrom)) return known;
    const cover = planCover(kept.zone, range, coarsest, now, keptFrom);
    const windows = await this.#open(kept, cover, cursors);
    // A month or day that shorter ones serve for may be derived any time.
    const isSmallest = (["month", "day"] as const).every((granularity) =>
      cover[granularity].every(({ from }) => kept.window(granularity, from)),
    );
    if (isSmallest) kept.keepCover(name, windows);
    return windows;
  }

  /** The windows of a cover, those that are not kept yet read from their items. */
  async #open(kept: KeptSite, cover: Cover, cursors: Bound): Promise<KeptWindow[]> {
    const created = new Set<KeptWindow>();
    const windows: KeptWindow[] = [];
    /** Opens windows; answers the spans that others must serve for. */
    const open = async (granularity: Granularity, spans: readonly Range[]): Promise<Range[]> => {
      const missing = spans.filter(({ from }) => !kept.window(granularity, from));
      for await (const { span, base } of this.#items.read(kept, granularity, missing, cursors)) {
        if (!base) continue;
        const window = new KeptWindow(granularity, span, base);
        kept.add(window);
        created.add(window);
        this.#bases.keep(window, base);
      }
      const opened = spans.map((span) => ({ span, window: kept.window(granularity, span.from) }));
      windows.push(...opened.flatMap(({ window }) => window ?? []));
      return opened.flatMap(({ span, window }) => (window ? [] : [span]));
    };
    try {
      const months = await open("month", cover.month);
      const days = await open("day", [...cover.day, ...months.flatMap((span) => daysOf(kept.zone, span))]);
      await open("hour", [...cover.hour, ...days.flatMap((span) => hoursOf(kept.zone, span))]);
      await open("minute", cover.minute);
    } finally {
      // In an outage too: those windows are kept, and what was read of the logs is not read again.
      if (created.size > 0)
        for (const commit of this.#tails.kept()) kept.deliver(commit, (window) => created.has(window));
    }
    return windows.sort((a, b) => a.from - b.from);
  }

  async #upToDate(): Promise<readonly NewestCommit[]> {
    const cursors = await this.#cursors();
    return (await this.#readTails(cursors)) ?? (await this.#readTails(cursors)) ?? [];
  }

  /** Brings everything up to now; answers the newest commits, or undefined when some are gone that were not seen. */
  async #readTails(cursors: ReadonlyMap<string, number>): Promise<readonly NewestCommit[] | undefined> {
    const newest = await this.#tails.read(cursors, (commit) => {
      for (const kept of this.#kept.values()) kept.deliver(commit);
    });
    if (!newest) this.#forgetAll();
    return newest;
  }
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
