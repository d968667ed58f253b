/**
 * Puts what items hold into the tables that lack it. Items that are not kept are read again, and may say something newer
 * than their windows then: the window is forgotten, and whoever asked begins anew.
 */
import type { Store } from "../../stores/store.ts";
import { bad } from "../fields.ts";
import { type Derived, decodeTableItem, type Granularity, tableKey } from "../rollups.ts";
import type { ItemBases } from "./bases.ts";
import { AT_ONCE, type ItemBase, isAhead, keyAt, newer, type RollupItems } from "./items.ts";
import type { MergedTable } from "./merged.ts";
import type { Base, Bound, KeptSite, KeptWindow } from "./windows.ts";

/** Lets a table grow. Throws `bad_request` when all of them together have too many rows then. */
export type Grow = (table: MergedTable, work: () => void) => void;

/** For the tables of one question, which have `maxRows` together at most. */
export function growing(tables: readonly MergedTable[], maxRows: number): Grow {
  let rows = tables.reduce((sum, table) => sum + table.rows.size, 0);
  return (table, work) => {
    const before = table.rows.size;
    work();
    rows += table.rows.size - before;
    if (rows > maxRows)
      bad(
        `dimensions: these give more than ${maxRows} rows, whatever the page; ask for longer buckets or a shorter date_range`,
      );
  };
}

/** What filling takes beside the tables. */
export interface Filling {
  readonly cursors: Bound;
  readonly grow: Grow;
  readonly signal: AbortSignal | undefined;
}

export interface TableFillerDeps {
  readonly store: Store;
  readonly items: RollupItems;
  readonly bases: ItemBases;
  readonly pause: () => Promise<unknown>;
}

export class TableFiller {
  readonly #store: Store;
  readonly #items: RollupItems;
  readonly #bases: ItemBases;
  readonly #pause: () => Promise<unknown>;

  constructor({ store, items, bases, pause }: TableFillerDeps) {
    this.#store = store;
    this.#items = items;
    this.#bases = bases;
    this.#pause = pause;
  }

  /** Puts items into the tables that lack them. False when a window that was kept is outdated by now: it is forgotten. */
  async fill(
    kept: KeptSite,
    tables: readonly MergedTable[],
    { cursors, grow, signal }: Filling,
  ): Promise<boolean> {
    const takers = new Map<KeptWindow, MergedTable[]>();
    for (const table of tables) {
      for (const window of table.lacking()) {
        const known = takers.get(window);
        if (known) known.push(table);
        else takers.set(window, [table]);
      }
    }
    const give = (window: KeptWindow, { rollup, bound }: Base): void => {
      for (const taker of takers.get(window) ?? [])
        grow(taker, () => taker.addBase(window, { table: rollup?.readTable(taker.name), bound }));
    };
    const unread: Record<Granularity, KeptWindow[]> = { minute: [], hour: [], day: [], month: [] };
    for (const window of takers.keys()) {
      const base = this.#bases.get(window);
      if (base) give(window, base);
      else unread[window.granularity].push(window);
    }
    for (const granularity of ["month", "day", "hour", "minute"] as const) {
      const apart: [KeptWindow, ItemBase][] = [];
      for await (const { span, base } of this.#items.read(kept, granularity, unread[granularity], cursors)) {
        signal?.throwIfAborted();
        const window = kept.window(granularity, span.from)!;
        if (base?.apart) apart.push([window, base]);
        else if (base) {
          give(window, base);
          this.#bases.keep(window, base);
        } else {
          kept.remove(window);
          return false;
        }
      }
      if (apart.length === 0) continue;
      if (!(await this.#fillApart(kept, granularity as Derived, apart, takers, { cursors, grow, signal })))
        return false;
    }
    return true;
  }

  /** The same from tables that lie in items of their own. */
  async #fillApart(
    kept: KeptSite,
    granularity: Derived,
    bases: readonly (readonly [KeptWindow, ItemBase])[],
    takers: ReadonlyMap<KeptWindow, readonly MergedTable[]>,
    { cursors, grow, signal }: Filling,
  ): Promise<boolean> {
    const wanted = bases.flatMap(([window, base]) =>
      (takers.get(window) ?? []).map((taker) => ({ window, base, taker })),
    );
    for (let i = 0; i < wanted.length; i += AT_ONCE[granularity]) {
      if (i > 0) await this.#pause();
      signal?.throwIfAborted();
      const portion = wanted.slice(i, i + AT_ONCE[granularity]);
      const read = portion.filter(({ base, taker }) => base.apart?.has(taker.name));
      const keys = read.map(({ window, taker }) =>
        tableKey(granularity, kept.edition.space, keyAt(kept.zone, granularity, window.from), taker.name),
      );
      const items = keys.length > 0 ? await this.#store.getMany(keys) : [];
      const found = new Map(read.map((one, at) => [one, items[at]]));
      for (const one of portion) {
        const { window, base, taker } = one;
        const item = found.get(one);
        const known = item && decodeTableItem(item);
        // Derived again, or deleted, since its item was read.
        if (base.apart?.has(taker.name) && (!known || isAhead(known.applied, cursors))) {
          kept.remove(window);
          return false;
        }
        const bound = known ? newer(cursors, known.applied) : base.bound;
        grow(taker, () => taker.addBase(window, { table: known?.table, bound }));
      }
    }
    return true;
  }
}
