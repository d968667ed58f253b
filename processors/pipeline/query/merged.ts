/**
 * The table of one dimension over a run of windows: the rows of their items, brought up to date by what commits add.
 * Knows no store.
 */
import { boundTable } from "../../model/bounds.ts";
import { OTHER } from "../../model/dimensions.ts";
import { Measures } from "../../model/measures.ts";
import { type DeferredSketches, type DeferredTable, isDeferred, type Table } from "../../model/rollup.ts";
import type { Bound, KeptWindow } from "./windows.ts";

/** One table of an item as it was read; it may be of a later derivation than the item. */
export interface TableBase {
  readonly table: Table | DeferredTable | undefined;
  readonly bound: Bound;
}

/** In place of a dimension: the totals, as a table of one row of this name. */
export const TOTALS = "";

/**
 * A row of a merged table. Integers are added up at once; sketches wait, undecoded, until somebody asks for them: of a
 * thousand rows a page shows nine.
 */
export class MergedRow {
  readonly #measures = new Measures();
  /** Sketches of rows, and revenue and vitals of rows, that are not in the measures yet. */
  #visitors: Waiting[] = [];
  #extras: Waiting[] = [];
  /** Not less than the visitors, and known without decoding a sketch. */
  mostVisitors = 0;

  get counts(): Measures["counts"] {
    return this.#measures.counts;
  }

  /** Whether nothing is left to say. */
  get isZero(): boolean {
    return this.#visitors.length === 0 && this.#extras.length === 0 && this.#measures.isZero();
  }

  get visitors(): Measures["visitors"] {
    this.#takeVisitors();
    return this.#measures.visitors;
  }

  /** Revenue and vitals. */
  get extras(): Pick<Measures, "revenue" | "vitals"> {
    this.#takeExtras();
    return this.#measures;
  }

  /** All of it. Never change it. */
  get whole(): Measures {
    this.#takeVisitors();
    this.#takeExtras();
    return this.#measures;
  }

  add(measures: Measures): void {
    this.#measures.merge(measures);
    this.mostVisitors += measures.visitors?.atMost() ?? 0;
  }

  addRow(table: DeferredTable, row: number): void {
    const { sketches } = table;
    this.mostVisitors += table.mostVisitors(row);
    table.addCounts(row, this.#measures);
    if (sketches.hasVisitors(row)) this.#visitors.push({ sketches, row });
    if (sketches.hasExtras(row)) this.#extras.push({ sketches, row });
  }

  /** Adds another, which stays as it is. */
  merge(other: MergedRow): void {
    this.#measures.merge(other.#measures);
    this.mostVisitors += other.mostVisitors;
    this.#visitors.push(...other.#visitors);
    this.#extras.push(...other.#extras);
  }

  #takeVisitors(): void {
    if (this.#visitors.length === 0) return;
    for (const { sketches, row } of this.#visitors) sketches.addVisitors(row, this.#measures);
    this.#visitors = [];
  }

  #takeExtras(): void {
    if (this.#extras.length === 0) return;
    for (const { sketches, row } of this.#extras) sketches.addExtras(row, this.#measures);
    this.#extras = [];
  }
}

interface Waiting {
  readonly sketches: DeferredSketches;
  readonly row: number;
}

/** Twice as many rows as an answer may have; years of days full of other rare values would be hundreds of thousands. */
const MAX_MERGED_ROWS = 20_000;
/** What a row takes beside the sketches that wait. */
const ROW_BYTES = 400;
/** An empty table counts too, or a chart of empty days would keep any number of them. */
const TABLE_BYTES = 4_000;

/** The table of one dimension over a run of windows: merged once, then brought up to date by what commits add. */
export class MergedTable {
  readonly name: string;
  /** Never change them. */
  readonly rows = new Map<string, MergedRow>();
  /** Whether there are values together in "(other)" that `keep` does not pass. */
  hidesOther = false;
  readonly #keep: (value: string) => boolean;
  readonly #windows: readonly KeptWindow[];
  /** How many deltas of each window are in; undefined before the first update. */
  readonly #taken: (number | undefined)[];
  /** How far what was put in of a window reaches, until the next update. */
  readonly #bounds = new Map<KeptWindow, Bound>();
  #sketchBytes = 0;

  constructor(name: string, windows: readonly KeptWindow[], keep: (value: string) => boolean) {
    this.name = name;
    this.#keep = keep;
    this.#windows = windows;
    this.#taken = windows.map(() => undefined);
  }

  /** Roughly what it keeps in memory. */
  get bytes(): number {
    return TABLE_BYTES + this.rows.size * ROW_BYTES + this.#sketchBytes;
  }

  /** Whether it is of these windows, and nothing that it lacks is forgotten. */
  isOf(windows: readonly KeptWindow[]): boolean {
    return (
      windows.length === this.#windows.length &&
      windows.every((window, i) => {
        const taken = this.#taken[i];
        if (window !== this.#windows[i] || taken === undefined) return false;
        return taken === window.taken || window.since(taken) !== undefined;
      })
    );
  }

  /** The windows whose items it needs before its first update. */
  lacking(): readonly KeptWindow[] {
    return this.name === TOTALS ? [] : this.#windows.filter((_, i) => this.#taken[i] === undefined);
  }

  /** Puts in what a window lacked. */
  addBase(window: KeptWindow, { table, bound }: TableBase): void {
    this.#add(table);
    this.#bounds.set(window, bound);
  }

  /** Takes what came since; every window that was lacking has been given its base. */
  update(): void {
    for (const [i, window] of this.#windows.entries()) {
      const taken = this.#taken[i];
      if (taken === window.taken) continue;
      if (taken === undefined && this.name === TOTALS) this.#row(TOTALS).add(window.totals);
      else {
        const bound = this.#bounds.get(window);
        const fresh = taken !== undefined ? window.since(taken) : bound && window.beyond(bound);
        if (!fresh) throw new RangeError(`window ${window.from}: no commits since ${taken ?? "its item"}`);
        for (const { rollup } of fresh)
          if (this.name === TOTALS) this.#row(TOTALS).add(rollup.totals);
          else this.#add(rollup.readTable(this.name));
      }
      this.#taken[i] = window.taken;
    }
    this.#bounds.clear();
  }

  #add(table: TableBase["table"]): void {
    if (isDeferred(table)) {
      this.#sketchBytes += table.byteLength;
      for (let i = 0; i < table.values.length; i++) this.#passing(table.values[i]!)?.addRow(table, i);
    } else for (const [value, measures] of table ?? []) this.#passing(value)?.add(measures);
    if (this.rows.size > 2 * MAX_MERGED_ROWS) boundTable(this.rows, MAX_MERGED_ROWS, () => new MergedRow());
  }

  #passing(value: string): MergedRow | undefined {
    if (this.#keep(value)) return this.#row(value);
    if (value === OTHER) this.hidesOther = true;
    return undefined;
  }

  #row(value: string): MergedRow {
    let row = this.rows.get(value);
    if (!row) {
      row = new MergedRow();
      this.rows.set(value, row);
    }
    return row;
  }
}
