/**
 * Keeps quantiles of non-negative values within a relative accuracy, in bytes that depend on the values alone. Knows
 * nothing of units. DDSketch with logarithmic bins: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: A Fast and
 * Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", VLDB 2019; bins never collapse, as they are bounded.
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { insertAt, lowerBound, trimmed } from "./sorted.ts";

/** A quantile differs from the true one by at most this share of it. */
export const RELATIVE_ACCURACY = 0.01;
/** Values up to this count as zero: a billionth of whatever unit is far below what a clock or a price resolves. */
export const MIN_VALUE = 1e-9;
/** Larger values are refused. With MIN_VALUE it bounds the bins: 2,418 at 1 %. */
export const MAX_VALUE = 1e12;

const VERSION = 1;
/** Flags in the low half of the first byte: each says that the part is there. */
const OTHER_ACCURACY = 1;
const ZEROS = 2;
const BINS = 4;
/** Accuracy is kept as a whole number of ten-thousandths, so that two equal ones compare equal. */
const ACCURACY_UNIT = 10_000;
const DEFAULT_UNITS = RELATIVE_ACCURACY * ACCURACY_UNIT;
const MIN_UNITS = 10;
const MAX_UNITS = 1000;

/** So few are put in one by one: merging makes new lists of all that are there. */
const FEW_BINS = 4;

/** Mutable; `add` and `merge` change it in place. */
export class QuantileSketch {
  readonly #scale: Scale;
  /** Bin numbers, ascending, and beside them how many values fell into each. */
  #bins: number[] = [];
  #counts: number[] = [];
  #zeros = 0;
  #count = 0;

  /** `relativeAccuracy` from 0.001 to 0.1 in steps of 0.0001; RangeError for others. */
  constructor(relativeAccuracy = RELATIVE_ACCURACY) {
    const units = Math.round(relativeAccuracy * ACCURACY_UNIT);
    if (
      !(Math.abs(units - relativeAccuracy * ACCURACY_UNIT) < 1e-6) ||
      units < MIN_UNITS ||
      units > MAX_UNITS
    )
      throw new RangeError(`relative accuracy ${relativeAccuracy}: needs 0.001 to 0.1 in steps of 0.0001`);
    this.#scale = scaleOf(units);
  }

  get relativeAccuracy(): number {
    return this.#scale.units / ACCURACY_UNIT;
  }

  get count(): number {
    return this.#count;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Adds `value` `count` times. RangeError unless 0 <= value <= MAX_VALUE and count is a safe integer >= 1. */
  add(value: number, count = 1): void {
    this.#addTo(checkedBin(this.#scale, value), count);
  }

  /** Adds `count` values that fall into a bin, as `binOf` numbers them. RangeError for what no value has. */
  addBin(bin: number, count: number): void {
    if (!Number.isInteger(bin) || bin < 0 || bin > this.#scale.lastBin)
      throw new RangeError(`bin ${bin}: needs 0 to ${this.#scale.lastBin}`);
    this.#addTo(bin, count);
  }

  #addTo(bin: number, count: number): void {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`count ${count}: needs an integer >= 1`);
    this.#count = safeSum(this.#count, count);
    if (bin === 0) {
      this.#zeros += count;
      return;
    }
    const at = lowerBound(this.#bins, bin);
    if (this.#bins[at] === bin) {
      this.#counts[at]! += count;
    } else {
      this.#bins = insertAt(this.#bins, at, bin);
      this.#counts = insertAt(this.#counts, at, count);
    }
  }

  /** Adds all values of `other`, which stays as it is. RangeError if their accuracies differ. */
  merge(other: QuantileSketch): void {
    if (other.#scale !== this.#scale)
      throw new RangeError(`cannot merge accuracy ${other.relativeAccuracy} into ${this.relativeAccuracy}`);
    if (other.#bins.length <= FEW_BINS) {
      if (other.#zeros > 0) this.#addTo(0, other.#zeros);
      for (const [i, bin] of other.#bins.entries()) this.#addTo(bin, other.#counts[i]!);
      return;
    }
    this.#count = safeSum(this.#count, other.#count);
    this.#zeros += other.#zeros;
    const bins: number[] = [];
    const counts: number[] = [];
    let i = 0;
    let j = 0;
    while (i < this.#bins.length || j < other.#bins.length) {
      const mine = this.#bins[i] ?? Number.POSITIVE_INFINITY;
      const theirs = other.#bins[j] ?? Number.POSITIVE_INFINITY;
      bins.push(Math.min(mine, theirs));
      counts.push((mine <= theirs ? this.#counts[i++]! : 0) + (theirs <= mine ? other.#counts[j++]! : 0));
    }
    this.#bins = trimmed(bins);
    this.#counts = trimmed(counts);
  }

  clone(): QuantileSketch {
    const copy = new QuantileSketch(this.relativeAccuracy);
    copy.#bins = this.#bins.slice();
    copy.#counts = this.#counts.slice();
    copy.#zeros = this.#zeros;
    copy.#count = this.#count;
    return copy;
  }

  /**
   * The value at rank floor(q * (count - 1)) of the sorted values, within the relative accuracy (values up to MIN_VALUE
   * read as 0); undefined when empty. RangeError unless 0 <= q <= 1.
   */
  quantile(q: number): number | undefined {
    if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile ${q}: needs 0 to 1`);
    if (this.#count === 0) return undefined;
    let below = this.#zeros;
    const rank = Math.floor(q * (this.#count - 1));
    if (rank < below) return 0;
    let i = 0;
    for (; i < this.#bins.length - 1; i++) {
      below += this.#counts[i]!;
      if (rank < below) break;
    }
    return this.#scale.valueOf(this.#bins[i]!);
  }

  /** Equal multisets of bins give equal bytes: one byte when empty, about 5 for one value. */
  encode(writer: ByteWriter): void {
    const { units } = this.#scale;
    const parts =
      (units === DEFAULT_UNITS ? 0 : OTHER_ACCURACY) |
      (this.#zeros === 0 ? 0 : ZEROS) |
      (this.#bins.length === 0 ? 0 : BINS);
    writer.byte((VERSION << 4) | parts);
    if ((parts & OTHER_ACCURACY) !== 0) writer.varint(units);
    if ((parts & ZEROS) !== 0) writer.varint(this.#zeros);
    if ((parts & BINS) === 0) return;
    writer.varint(this.#bins.length);
    let next = 1;
    for (const bin of this.#bins) {
      writer.varint(bin - next);
      next = bin + 1;
    }
    // All gaps, then all counts: like beside like is what the compression outside lives on.
    for (const count of this.#counts) writer.varint(count);
  }

  /** Reads what `encode` wrote. RangeError for bytes that end early or hold what no sketch can. */
  static decode(reader: ByteReader): QuantileSketch {
    const head = reader.byte();
    if (head >> 4 !== VERSION)
      throw new RangeError(`quantile sketch version ${head >> 4}, expected ${VERSION}`);
    if ((head & 8) !== 0) throw new RangeError(`quantile sketch has unknown parts ${head & 15}`);
    const units = (head & OTHER_ACCURACY) === 0 ? DEFAULT_UNITS : reader.varint();
    if ((head & OTHER_ACCURACY) !== 0 && units === DEFAULT_UNITS)
      throw new RangeError("quantile sketch repeats the default accuracy");
    const sketch = new QuantileSketch(units / ACCURACY_UNIT);
    if ((head & ZEROS) !== 0) sketch.#zeros = sketch.#count = positive(reader.varint());
    if ((head & BINS) === 0) return sketch;
    const length = positive(reader.varint());
    const bins: number[] = [];
    const counts: number[] = [];
    let next = 1;
    for (let i = 0; i < length; i++) {
      const bin = next + reader.varint();
      if (bin > sketch.#scale.lastBin) throw new RangeError(`bin ${bin} is past ${sketch.#scale.lastBin}`);
      bins.push(bin);
      next = bin + 1;
    }
    for (let i = 0; i < length; i++) {
      const count = positive(reader.varint());
      counts.push(count);
      sketch.#count = safeSum(sketch.#count, count);
    }
    sketch.#bins = trimmed(bins);
    sketch.#counts = trimmed(counts);
    return sketch;
  }
}

/** The bin of a value at the default accuracy, 0 for what counts as zero: for those who gather many and add them at once. */
export const binOf = (value: number): number => checkedBin(scaleOf(DEFAULT_UNITS), value);

function checkedBin(scale: Scale, value: number): number {
  if (!(value >= 0 && value <= MAX_VALUE)) throw new RangeError(`value ${value}: needs 0 to ${MAX_VALUE}`);
  return value <= MIN_VALUE ? 0 : scale.binOf(value);
}

function safeSum(one: number, two: number): number {
  if (!Number.isSafeInteger(one + two)) throw new RangeError(`count ${one} + ${two} is over 2^53 - 1`);
  return one + two;
}

function positive(value: number): number {
  if (value < 1) throw new RangeError("quantile sketch holds an empty part");
  return value;
}

/** Which values share a bin: bin i, counted from 1, holds (edges[i - 1], edges[i]], each edge gamma times the last. */
class Scale {
  readonly units: number;
  readonly #edges: Float64Array;
  readonly #binsPerE: number;

  constructor(units: number) {
    this.units = units;
    const accuracy = units / ACCURACY_UNIT;
    const gamma = (1 + accuracy) / (1 - accuracy);
    const edges = [MIN_VALUE];
    // By products alone: these are rounded alike on every machine, while a logarithm's last bit is not promised.
    for (let edge = MIN_VALUE; edge < MAX_VALUE; edges.push(edge)) edge *= gamma;
    this.#edges = Float64Array.from(edges);
    this.#binsPerE = 1 / Math.log(gamma);
  }

  get lastBin(): number {
    return this.#edges.length - 1;
  }

  /** `value` must lie in (MIN_VALUE, MAX_VALUE]. The logarithm only guesses; the edges decide. */
  binOf(value: number): number {
    let bin = Math.min(Math.ceil(Math.log(value / MIN_VALUE) * this.#binsPerE), this.lastBin);
    while (this.#edges[bin - 1]! >= value) bin--;
    while (this.#edges[bin]! < value) bin++;
    return bin;
  }

  /** The point that is equally far, relatively, from both edges: 2 / (1 + gamma) = 1 - accuracy of the upper one. */
  valueOf(bin: number): number {
    return this.#edges[bin]! * (1 - this.units / ACCURACY_UNIT);
  }
}

const scales = new Map<number, Scale>();

/** One scale per accuracy, so that sketches share the edges and compare by identity. */
function scaleOf(units: number): Scale {
  let scale = scales.get(units);
  if (scale === undefined) {
    scale = new Scale(units);
    scales.set(units, scale);
  }
  return scale;
}
