/**
 * Many rows of the archive as columns from the beginning. Of an import's 47 columns most never change, and rows of objects
 * would be a quarter of what it keeps until a commit.
 */
import { ARCHIVE_COLUMNS, type ArchiveRow } from "../model/archive.ts";
import { HOUR_MS } from "../model/time.ts";
import type { RowList } from "./archive.ts";
import { partitionFolder } from "./layout.ts";
import { type Range, Runs } from "./runs.ts";
import { eachChange, placeOf, rowOf, valuesOf } from "./values.ts";

const SITE = placeOf("site");
const AT = placeOf("at");

export class RowColumns implements RowList {
  readonly #columns = ARCHIVE_COLUMNS.map(() => new Runs());
  /** The newest. */
  #last: ArchiveRow | undefined;
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
    if (this.#last) eachChange(row, this.#last, this.#begin);
    else for (const [place, value] of valuesOf(row).entries()) this.#begin(place, value);
    this.#last = row;
    this.#areImported &&= row.imported;
    this.#length++;
  }

  readonly #begin = (place: number, value: unknown): void => this.#columns[place]!.begin(value, this.#length);

  /** The folder of each site and hour, with its rows. */
  byFolder(): Map<string, readonly Range[]> {
    const columns = this.columns();
    const [sites, times] = [columns[SITE] as Runs<string>, columns[AT] as Runs<number>];
    /** By site, and by hours since 1970. */
    const hours = new Map<string, Map<number, Range[]>>();
    for (let from = 0, to = 0, site = 0, time = 0; from < this.#length; from = to) {
      if (sites.end(site) === from) site++;
      if (times.end(time) === from) time++;
      const hour = Math.floor(times.values[time]! / HOUR_MS);
      while (time + 1 < times.values.length && Math.floor(times.values[time + 1]! / HOUR_MS) === hour) time++;
      to = Math.min(sites.end(site), times.end(time));
      const own = hours.get(sites.values[site]!) ?? new Map<number, Range[]>();
      hours.set(sites.values[site]!, own);
      const ranges = own.get(hour) ?? [];
      own.set(hour, ranges);
      ranges.push({ from, to });
    }
    const folders = new Map<string, readonly Range[]>();
    for (const [site, own] of hours)
      for (const [hour, ranges] of own) folders.set(partitionFolder(site, hour * HOUR_MS), ranges);
    return folders;
  }

  /** By column, the values of these rows; without ranges of all. */
  columns(ranges: readonly Range[] = [{ from: 0, to: this.#length }]): readonly Runs[] {
    for (const column of this.#columns) column.length = this.#length;
    const areAll = ranges.length === 1 && ranges[0]!.to - ranges[0]!.from === this.#length;
    return areAll ? this.#columns : this.#columns.map((column) => column.select(ranges));
  }

  *[Symbol.iterator](): Generator<ArchiveRow> {
    const columns = this.columns().map((column) => [...column]);
    for (let i = 0; i < this.#length; i++) yield rowOf(columns.map((values) => values[i]));
  }
}
