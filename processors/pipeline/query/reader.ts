/**
 * Reads what is known of a site now: the smallest cover of day, hour and minute rollups, plus the tail of the commit
 * logs that is not folded into them yet. Order matters: cursors, then rollups, then the tail (docs/decisions/0002).
 */
import { ClickstreamError } from "../../errors.ts";
import type { Rollup } from "../../model/rollup.ts";
import { type Clock, type EpochMs, HOUR_MS, MINUTE_MS } from "../../model/time.ts";
import { addDays, dayStart, hourEnd, hourStart, localDate } from "../../model/zone.ts";
import type { Item, Store } from "../../stores/store.ts";
import {
  type Commit,
  type CommitHeader,
  type LoggedShard,
  listShards,
  newestCommits,
  readCommits,
} from "../commit.ts";
import { readCursors } from "../compact.ts";
import type { FeedEntry } from "../fold.ts";
import { decodeItem, type Granularity, instantKey, isKept, partition, type RollupItem } from "../rollups.ts";
import type { Site } from "../sites.ts";
import type { Range } from "./range.ts";

/** One window of the cover, with everything in it that was committed. */
export interface Cell {
  readonly granularity: Granularity;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** Parts to be merged by whoever knows which dimension is wanted. Shared and cached: never change them. */
  readonly parts: readonly Rollup[];
}

/** The newest commit of a shard. */
export interface NewestCommit extends CommitHeader {
  /** Every shard that came from this one has begun: what is still to come is theirs. */
  readonly isReplaced: boolean;
}

export interface Snapshot {
  readonly cells: readonly Cell[];
  /** Of each shard that has a commit. */
  readonly newest: readonly NewestCommit[];
}

const MAX_CACHED_ITEMS = 400;
/** Of encoded items; decoded, a full table of rare values takes some twenty times as much. */
const MAX_CACHED_BYTES = 8 << 20;
/** Commits looked at for the live feed when nothing is in memory yet. */
const FEED_COMMITS = 30;

export class RollupReader {
  readonly #store: Store;
  readonly #clock: Clock;
  /** Decoded commits beyond the cursor, by shard, in order. */
  readonly #tails = new Map<string, Commit[]>();
  /** Newest commit of each shard, wherever the cursor is. */
  readonly #newest = new Map<string, CommitHeader>();
  readonly #items = new Map<string, { readonly item: RollupItem; readonly bytes: number }>();
  #cachedBytes = 0;
  readonly #feeds = new Map<string, FeedEntry[]>();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
  }

  /**
   * The cells that cover `ranges` with windows no longer than `coarsest`. Throws `bad_request` when a range needs
   * minutes that are kept no longer.
   */
  async read(site: Site, ranges: readonly Range[], coarsest: Granularity): Promise<Snapshot> {
    // One at a time: the tail in memory belongs to the cursors that were read with it.
    const turn = this.#reading.then(() => this.#read(site, ranges, coarsest));
    this.#reading = turn.catch(() => {});
    return turn;
  }

  /** The newest events of a site, newest first. */
  feed(site: string): readonly FeedEntry[] {
    return this.#feeds.get(site) ?? [];
  }

  /** The newest commit of each shard that has one. */
  newest(): Promise<readonly NewestCommit[]> {
    const turn = this.#reading.then(async () => this.#readTails(await readCursors(this.#store)));
    this.#reading = turn.catch(() => {});
    return turn;
  }

  async #read(site: Site, ranges: readonly Range[], coarsest: Granularity): Promise<Snapshot> {
    const cursors = await readCursors(this.#store);
    const plan = planCover(site.timeZone, ranges, coarsest, this.#clock.now());
    const items = {
      minute: await this.#list(site.id, "minute", plan.windows.minute),
      hour: await this.#list(site.id, "hour", plan.hourSpans),
      day: await this.#list(site.id, "day", plan.windows.day),
    };
    const newest = await this.#readTails(cursors);
    const cells = this.#assemble(site, plan, items, cursors);
    return { cells, newest };
  }

  /** Items whose key lies in the spans, by key. */
  async #list(
    site: string,
    granularity: Granularity,
    spans: readonly Range[],
  ): Promise<Map<string, RollupItem>> {
    const found = new Map<string, RollupItem>();
    const pk = partition(granularity, site);
    for (const { from, to } of joined(spans)) {
      // Days have dates for keys; a day's span begins at its midnight, so UTC dates with a day to spare hold them all.
      const range =
        granularity === "day"
          ? {
              from: new Date(from - 24 * HOUR_MS).toISOString().slice(0, 10),
              to: new Date(to + 24 * HOUR_MS).toISOString().slice(0, 10),
            }
          : { from: instantKey(from), to: instantKey(to) };
      for (const item of await this.#store.list(pk, range)) found.set(item.sk, this.#decode(item));
    }
    return found;
  }

  #decode(item: Item): RollupItem {
    const key = `${item.pk}\u0000${item.sk}`;
    const cached = this.#items.get(key);
    this.#items.delete(key);
    const decoded = cached?.item.version === item.version ? cached.item : decodeItem(item);
    this.#items.set(key, { item: decoded, bytes: item.value.length });
    this.#cachedBytes += item.value.length - (cached?.bytes ?? 0);
    for (const [oldest, { bytes }] of this.#items) {
      if (this.#items.size <= MAX_CACHED_ITEMS && this.#cachedBytes <= MAX_CACHED_BYTES) break;
      this.#items.delete(oldest);
      this.#cachedBytes -= bytes;
    }
    return decoded;
  }

  /** Brings the tails up to now; answers the newest commits. */
  async #readTails(cursors: ReadonlyMap<string, number>): Promise<NewestCommit[]> {
    const shards = await listShards(this.#store);
    for (const { id } of shards) {
      const cursor = cursors.get(id) ?? 0;
      const kept = (this.#tails.get(id) ?? []).filter(({ n }) => n > cursor);
      const from = kept.at(-1)?.n ?? cursor;
      const fresh = await readCommits(this.#store, id, from);
      this.#tails.set(id, [...kept, ...fresh]);
      const known = this.#newest.get(id)?.n;
      if (known === undefined || known < from) {
        // Nothing in memory yet, or commits came and were compacted since: the feed and the watermark need them too.
        for (const commit of (await newestCommits(this.#store, id, FEED_COMMITS)).reverse())
          if (commit.n > (known ?? 0) && commit.n <= from) this.#remember(commit);
      }
      for (const commit of fresh) this.#remember(commit);
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

  #assemble(
    site: Site,
    plan: Cover,
    items: Record<Granularity, ReadonlyMap<string, RollupItem>>,
    cursors: ReadonlyMap<string, number>,
  ): Cell[] {
    const cells: { cell: Cell & { parts: Rollup[] }; applied: ReadonlyMap<string, number> }[] = [];
    const open = (
      granularity: Granularity,
      from: EpochMs,
      to: EpochMs,
      item: RollupItem | undefined,
    ): void => {
      cells.push({
        cell: { granularity, from, to, parts: item?.rollup ? [item.rollup] : [] },
        applied: item?.applied ?? new Map(),
      });
    };
    for (const { from, to } of plan.windows.minute)
      open("minute", from, to, items.minute.get(instantKey(from)));
    for (const { from, to } of plan.windows.hour) open("hour", from, to, items.hour.get(instantKey(from)));
    for (const day of plan.windows.day) {
      const item = items.day.get(localDate(site.timeZone, day.from));
      // A day derived from hours that ran ahead of the cursor holds commits of the tail: its hours serve instead.
      const isUsable =
        item?.rollup && [...item.applied].every(([shard, n]) => n <= (cursors.get(shard) ?? 0));
      if (isUsable) open("day", day.from, day.to, item);
      else
        for (const hour of hoursOf(site.timeZone, day))
          open("hour", hour.from, hour.to, items.hour.get(instantKey(hour.from)));
    }
    cells.sort((a, b) => a.cell.from - b.cell.from);
    for (const [shard, tail] of this.#tails) {
      for (const { n, partials } of tail) {
        for (const [minute, rollup] of partials.get(site.id)?.windows ?? []) {
          const owner = cells[lastAtOrBefore(cells, minute)];
          if (!owner || minute >= owner.cell.to) continue;
          if (n > Math.max(cursors.get(shard) ?? 0, owner.applied.get(shard) ?? 0))
            owner.cell.parts.push(rollup);
        }
      }
    }
    return cells.map(({ cell }) => cell);
  }
}

/** A split makes two shards of one, a merge one of two. The first of two children says nothing of the other's records. */
function isReplaced(id: string, shards: readonly LoggedShard[]): boolean {
  const children = shards.filter(({ parents }) => parents.includes(id));
  return children.length > 1 || children.some(({ parents }) => parents.length > 1);
}

/** Index of the last cell that begins at or before `at`; -1 when none does. */
function lastAtOrBefore(cells: readonly { readonly cell: Cell }[], at: EpochMs): number {
  let low = 0;
  let high = cells.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cells[middle]?.cell.from ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

interface Cover {
  readonly windows: Record<Granularity, Range[]>;
  /** Spans of hour items to fetch: the hours of the cover and, as a fallback, those of its days. */
  readonly hourSpans: readonly Range[];
}

/** Whole days by days, whole hours by hours, the rest by minutes. */
export function planCover(
  zone: string,
  ranges: readonly Range[],
  coarsest: Granularity,
  now: EpochMs,
): Cover {
  const windows: Record<Granularity, Range[]> = { minute: [], hour: [], day: [] };
  const today = dayStart(zone, localDate(zone, now));
  for (const { from, to } of ranges) {
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
      if (!isKept(at, now))
        throw new ClickstreamError(
          "bad_request",
          "date_range: minutes are kept for 8 days; begin and end older ranges on whole local hours",
        );
      windows.minute.push({ from: at, to: at + MINUTE_MS });
      at += MINUTE_MS;
    }
  }
  return { windows, hourSpans: [...windows.hour, ...windows.day] };
}

function hoursOf(zone: string, day: Range): Range[] {
  const hours: Range[] = [];
  for (let at = day.from; at < day.to; at = hourEnd(zone, at)) {
    hours.push({ from: at, to: hourEnd(zone, at) });
  }
  return hours;
}

/** Neighbouring spans as one, so that a month is one range read. */
function joined(spans: readonly Range[]): Range[] {
  const result: { from: EpochMs; to: EpochMs }[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else result.push({ ...span });
  }
  return result;
}
