/** A table of a commit whose rows were written one by one. */
import { Measures } from "../model/measures.ts";
import type { DeferredSketches, DeferredTable } from "../model/rollup.ts";
import { ByteReader } from "../sketches/bytes.ts";
import { addVisitors, REVENUE_BIT, StoredRows, VISITORS_BIT, VITALS_BIT } from "./storedrows.ts";
import type { TextReader } from "./texts.ts";

/** What the rows of one site name by number. */
export interface Names {
  /** Both halves of each visitor's id, one after the other. */
  readonly people: Uint32Array;
  readonly dimensions: readonly { readonly name: string; readonly firstRank: number }[];
  /** Of visits' attributes. */
  readonly texts: TextReader;
  /** Of all dimensions, by rank. */
  valueOf(rank: number): string;
}

/** RangeError for bytes that end early or name what is not there. */
export class PartialTable implements DeferredTable, DeferredSketches {
  readonly byteLength: number;
  readonly values: readonly string[];
  readonly sketches: DeferredSketches = this;
  readonly #rows: StoredRows;

  constructor(bytes: Uint8Array, firstRank: number, names: Names) {
    this.byteLength = bytes.length;
    this.#rows = new StoredRows(bytes, names.people);
    const reader = new ByteReader(bytes);
    const values: string[] = [];
    let rank = firstRank;
    while (!reader.done) {
      rank += reader.varint();
      values.push(names.valueOf(rank++));
      this.#rows.take(reader);
    }
    this.values = values;
  }

  addCounts(row: number, to: Measures): void {
    this.#rows.addCounts(row, to);
  }

  mostVisitors(row: number): number {
    return this.#rows.visitorCount(row);
  }

  hasVisitors(row: number): boolean {
    return (this.#rows.maskOf(row) & VISITORS_BIT) !== 0;
  }

  hasExtras(row: number): boolean {
    return (this.#rows.maskOf(row) & (REVENUE_BIT | VITALS_BIT)) !== 0;
  }

  addVisitors(row: number, to: Measures): void {
    if (!this.hasVisitors(row)) return;
    addVisitors(to, this.#rows.visitorCount(row), (sketch) => this.#rows.addPeople(row, sketch));
  }

  addExtras(row: number, to: Measures): void {
    this.#rows.addExtras(row, to);
  }

  addRow(row: number, to: Measures): void {
    this.addCounts(row, to);
    this.addVisitors(row, to);
    this.addExtras(row, to);
  }
}

/** The next row with all it has. */
export function decodeRow(reader: ByteReader, bytes: Uint8Array, { people }: Names): Measures {
  const rows = new StoredRows(bytes, people);
  const measures = new Measures();
  rows.take(reader);
  rows.addCounts(0, measures);
  if (rows.visitorCount(0) > 0)
    addVisitors(measures, rows.visitorCount(0), (sketch) => rows.addPeople(0, sketch));
  rows.addExtras(0, measures);
  return measures;
}
