/**
 * Reads the rollup items of windows: what each holds and up to which commits, and where there is nothing. Keeps nothing.
 */
import type { EpochMs } from "../../model/time.ts";
import { localDate } from "../../model/zone.ts";
import type { Item, Store } from "../../stores/store.ts";
import { type Applied, decodeItem, type Granularity, instantKey, partition } from "../rollups.ts";
import type { Range } from "./range.ts";
import type { Base, Bound, KeptSite } from "./windows.ts";

export interface ItemBase extends Base {
  /** Dimensions whose tables lie in items of their own; undefined where the rollup has them all. */
  readonly apart: ReadonlySet<string> | undefined;
  readonly bytes: number;
}

/** Items read at once, before others have a turn. Those of a busy month take two megabytes a table. */
export const AT_ONCE: Readonly<Record<Granularity, number>> = { minute: 30, hour: 12, day: 10, month: 3 };

export class RollupItems {
  readonly #store: Store;
  readonly #pause: () => Promise<unknown>;

  constructor(store: Store, pause: () => Promise<unknown>) {
    this.#store = store;
    this.#pause = pause;
  }

  /**
   * The items of windows, in portions, oldest first; nothing where nothing was counted. A day or month that is stale, not
   * derived yet, or holds commits beyond the cursor has no base: shorter ones serve instead. A stretch without items costs
   * one look, however long: a site may be much younger than the range.
   */
  async *read(
    { edition, zone }: KeptSite,
    granularity: Granularity,
    spans: readonly Range[],
    cursors: Bound,
  ): AsyncGenerator<{ span: Range; base: ItemBase | undefined }> {
    const isDerived = granularity === "day" || granularity === "month";
    const keyOf = (from: EpochMs): string => keyAt(zone, granularity, from);
    const own = new Stretches(this.#store, partition(granularity, edition.space));
    const hours = new Stretches(this.#store, partition("hour", edition.space));
    for (const [i, run] of runsOf(spans, AT_ONCE[granularity]).entries()) {
      const items = await own.list(keyOf(run[0]!.from), keyOf(run.at(-1)!.from));
      if (i > 0 && items.length > 0) await this.#pause();
      const found = new Map(items.map((item) => [item.sk, item]));
      for (const span of run) {
        const item = found.get(keyOf(span.from));
        if (!item) {
          // An hour is written before the cursor moves: where there is none, nothing was counted up to the cursor.
          const isEmpty = !isDerived || (await hours.isEmpty(instantKey(span.from), instantKey(span.to)));
          yield { span, base: isEmpty ? nothing(cursors) : undefined };
          continue;
        }
        const { applied, rollup, apart } = decodeItem(item);
        if (isDerived && (!rollup || isAhead(applied, cursors))) yield { span, base: undefined };
        else {
          const bound = newer(cursors, applied);
          yield { span, base: { rollup, bound, apart: apart && new Set(apart), bytes: item.value.length } };
        }
      }
    }
  }
}

/** One partition, read upwards: remembers the stretch without items that was met last. */
class Stretches {
  readonly #store: Store;
  readonly #pk: string;
  /** Between these two keys there is nothing; the second is that of an item. */
  #from = "";
  #next: string | undefined = "";

  constructor(store: Store, pk: string) {
    this.#store = store;
    this.#pk = pk;
  }

  /** Items from one key to another, both included. */
  async list(first: string, last: string): Promise<readonly Item[]> {
    if (this.#isKnown(first) && (this.#next === undefined || last < this.#next)) return [];
    // The range ends before `to`: anything behind the last key lets that key in, and no other.
    const items = await this.#store.list(this.#pk, { from: first, to: `${last} ` });
    if (items.length === 0) await this.#look(first);
    return items;
  }

  /** Whether no item has a key from `from` to before `to`. */
  async isEmpty(from: string, to: string): Promise<boolean> {
    if (!this.#isKnown(from)) await this.#look(from);
    return this.#next === undefined || to <= this.#next;
  }

  #isKnown(key: string): boolean {
    return key >= this.#from && (this.#next === undefined || key <= this.#next);
  }

  async #look(from: string): Promise<void> {
    const [next] = await this.#store.list(this.#pk, { from, limit: 1 });
    this.#from = from;
    this.#next = next?.sk;
  }
}

const nothing = (bound: Bound): ItemBase => ({ rollup: undefined, bound, apart: undefined, bytes: 0 });

/** Sort key of a window's item. */
export function keyAt(zone: string, granularity: Granularity, from: EpochMs): string {
  if (granularity === "day") return localDate(zone, from);
  return granularity === "month" ? localDate(zone, from).slice(0, 7) : instantKey(from);
}

export const isAhead = (applied: Applied, cursors: Bound): boolean =>
  [...applied].some(([shard, n]) => n > (cursors.get(shard) ?? 0));

export function newer(cursors: Bound, applied: Applied): Bound {
  const bound = new Map(cursors);
  for (const [shard, n] of applied) bound.set(shard, Math.max(n, bound.get(shard) ?? 0));
  return bound;
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
