/**
 * What visits add to one window of a commit. It is written once for each visit, and from there the totals are made, and
 * the table of each of a visit's attributes when somebody asks for it.
 */
import { VISIT_DIMENSIONS } from "../model/dimensions.ts";
import { COUNTS, Measures } from "../model/measures.ts";
import type { DeferredSketches, DeferredTable } from "../model/rollup.ts";
import { ByteReader } from "../sketches/bytes.ts";
import type { UltraLogLog } from "../sketches/ultraloglog.ts";
import type { Names } from "./partialtable.ts";
import { addExtras, addVisitors, REVENUE_BIT, skipExtras, VISITORS_BIT, VITALS_BIT } from "./storedrows.ts";

/** Attributes that vitals are kept for, beside the page. */
const VITALS_DIMENSIONS: ReadonlySet<string> = new Set(["visit:device", "visit:country"]);

/** Shares by number. RangeError for bytes that end early or name what is not there. */
export class Shares {
  readonly byteLength: number;
  readonly #bytes: Uint8Array;
  readonly #names: Names;
  /** By share: the visit's attributes, and a bit for each part that it has. */
  readonly #lists: number[] = [];
  readonly #masks: number[] = [];
  /** COUNTS.length of each share. Numbers, because each table adds them again. */
  readonly #counts: number[] = [];
  /** Visitors of all shares, and by share where its own begin; last, where they end. */
  readonly #people: number[] = [];
  readonly #peopleFrom: number[] = [0];
  readonly #extrasAt: number[] = [];
  /** By place, those that were asked for. */
  readonly #tables: ShareTable[] = [];

  constructor(bytes: Uint8Array, names: Names) {
    this.byteLength = bytes.length;
    this.#bytes = bytes;
    this.#names = names;
    const reader = new ByteReader(bytes);
    while (!reader.done) this.#take(reader);
  }

  #take(reader: ByteReader): void {
    this.#lists.push(reader.varint());
    const mask = reader.varint();
    this.#masks.push(mask);
    for (let bit = 0; bit < COUNTS.length; bit++) this.#counts.push(mask & (1 << bit) ? reader.signed() : 0);
    let person = 0;
    if (mask & VISITORS_BIT)
      for (let left = reader.varint(); left > 0; left--) {
        person += reader.varint();
        if (person * 2 >= this.#names.people.length)
          throw new RangeError(`visitor ${person} of ${this.#names.people.length / 2}`);
        this.#people.push(person++);
      }
    this.#peopleFrom.push(this.#people.length);
    this.#extrasAt.push(reader.position);
    skipExtras(reader, mask);
  }

  get size(): number {
    return this.#masks.length;
  }

  maskOf(share: number): number {
    return this.#masks[share]!;
  }

  visitorCount(share: number): number {
    return this.#peopleFrom[share + 1]! - this.#peopleFrom[share]!;
  }

  /** Adds a share's integers to sums in the order of COUNTS. */
  addCounts(share: number, sums: Float64Array): void {
    for (let i = 0, at = share * COUNTS.length; i < COUNTS.length; i++, at++) sums[i]! += this.#counts[at]!;
  }

  addPeople(share: number, sketch: UltraLogLog): void {
    const { people } = this.#names;
    for (let at = this.#peopleFrom[share]!; at < this.#peopleFrom[share + 1]!; at++) {
      const person = this.#people[at]! * 2;
      sketch.add(people[person]!, people[person + 1]!);
    }
  }

  /** Adds its revenue, and its vitals where `wanted` has their bit. */
  addExtras(share: number, to: Measures, wanted: number): void {
    const mask = this.#masks[share]!;
    if (mask & wanted) addExtras(new ByteReader(this.#bytes, this.#extrasAt[share]), mask, to, wanted);
  }

  /** All of them together. */
  totals(): Measures {
    const all = new ShareTable(this, { keyOf: () => ALL, named: () => "", extras: REVENUE_BIT | VITALS_BIT });
    const totals = new Measures();
    if (all.values.length > 0) all.addRow(0, totals);
    return totals;
  }

  /** By the attribute in this place of VISIT_DIMENSIONS, made once; it may turn out to have no rows. */
  table(place: number): DeferredTable {
    const { texts } = this.#names;
    this.#tables[place] ??= new ShareTable(this, {
      keyOf: (share) => texts.numberIn(this.#lists[share]!, place),
      named: (text) => texts.textOf(text),
      extras: VITALS_DIMENSIONS.has(VISIT_DIMENSIONS[place]!) ? REVENUE_BIT | VITALS_BIT : REVENUE_BIT,
    });
    return this.#tables[place];
  }
}

/** Of a share that has no row in a table, and of all shares where they have but one. */
const NO_ROW = 0;
const ALL = 1;
/** End of a chain. */
const NONE = -1;

interface Grouping {
  /** A number for a share's row, as small as those of texts; NO_ROW where it has none. */
  readonly keyOf: (share: number) => number;
  readonly named: (key: number) => string;
  /** Bits of the extras that count in it. */
  readonly extras: number;
}

/** Rows that each are the sum of some shares. */
class ShareTable implements DeferredTable, DeferredSketches {
  readonly byteLength: number;
  readonly values: string[] = [];
  readonly sketches: DeferredSketches = this;
  readonly #shares: Shares;
  /** By row: its first share, and all that its shares have; by share: the next of the same row. */
  readonly #firsts: number[] = [];
  readonly #masks: number[] = [];
  readonly #next: Int32Array;
  /** Bits of the extras that count. */
  readonly #extras: number;

  constructor(shares: Shares, { keyOf, named, extras }: Grouping) {
    this.byteLength = shares.byteLength;
    this.#shares = shares;
    this.#extras = extras;
    const { keys, firsts, next } = chained(shares.size, keyOf);
    this.#next = next;
    for (const [i, key] of keys.entries()) {
      const first = firsts[i]!;
      let mask = 0;
      for (let share = first; share !== NONE; share = next[share]!) mask |= shares.maskOf(share);
      // What a visit takes back of one row it may add to another: +1 and -1 leave no trace.
      if ((mask & (VISITORS_BIT | extras)) === 0 && this.#sumsFrom(first).every((sum) => sum === 0)) continue;
      this.#firsts.push(first);
      this.#masks.push(mask);
      this.values.push(named(key));
    }
  }

  /** The integers of a row that begins with this share, in the order of COUNTS. Good until the next call. */
  #sumsFrom(first: number): Float64Array {
    SUMS.fill(0);
    for (let share = first; share !== NONE; share = this.#next[share]!) this.#shares.addCounts(share, SUMS);
    return SUMS;
  }

  addCounts(row: number, to: Measures): void {
    const sums = this.#sumsFrom(this.#firsts[row]!);
    for (let i = 0; i < COUNTS.length; i++) if (sums[i] !== 0) to[COUNTS[i]!] += sums[i]!;
  }

  /** A visitor with several visits is counted for each. */
  mostVisitors(row: number): number {
    let most = 0;
    for (let share = this.#firsts[row]!; share !== NONE; share = this.#next[share]!)
      most += this.#shares.visitorCount(share);
    return most;
  }

  hasVisitors(row: number): boolean {
    return (this.#masks[row]! & VISITORS_BIT) !== 0;
  }

  hasExtras(row: number): boolean {
    return (this.#masks[row]! & this.#extras) !== 0;
  }

  addVisitors(row: number, to: Measures): void {
    if (!this.hasVisitors(row)) return;
    addVisitors(to, this.mostVisitors(row), (sketch) => {
      for (let share = this.#firsts[row]!; share !== NONE; share = this.#next[share]!)
        this.#shares.addPeople(share, sketch);
    });
  }

  addExtras(row: number, to: Measures): void {
    if (!this.hasExtras(row)) return;
    for (let share = this.#firsts[row]!; share !== NONE; share = this.#next[share]!)
      this.#shares.addExtras(share, to, this.#extras);
  }

  addRow(row: number, to: Measures): void {
    this.addCounts(row, to);
    this.addVisitors(row, to);
    this.addExtras(row, to);
  }
}

const SUMS = new Float64Array(COUNTS.length);

/** Shares by key: the keys that occur, of each its first share, and of each share the next of the same key. */
function chained(
  size: number,
  keyOf: (share: number) => number,
): { readonly keys: number[]; readonly firsts: number[]; readonly next: Int32Array } {
  const keys: number[] = [];
  const next = new Int32Array(size);
  try {
    for (let share = 0; share < size; share++) {
      const key = keyOf(share);
      if (key === NO_ROW) continue;
      if (key >= newest.length) newest = grown(newest, key);
      if (newest[key] === 0) keys.push(key);
      next[share] = newest[key]! - 1;
      newest[key] = share + 1;
    }
    return { keys, firsts: keys.map((key) => newest[key]! - 1), next };
  } finally {
    for (const key of keys) newest[key] = 0;
  }
}

/** By key, while shares are being chained: one more than the newest share of it. Keys are small numbers, and a map would cost more than all else. */
let newest = new Int32Array(256);

function grown(array: Int32Array, index: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(2 * array.length, index + 1));
  larger.set(array);
  return larger;
}
