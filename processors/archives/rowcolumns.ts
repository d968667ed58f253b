/**
 * Many rows of the archive as columns from the beginning: of each column the values that differ from the one before. Of an
 * import's 47 columns most never change, and rows of objects would be a quarter of what it keeps until a commit.
 */
import { ARCHIVE_COLUMNS, type ArchiveRow } from "../model/archive.ts";
import { HOUR_MS } from "../model/time.ts";
import type { RowList } from "./archive.ts";
import { partitionFolder, rowOf, valuesOf } from "./layout.ts";

/** Values of one column: each stands for the rows from its start to the next one's. */
class Runs {
  readonly values: unknown[] = [];
  readonly starts: number[] = [];

  /** The values of these rows, which ascend. `uniform`: so many of one value, for columns that hold no other. */
  of(
    rows: readonly number[],
    from: number,
    to: number,
    uniform: (value: unknown) => readonly unknown[],
  ): readonly unknown[] {
    const { values, starts } = this;
    if (values.length === 1) return uniform(values[0]);
    const found = new Array<unknown>(to - from);
    let run = 0;
    for (let i = from; i < to; i++) {
      while (run + 1 < starts.length && starts[run + 1]! <= rows[i]!) run++;
      found[i - from] = values[run];
    }
    return found;
  }
}

export class RowColumns implements RowList {
  readonly #columns = ARCHIVE_COLUMNS.map(() => new Runs());
  /** By column, the value of the newest row. */
  #last: readonly unknown[] = [];
  /** By site, and by hours since 1970: numbers of rows. */
  readonly #hours = new Map<string, Map<number, number[]>>();
  #length = 0;
  #areImported = true;

  get length(): number {
    return this.#length;
  }

  /** All of them came by an import. */
  get areImported(): boolean {
    return this.#areImported;
  }

  push(row: ArchiveRow): void {
    const number = this.#length++;
    const values = valuesOf(row);
    const last = this.#last;
    for (let at = 0; at < values.length; at++) {
      if (values[at] === last[at] && number > 0) continue;
      const { values: changed, starts } = this.#columns[at]!;
      changed.push(values[at]);
      starts.push(number);
    }
    this.#last = values;
    this.#areImported &&= row.imported;
    this.#hour(row).push(number);
  }

  #hour({ site, at }: ArchiveRow): number[] {
    let hours = this.#hours.get(site);
    if (!hours) {
      hours = new Map();
      this.#hours.set(site, hours);
    }
    const hour = Math.floor(at / HOUR_MS);
    let rows = hours.get(hour);
    if (!rows) {
      rows = [];
      hours.set(hour, rows);
    }
    return rows;
  }

  /** The folder of each site and hour, with the numbers of its rows. */
  byFolder(): Map<string, readonly number[]> {
    const folders = new Map<string, readonly number[]>();
    for (const [site, hours] of this.#hours)
      for (const [hour, rows] of hours) folders.set(partitionFolder(site, hour * HOUR_MS), rows);
    return folders;
  }

  /** Of `rows[from, to)`, by column: the value of each row. */
  columns(rows: readonly number[], from = 0, to = rows.length): (readonly unknown[])[] {
    const known = new Map<unknown, readonly unknown[]>();
    const uniform = (value: unknown): readonly unknown[] => {
      const values = known.get(value) ?? new Array<unknown>(to - from).fill(value);
      known.set(value, values);
      return values;
    };
    return this.#columns.map((runs) => runs.of(rows, from, to, uniform));
  }

  *[Symbol.iterator](): Generator<ArchiveRow> {
    const columns = this.columns(Array.from({ length: this.#length }, (_, i) => i));
    for (let i = 0; i < this.#length; i++) yield rowOf(columns.map((values) => values[i]));
  }
}
