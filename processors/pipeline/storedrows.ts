/**
 * Rows of a commit, read in place: integers at once, sketches where somebody asks for them. A reader looks at thousands of
 * rows to show a few, and whoever merges them needs no sketch of each row's own.
 */
import { VITALS } from "../model/event.ts";
import { COUNTS, type Measures } from "../model/measures.ts";
import { ByteReader } from "../sketches/bytes.ts";
import { QuantileSketch } from "../sketches/quantiles.ts";
import { UltraLogLog } from "../sketches/ultraloglog.ts";

/** Bits of a row's mask, above those of COUNTS. */
export const VISITORS_BIT = 1 << COUNTS.length;
export const REVENUE_BIT = VISITORS_BIT << 1;
export const VITALS_BIT = REVENUE_BIT << 1;
/** A vital's value is one number: which vital, and the bin of its sketch that the value falls into. */
export const BINS_PER_VITAL = 1 << 12;

/** Rows by number, in the order in which they were taken. */
export class StoredRows {
  readonly #bytes: Uint8Array;
  /** Both halves of each visitor's id, one after the other. */
  readonly #people: Uint32Array;
  /** By row: what it has, where its integers begin, its visitors, and what follows them. */
  readonly #masks: number[] = [];
  readonly #countsAt: number[] = [];
  readonly #visitorsAt: number[] = [];
  readonly #extrasAt: number[] = [];

  constructor(bytes: Uint8Array, people: Uint32Array) {
    this.#bytes = bytes;
    this.#people = people;
  }

  get size(): number {
    return this.#masks.length;
  }

  /** Goes over the next row, of the same bytes. RangeError where they end early. */
  take(reader: ByteReader): void {
    const mask = reader.varint();
    this.#masks.push(mask);
    this.#countsAt.push(reader.position);
    for (let rest = mask & (VISITORS_BIT - 1); rest !== 0; rest &= rest - 1) reader.skipVarints(1);
    this.#visitorsAt.push(reader.position);
    if (mask & VISITORS_BIT) reader.skipVarints(reader.varint());
    this.#extrasAt.push(reader.position);
    skipExtras(reader, mask);
  }

  /** A bit for each part that a row has. */
  maskOf(row: number): number {
    return this.#masks[row]!;
  }

  visitorCount(row: number): number {
    return this.maskOf(row) & VISITORS_BIT ? this.#at(this.#visitorsAt[row]!).varint() : 0;
  }

  addCounts(row: number, to: Measures): void {
    addCounts(this.#at(this.#countsAt[row]!), this.maskOf(row), to);
  }

  /** Adds a row's visitors to a sketch. RangeError for one whom nobody named. */
  addPeople(row: number, sketch: UltraLogLog): void {
    if (this.maskOf(row) & VISITORS_BIT) addPeople(this.#at(this.#visitorsAt[row]!), this.#people, sketch);
  }

  /** Adds a row's revenue and vitals. RangeError for a vital that there is none of. */
  addExtras(row: number, to: Measures): void {
    addExtras(this.#at(this.#extrasAt[row]!), this.maskOf(row), to);
  }

  #at(position: number): ByteReader {
    return new ByteReader(this.#bytes, position);
  }
}

/** More are made a sketch of their own first, which is merged with less copying than adding each takes. */
const FEW_VISITORS = 4;

/** Adds visitors, at most so many, to what a row has of them. */
export function addVisitors(to: Measures, count: number, add: (sketch: UltraLogLog) => void): void {
  const isApart = to.visitors?.isExact === true && count > FEW_VISITORS;
  const sketch = isApart ? new UltraLogLog() : (to.visitors ?? new UltraLogLog());
  add(sketch);
  if (isApart) to.visitors!.merge(sketch);
  else to.visitors = sketch;
}

function addCounts(reader: ByteReader, mask: number, to: Measures): void {
  for (let bit = 0; bit < COUNTS.length; bit++) if ((mask >> bit) & 1) to[COUNTS[bit]!] += reader.signed();
}

function addPeople(reader: ByteReader, people: Uint32Array, sketch: UltraLogLog): void {
  let person = 0;
  for (let left = reader.varint(); left > 0; left--) {
    person += reader.varint();
    if (person * 2 >= people.length) throw new RangeError(`visitor ${person} of ${people.length / 2}`);
    sketch.add(people[person * 2]!, people[person * 2 + 1]!);
    person++;
  }
}

/** Goes over the revenue and the vitals of a row. */
export function skipExtras(reader: ByteReader, mask: number): void {
  if (mask & REVENUE_BIT)
    for (let left = reader.varint(); left > 0; left--) {
      reader.block();
      reader.skipVarints(2);
    }
  if (mask & VITALS_BIT) reader.skipVarints(2 * reader.varint());
}

/** Adds them, vitals only where `wanted` has their bit. RangeError for a vital that there is none of. */
export function addExtras(reader: ByteReader, mask: number, to: Measures, wanted = VITALS_BIT): void {
  if (mask & REVENUE_BIT)
    for (let left = reader.varint(); left > 0; left--)
      to.addRevenue(reader.text(), reader.signed(), reader.signed());
  if ((mask & wanted & VITALS_BIT) === 0) return;
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
