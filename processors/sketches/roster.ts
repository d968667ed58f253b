/**
 * What several exact sketches hold, each value once, so that the sketches can name values by number: a visitor stands
 * under a page, a source, a country and a dozen more. Knows values as ascending whole numbers of 32 bits and a little more.
 */
import { ByteReader, type ByteWriter } from "./bytes.ts";
import type { NumberSet } from "./numberset.ts";
import { readAscending, writeAscending } from "./rice.ts";

/** Where values begin. */
const LOWEST = -0x80000000;

export class Roster {
  /** Ascending; read when somebody asks. */
  #values: readonly number[] | undefined;
  readonly #size: number;
  readonly #bytes: Uint8Array;

  private constructor(size: number, bytes: Uint8Array, values?: readonly number[]) {
    this.#size = size;
    this.#bytes = bytes;
    this.#values = values;
  }

  static of(values: NumberSet): Roster {
    const ascending = values.ascending();
    return new Roster(ascending.length, new Uint8Array(0), ascending);
  }

  get size(): number {
    return this.#size;
  }

  /** The numbers of ascending values. RangeError for one that is not in it. */
  numbersOf(values: readonly number[]): number[] {
    const all = this.#all();
    const numbers = new Array<number>(values.length);
    let from = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      // Both ascend: the next is near where many are looked for, and found in a few steps where few are.
      let step = 1;
      while (from + step < all.length && all[from + step]! <= value) {
        from += step;
        step *= 2;
      }
      while (step >= 1) {
        if (from + step < all.length && all[from + step]! <= value) from += step;
        step = step >> 1;
      }
      if (all[from] !== value)
        throw new RangeError(`value ${value} is none of the ${this.#size} of the roster`);
      numbers[i] = from;
    }
    return numbers;
  }

  /** RangeError for a number that nothing has. */
  valuesOf(numbers: readonly number[]): number[] {
    const all = this.#all();
    const last = numbers.at(-1);
    if (last !== undefined && last >= all.length)
      throw new RangeError(`value ${last} of ${all.length} that sketches name`);
    return numbers.map((number) => all[number]!);
  }

  /** Canonical: equal sets give equal bytes. */
  encode(writer: ByteWriter): void {
    writer.varint(this.#size);
    writer.measured(() => writeAscending(writer, this.#all(), LOWEST, spreadBits(this.#size)));
  }

  static decode(reader: ByteReader): Roster {
    return new Roster(reader.varint(), reader.block());
  }

  #all(): readonly number[] {
    this.#values ??= readAscending(new ByteReader(this.#bytes), this.#size, LOWEST, spreadBits(this.#size));
    return this.#values;
  }
}

/** About log2 of the mean gap between so many values of 32 bits. */
const spreadBits = (count: number): number => Math.clz32(count);
