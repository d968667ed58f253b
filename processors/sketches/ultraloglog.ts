/**
 * Counts distinct 64-bit hashes: exactly while few, within RELATIVE_ERROR beyond, always in bytes that depend on the
 * set alone. Knows neither what was hashed nor how: the hash must already be uniform. UltraLogLog is from O. Ertl,
 * "UltraLogLog: A Practical and More Space-Efficient Alternative to HyperLogLog", 2023 (arXiv 2308.16862).
 */
import { readCoded, writeCoded } from "./ans.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";
import type { NumberSet } from "./numberset.ts";
import { gapBits, readAscending, writeAscending } from "./rice.ts";
import type { Roster } from "./roster.ts";
import { insertAt, lowerBound, trimmed } from "./sorted.ts";

/** Registers are chosen by the top 12 bits of a hash: 4,096 of them, one byte each. */
const PRECISION = 12;
const REGISTERS = 1 << PRECISION;
/** A rank is one more than the zeros that follow those 12 bits; 52 bits remain, so 53 means they were all zero. */
const MAX_RANK = 64 - PRECISION + 1;

/** The sketch stays exact up to this many distinct values: about 3 kB of coupons against 4 kB of registers. */
export const EXACT_LIMIT = 1024;
/** Relative standard error of the dense form, 0.0119: sqrt(ln 2 / zeta(2, 5/4)) / sqrt(registers), paper section 3. */
export const RELATIVE_ERROR = 0.7608621002725182 / Math.sqrt(REGISTERS);
/** First-order bias of the maximum-likelihood estimate: 3/2 ln 2 zeta(3, 5/4) / zeta(2, 5/4)^2, paper section 3. */
const BIAS = 0.48147376527720065;

/** HyperLogLog's constant for so many registers, and what a register adds by its rank: 2^-rank. */
const RAW_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);
const RANK_WEIGHT = Float64Array.from({ length: MAX_RANK + 1 }, (_, rank) => 2 ** -rank);

const VERSION = 1;
/** Of registers that are coded: version 1 had them as they are. */
const CODED_VERSION = 2;
/** Of coupons that are named by their numbers in a roster. */
const NAMED_VERSION = 3;
/** The low half of the first byte: 0 to 13 is the number of coupons, or one of these two. */
const COUNT_FOLLOWS = 14;
const DENSE = 15;

/*
 * A coupon is what the sparse form keeps of a hash: its high 32 bits, with the top bit flipped so that small
 * integers sort as unsigned ones would. Where the 20 bits below the register index are zero (one hash in 2^20), the
 * rank lies in the low half: such a coupon is ESCAPE + index * 64 + leading zeros of the low half, above all others.
 */
const TOP_BIT = 0x80000000;
const ESCAPE = 0x80000000;
const ESCAPE_END = ESCAPE + REGISTERS * 64;

/** Mutable; `add` and `merge` change it in place. In memory 80 bytes when empty, 104 for one value, 4.4 kB when dense. */
export class UltraLogLog {
  /** Sorted, without repeats; empty once dense. A plain array: a typed one costs 200 bytes before its first value. */
  #coupons: number[] = [];
  #registers: Uint8Array | undefined;
  /** What the registers say, until they change: readers ask again and again. */
  #estimate: number | undefined;

  get isEmpty(): boolean {
    return this.#registers === undefined && this.#coupons.length === 0;
  }

  /** Whether `estimate` counts without error (but for hashes that share 32 bits: a chance of 1 in 8,200 at the limit). */
  get isExact(): boolean {
    return this.#registers === undefined;
  }

  /** Adds a hash given as its high and low 32 bits, signed or unsigned. Adding it again changes nothing. */
  add(hi: number, lo: number): void {
    const below = hi << PRECISION;
    if (this.#registers === undefined) {
      this.#addCoupon(below === 0 ? ESCAPE + ((hi >>> 20) << 6) + Math.clz32(lo) : hi ^ TOP_BIT);
      return;
    }
    const rank = below === 0 ? Math.clz32(lo) + 33 - PRECISION : Math.clz32(below) + 1;
    this.#estimate = undefined;
    raise(this.#registers, hi >>> (32 - PRECISION), rank);
  }

  /** Makes this the union of both sets; `other` stays as it is. */
  merge(other: UltraLogLog): void {
    this.#estimate = undefined;
    if (other.#registers !== undefined) {
      const registers = this.#densify();
      for (let i = 0; i < REGISTERS; i++) registers[i] = union(registers[i]!, other.#registers[i]!);
    } else if (this.#registers !== undefined) {
      addAllTo(this.#registers, other.#coupons);
    } else if (other.#coupons.length <= 4) {
      for (let i = 0; i < other.#coupons.length; i++) this.#addCoupon(other.#coupons[i]!);
    } else {
      this.#coupons = mergeSorted(this.#coupons, other.#coupons);
      if (this.#coupons.length > EXACT_LIMIT) this.#densify();
    }
  }

  clone(): UltraLogLog {
    const copy = new UltraLogLog();
    copy.#coupons = this.#coupons.slice();
    copy.#registers = this.#registers?.slice();
    return copy;
  }

  /** Distinct hashes, a whole number: exact in sparse form, else the bias-corrected maximum-likelihood estimate. */
  estimate(): number {
    if (this.#registers === undefined) return this.#coupons.length;
    if (this.#estimate === undefined) {
      const rate = mostLikelyRate(this.#registers);
      const count = Math.round((rate * REGISTERS) / (1 + BIAS / REGISTERS));
      this.#estimate = Math.min(count, Number.MAX_SAFE_INTEGER);
    }
    return this.#estimate;
  }

  /**
   * A whole number that the estimate is below, and for a union of sets their sum: exact in sparse form, else 15 % over
   * HyperLogLog's raw estimate of the registers' ranks (P. Flajolet et al., 2007), whose error and the union's together
   * are 2 %. Of the four operations alone, so the same on every machine, where a logarithm's last bit need not be.
   */
  atMost(): number {
    if (this.#registers === undefined) return this.#coupons.length;
    let sum = 0;
    for (let i = 0; i < REGISTERS; i++) sum += RANK_WEIGHT[this.#registers[i]! >> 2]!;
    return Math.ceil((1.15 * RAW_ALPHA * REGISTERS * REGISTERS) / sum);
  }

  /**
   * Adds the coupons of an exact sketch to a set, or of `every`, a power of two, about one; the same in each sketch. How
   * many.
   */
  tell(coupons: NumberSet, every = 1): number {
    let told = 0;
    for (let i = 0; i < this.#coupons.length; i++) {
      const coupon = this.#coupons[i]!;
      if ((coupon & (every - 1)) !== 0) continue;
      coupons.add(coupon);
      told++;
    }
    return told;
  }

  /** As `encode`, where all coupons are in `roster`: of few among few, a byte or two. RangeError for one that is not. */
  encodeNamed(writer: ByteWriter, roster: Roster): void {
    if (this.#registers !== undefined) {
      this.encode(writer);
      return;
    }
    const count = this.#coupons.length;
    const numbers = roster.numbersOf(this.#coupons);
    writeHead(writer, NAMED_VERSION, count);
    if (count < roster.size) writeAscending(writer, numbers, 0, gapBits(roster.size, count));
  }

  /** Equal sets give equal bytes. One byte when empty, 5 or 6 for one value, under 3 per value at 1,000; dense 750 to 2,150. */
  encode(writer: ByteWriter): void {
    if (this.#registers !== undefined) {
      writer.byte((CODED_VERSION << 4) | DENSE);
      writeCoded(writer, this.#registers);
      return;
    }
    const count = this.#coupons.length;
    writeHead(writer, VERSION, count);
    // n coupons spread over 2^32: clz32(n) is about log2 of the mean gap.
    writeAscending(writer, this.#coupons, -TOP_BIT, Math.clz32(count));
  }

  /**
   * Reads what `encode` wrote, or with the same roster `encodeNamed`. RangeError for bytes that end early or hold what no
   * sketch can.
   */
  static decode(reader: ByteReader, roster?: Roster): UltraLogLog {
    const head = reader.byte();
    const form = head & 15;
    const isCoded = head >> 4 === CODED_VERSION && form === DENSE;
    const names = head >> 4 === NAMED_VERSION && form !== DENSE ? roster : undefined;
    if (head >> 4 !== VERSION && !isCoded && !names)
      throw new RangeError(
        `UltraLogLog version ${head >> 4}, expected ${VERSION}, ${CODED_VERSION}${roster ? ` or ${NAMED_VERSION}` : ""}`,
      );
    const sketch = new UltraLogLog();
    if (form === DENSE) {
      sketch.#registers = new Uint8Array(REGISTERS);
      if (isCoded) readCoded(reader, sketch.#registers);
      else sketch.#registers.set(reader.bytes(REGISTERS));
      for (const register of sketch.#registers)
        if (REGISTER_OCCURS[register] === 0)
          throw new RangeError(`UltraLogLog register ${register} cannot occur`);
      return sketch;
    }
    const count = form === COUNT_FOLLOWS ? reader.varint() : form;
    if (count > EXACT_LIMIT || (form === COUNT_FOLLOWS && count < COUNT_FOLLOWS))
      throw new RangeError(`UltraLogLog of ${count} coupons, expected ${COUNT_FOLLOWS} to ${EXACT_LIMIT}`);
    sketch.#coupons = names
      ? names.valuesOf(readNumbers(reader, count, names.size))
      : readAscending(reader, count, -TOP_BIT, Math.clz32(count));
    for (let i = 0; i < sketch.#coupons.length; i++)
      if (!isCoupon(sketch.#coupons[i]!))
        throw new RangeError(`UltraLogLog coupon ${sketch.#coupons[i]} cannot occur`);
    return sketch;
  }

  #addCoupon(coupon: number): void {
    if (this.#registers !== undefined) {
      addToRegisters(this.#registers, coupon);
      return;
    }
    const at = lowerBound(this.#coupons, coupon);
    if (this.#coupons[at] === coupon) return;
    this.#coupons = insertAt(this.#coupons, at, coupon);
    if (this.#coupons.length > EXACT_LIMIT) this.#densify();
  }

  #densify(): Uint8Array {
    if (this.#registers === undefined) {
      this.#registers = new Uint8Array(REGISTERS);
      addAllTo(this.#registers, this.#coupons);
      this.#coupons = [];
    }
    return this.#registers;
  }
}

function writeHead(writer: ByteWriter, version: number, count: number): void {
  writer.byte((version << 4) | Math.min(count, COUNT_FOLLOWS));
  if (count >= COUNT_FOLLOWS) writer.varint(count);
}

/** Of `count` among `size`; all of them need no bytes. */
function readNumbers(reader: ByteReader, count: number, size: number): number[] {
  if (count > size) throw new RangeError(`UltraLogLog of ${count} coupons among ${size}`);
  if (count === size) return Array.from({ length: size }, (_, number) => number);
  return readAscending(reader, count, 0, gapBits(size, count));
}

/*
 * A register is 4 * k + 2 * a + b: k is the highest rank seen there (0 for none), a whether k - 1 was seen too, and
 * b whether k - 2 was. Older ranks are forgotten, which is what makes the union of two registers a register.
 */
function union(one: number, two: number): number {
  const high = Math.max(one, two);
  const low = Math.min(one, two);
  const apart = (high >> 2) - (low >> 2);
  return low === 0 || apart > 2 ? high : high | (((4 | (low & 3)) >> apart) & 3);
}

function raise(registers: Uint8Array, index: number, rank: number): void {
  const old = registers[index]!;
  // In a well-filled sketch nearly every hash stops here: its rank is too old to be remembered.
  if ((old >> 2) - rank > 2) return;
  registers[index] = union(old, rank << 2);
}

function addToRegisters(registers: Uint8Array, coupon: number): void {
  if (coupon >= ESCAPE) {
    const escaped = coupon - ESCAPE;
    raise(registers, escaped >>> 6, (escaped & 63) + 33 - PRECISION);
  } else {
    const hi = coupon ^ TOP_BIT;
    raise(registers, hi >>> (32 - PRECISION), Math.clz32(hi << PRECISION) + 1);
  }
}

// By index, here and above: an iterator makes an object for each coupon until the loop is optimised, a sixth of what merging made.
function addAllTo(registers: Uint8Array, coupons: readonly number[]): void {
  for (let i = 0; i < coupons.length; i++) addToRegisters(registers, coupons[i]!);
}

/** 1 for each byte that can be a register: below rank 1 there is nothing to remember, and no rank is over 53. */
const REGISTER_OCCURS = Uint8Array.from({ length: 256 }, (_, register) => {
  const rank = register >> 2;
  const remembered = register & 3;
  return rank <= MAX_RANK && (remembered === 0 || rank > 2 || (rank === 2 && remembered === 2)) ? 1 : 0;
});

/**
 * The most likely number of hashes per register. Under the Poisson model rank j reaches a register at the rate
 * x / 2^min(j, 52), so the log-likelihood is -x * unseen + sum of seen[j] * log(1 - exp(-x / 2^j)), where `unseen`
 * adds up the rates of the ranks known to be absent and `seen[j]` counts those known to be present (paper, section 3).
 */
function mostLikelyRate(registers: Uint8Array): number {
  const histogram = new Uint16Array((MAX_RANK + 1) * 4);
  for (let i = 0; i < REGISTERS; i++) histogram[registers[i]!]!++;
  const seen = new Float64Array(MAX_RANK);
  let unseen = histogram[0]!;
  for (let register = 4; register < histogram.length; register++) {
    const times = histogram[register]!;
    if (times === 0) continue;
    const rank = register >> 2;
    if (rank < MAX_RANK) unseen += times * 2 ** -rank;
    seen[Math.min(rank, MAX_RANK - 1)]! += times;
    if ((register & 2) !== 0) seen[rank - 1]! += times;
    else if (rank > 1) unseen += times * 2 ** (1 - rank);
    if ((register & 1) !== 0) seen[rank - 2]! += times;
    else if (rank > 2) unseen += times * 2 ** (2 - rank);
  }
  if (unseen === 0) return Number.POSITIVE_INFINITY;
  // The derivative, sum of seen[j] * c / (e^(c x) - 1) - unseen with c = 2^-j, is convex and falling: Newton's method
  // from a point below the root climbs to it and never passes it. As y / (e^y - 1) >= 1 - y / 2, this is below it:
  let events = 0;
  let slope = unseen;
  for (let j = 1; j < MAX_RANK; j++) {
    events += seen[j]!;
    slope += (seen[j]! * 2 ** -j) / 2;
  }
  let rate = events / slope;
  for (;;) {
    let excess = -unseen;
    let fall = 0;
    for (let j = 1; j < MAX_RANK; j++) {
      if (seen[j] === 0) continue;
      const c = 2 ** -j;
      const term = c / Math.expm1(c * rate);
      excess += seen[j]! * term;
      fall += seen[j]! * term * (term + c);
    }
    const step = excess / fall;
    if (!(step > rate * 1e-9)) return rate;
    rate += step;
  }
}

function mergeSorted(one: readonly number[], two: readonly number[]): number[] {
  const merged: number[] = [];
  let i = 0;
  let j = 0;
  while (i < one.length && j < two.length) {
    const a = one[i]!;
    const b = two[j]!;
    merged.push(Math.min(a, b));
    if (a <= b) i++;
    if (b <= a) j++;
  }
  while (i < one.length) merged.push(one[i++]!);
  while (j < two.length) merged.push(two[j++]!);
  return trimmed(merged);
}

function isCoupon(coupon: number): boolean {
  if (coupon >= ESCAPE) return coupon < ESCAPE_END && ((coupon - ESCAPE) & 63) <= 32;
  return coupon << PRECISION !== 0;
}
