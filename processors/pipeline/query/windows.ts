/**
 * What a reader keeps of the windows it has read: their totals, and the commits that came since. An item as it was read
 * and all commits beyond it are the truth for ever, so a warm reader needs no item again. Knows no store.
 */
import type { RejectReason } from "../../model/event.ts";
import { Measures } from "../../model/measures.ts";
import type { Rollup } from "../../model/rollup.ts";
import type { EpochMs } from "../../model/time.ts";
import { dayStart, hourStart, localDate, monthStart } from "../../model/zone.ts";
import type { Commit } from "../commit.ts";
import type { Edition } from "../editions.ts";
import type { Contribution as Delta } from "../folding.ts";
import type { Granularity } from "../rollups.ts";

/** The newest commit of each shard that something read is known to hold. */
export type Bound = ReadonlyMap<string, number>;

/** An item as it was read. */
export interface Base {
  readonly rollup: Rollup | undefined;
  readonly bound: Bound;
}

const isBeyond = ({ shard, n }: Delta, bound: Bound): boolean => n > (bound.get(shard) ?? 0);

/** A worker that is not behind commits this often in some minutes. */
const MANY_DELTAS = 256;

/** One window, from when its item was first read. */
export class KeptWindow {
  readonly granularity: Granularity;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** Of all that was committed. */
  readonly totals = new Measures();
  readonly rejects = new Map<RejectReason, number>();
  #late = 0;
  readonly #bound: Bound;
  /** How many deltas were ever taken, and the newest of them. */
  #taken = 0;
  #recent: Delta[] = [];

  constructor(
    granularity: Granularity,
    { from, to }: { readonly from: EpochMs; readonly to: EpochMs },
    { rollup, bound }: Base,
  ) {
    this.granularity = granularity;
    this.from = from;
    this.to = to;
    this.#bound = bound;
    if (rollup) this.#count(rollup);
  }

  #count({ totals, late, rejects }: Rollup): void {
    this.totals.merge(totals);
    for (const [reason, count] of rejects) this.rejects.set(reason, (this.rejects.get(reason) ?? 0) + count);
    this.#late += late;
  }

  get late(): number {
    return this.#late;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether there is no commit to forget. */
  get isQuiet(): boolean {
    return this.#recent.length === 0;
  }

  /** Adds a commit's share, unless the item held it. Commits come in the order of their shard, each once. */
  take(delta: Delta): void {
    if (!isBeyond(delta, this.#bound)) return;
    this.#count(delta.rollup);
    this.#taken++;
    this.#recent.push(delta);
  }

  /** Deltas from number `from` on; undefined when some of them are forgotten. */
  since(from: number): readonly Delta[] | undefined {
    const forgotten = this.#taken - this.#recent.length;
    return from < forgotten ? undefined : this.#recent.slice(from - forgotten);
  }

  /** Deltas that what was read now does not hold. */
  beyond(bound: Bound): readonly Delta[] {
    return this.#recent.filter((delta) => isBeyond(delta, bound));
  }

  /**
   * Forgets the older half of many deltas, as far as they are in items by now; the newer ones bring tables up to date
   * that nobody asked for in the last seconds. True when any was forgotten: an item read before lacks them now.
   */
  forget(cursors: ReadonlyMap<string, number>): boolean {
    if (this.#recent.length <= MANY_DELTAS) return false;
    // Only a prefix, so that a number still says which.
    const waiting = this.#recent.findIndex((delta) => isBeyond(delta, cursors));
    const forgotten = Math.min(waiting < 0 ? this.#recent.length : waiting, MANY_DELTAS / 2);
    this.#recent = this.#recent.slice(forgotten);
    return forgotten > 0;
  }
}

/** Ranges whose windows are remembered: those of some pages, and of the live strip for an hour. */
const MAX_COVERS = 100;

/** All that is kept of one site. */
export class KeptSite {
  readonly site: string;
  readonly zone: string;
  /** Whose items it is made of. */
  readonly edition: Edition;
  /** Windows with commits that may be forgotten some time. */
  readonly touched = new Set<KeptWindow>();
  readonly #covers = new Map<string, readonly KeptWindow[]>();
  readonly #windows: Readonly<Record<Granularity, Map<EpochMs, KeptWindow>>> = {
    minute: new Map(),
    hour: new Map(),
    day: new Map(),
    month: new Map(),
  };

  constructor(site: string, zone: string, edition: Edition) {
    this.site = site;
    this.zone = zone;
    this.edition = edition;
  }

  get size(): number {
    return Object.values(this.#windows).reduce((sum, { size }) => sum + size, 0);
  }

  window(granularity: Granularity, from: EpochMs): KeptWindow | undefined {
    return this.#windows[granularity].get(from);
  }

  add(window: KeptWindow): void {
    this.#windows[window.granularity].set(window.from, window);
  }

  remove(window: KeptWindow): void {
    this.#windows[window.granularity].delete(window.from);
    this.touched.delete(window);
    this.#covers.clear();
  }

  /** The windows kept under this name, all of them kept still. */
  cover(name: string): readonly KeptWindow[] | undefined {
    return this.#covers.get(name);
  }

  keepCover(name: string, windows: readonly KeptWindow[]): void {
    if (this.#covers.size >= MAX_COVERS) this.#covers.clear();
    this.#covers.set(name, windows);
  }

  /** Gives a commit's share to the windows that hold its minutes; to those that pass, if not to all. */
  deliver({ shard, n, partials }: Commit, passes: (window: KeptWindow) => boolean = () => true): void {
    for (const [minute, rollup] of partials.get(this.site)?.windows ?? []) {
      const date = localDate(this.zone, minute);
      for (const owner of [
        this.window("minute", minute),
        this.window("hour", hourStart(this.zone, minute)),
        this.window("day", dayStart(this.zone, date)),
        this.window("month", dayStart(this.zone, monthStart(date))),
      ]) {
        if (!owner || !passes(owner)) continue;
        owner.take({ shard, n, rollup });
        this.touched.add(owner);
      }
    }
  }
}
