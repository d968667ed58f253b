/**
 * A table of a commit, read in place: integers at once, sketches where somebody asks for them. A reader looks at thousands
 * of rows to show a few, and whoever merges them needs no sketch of each row's own.
 */
import { VITALS } from "../model/event.ts";
import { COUNTS, Measures } from "../model/measures.ts";
import type { DeferredSketches, DeferredTable } from "../model/rollup.ts";
import { ByteReader } from "../sketches/bytes.ts";
import { QuantileSketch } from "../sketches/quantiles.ts";
import { UltraLogLog } from "../sketches/ultraloglog.ts";

/** Bits of a row's mask, above those of COUNTS. */
export const VISITORS_BIT = 1 << COUNTS.length;
export const REVENUE_BIT = VISITORS_BIT << 1;
export const VITALS_BIT = REVENUE_BIT << 1;
/** A vital's value is one number: which vital, and the bin of its sketch that the value falls into. */
export const BINS_PER_VITAL = 1 << 12;

/** What the rows of one site name by number. */
export interface Names {
  /** Both halves of each visitor's id, one after the other. */
  readonly people: Uint32Array;
  readonly dimensions: readonly { readonly name: string; readonly firstRank: number }[];
  /** Of all dimensions, by rank. */
  valueOf(rank: number): string;
}

/** RangeError for bytes that end early or name what is not there. */
export class PartialTable implements DeferredTable, DeferredSketches {
  readonly byteLength: number;
  readonly values: readonly string[];
  readonly sketches: DeferredSketches = this;
  readonly #bytes: Uint8Array;
  readonly #names: Names;
  /** By row: what it has, where its integers begin, its visitors, and what follows them. */
  readonly #masks: number[] = [];
  readonly #countsAt: number[] = [];
  readonly #visitorsAt: number[] = [];
  readonly #extrasAt: number[] = [];

  constructor(bytes: Uint8Array, firstRank: number, names: Names) {
    this.#bytes = bytes;
    this.byteLength = bytes.length;
    this.#names = names;
    const reader = new ByteReader(bytes);
    const values: string[] = [];
    let rank = firstRank;
    while (!reader.done) {
      rank += reader.varint();
      values.push(names.valueOf(rank++));
      const mask = reader.varint();
      this.#masks.push(mask);
      this.#countsAt.push(reader.position);
      for (let rest = mask & (VISITORS_BIT - 1); rest !== 0; rest &= rest - 1) reader.skipVarints(1);
      this.#visitorsAt.push(reader.position);
      if (mask & VISITORS_BIT) reader.skipVarints(reader.varint());
      this.#extrasAt.push(reader.position);
      if (mask & REVENUE_BIT)
        for (let left = reader.varint(); left > 0; left--) {
          reader.block();
          reader.skipVarints(2);
        }
      if (mask & VITALS_BIT) reader.skipVarints(2 * reader.varint());
    }
    this.values = values;
  }

  addCounts(row: number, to: Measures): void {
    addCounts(this.#at(this.#countsAt[row]!), this.#masks[row]!, to);
  }

  mostVisitors(row: number): number {
    return this.hasVisitors(row) ? this.#at(this.#visitorsAt[row]!).varint() : 0;
  }

  hasVisitors(row: number): boolean {
    return (this.#masks[row]! & VISITORS_BIT) !== 0;
  }

  hasExtras(row: number): boolean {
    return (this.#masks[row]! & (REVENUE_BIT | VITALS_BIT)) !== 0;
  }

  addVisitors(row: number, to: Measures): void {
    if (this.hasVisitors(row)) addVisitors(this.#at(this.#visitorsAt[row]!), this.#names, to);
  }

  addExtras(row: number, to: Measures): void {
    if (this.hasExtras(row)) addExtras(this.#at(this.#extrasAt[row]!), this.#masks[row]!, to);
  }

  addRow(row: number, to: Measures): void {
    this.addCounts(row, to);
    this.addVisitors(row, to);
    this.addExtras(row, to);
  }

  #at(position: number): ByteReader {
    return new ByteReader(this.#bytes, position);
  }
}

/** One row with all it has. */
export function decodeRow(reader: ByteReader, names: Names): Measures {
  const measures = new Measures();
  const mask = reader.varint();
  addCounts(reader, mask, measures);
  if (mask & VISITORS_BIT) addVisitors(reader, names, measures);
  addExtras(reader, mask, measures);
  return measures;
}

function addCounts(reader: ByteReader, mask: number, to: Measures): void {
  for (let bit = 0; bit < COUNTS.length; bit++) if ((mask >> bit) & 1) to[COUNTS[bit]!] += reader.signed();
}

/** More are made a sketch of their own first, which is merged with less copying than adding each takes. */
const FEW_VISITORS = 4;

function addVisitors(reader: ByteReader, { people }: Names, to: Measures): void {
  const count = reader.varint();
  const isApart = to.visitors?.isExact === true && count > FEW_VISITORS;
  const sketch = isApart ? new UltraLogLog() : (to.visitors ?? new UltraLogLog());
  let person = 0;
  for (let left = count; left > 0; left--) {
    person += reader.varint();
    if (person * 2 >= people.length) throw new RangeError(`visitor ${person} of ${people.length / 2}`);
    sketch.add(people[person * 2]!, people[person * 2 + 1]!);
    person++;
  }
  if (isApart) to.visitors!.merge(sketch);
  else to.visitors = sketch;
}

function addExtras(reader: ByteReader, mask: number, to: Measures): void {
  if (mask & REVENUE_BIT)
    for (let left = reader.varint(); left > 0; left--)
      to.addRevenue(reader.text(), reader.signed(), reader.signed());
  if ((mask & VITALS_BIT) === 0) return;
  to.vitals ??= new Map();
  let sample = 0;
  for (let left = reader.varint(); left > 0; left--) {
    sample += reader.varint();
    const vital = VITALS[Math.floor(sample / BINS_PER_VITAL)];
    if (!vital) throw new RangeError(`sample ${sample} in a commit`);
    let sketch = to.vitals.get(vital);
    if (!sketch) {
      sketch = new QuantileSketch();
      to.vitals.set(vital, sketch);
    }
    sketch.addBin(sample % BINS_PER_VITAL, reader.varint());
    sample++;
  }
}
