/** 53-bit hashes of one stored value: each is written in full where it occurs first, and by its number from then on. */
import type { ByteReader, ByteWriter } from "../sketches/bytes.ts";

/** Stands before a hash that has no number yet; numbers begin behind it. */
const NEW = 0;

/** Room to begin with; a power of two. */
const FIRST_SLOTS = 256;

export class HashWriter {
  /** Open addressing with linear probing, at most half full. A Map would make an object of each hash that it is asked for. */
  #hashes = new Float64Array(FIRST_SLOTS);
  /** By slot: the number of its hash, NEW where it is free. */
  #numbers = new Int32Array(FIRST_SLOTS);
  #size = 0;

  write(hash: number, writer: ByteWriter): void {
    const slot = this.#slotOf(hash);
    const number = this.#numbers[slot]!;
    writer.varint(number);
    if (number !== NEW) return;
    writer.uint53(hash);
    this.#hashes[slot] = hash;
    this.#numbers[slot] = ++this.#size;
    if (this.#size * 2 > this.#numbers.length) this.#grow();
  }

  /** Where a hash stands, or would. Its low bits are as good as random. */
  #slotOf(hash: number): number {
    const mask = this.#numbers.length - 1;
    let slot = hash & mask;
    while (this.#numbers[slot] !== NEW && this.#hashes[slot] !== hash) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [hashes, numbers] = [this.#hashes, this.#numbers];
    this.#hashes = new Float64Array(hashes.length * 2);
    this.#numbers = new Int32Array(numbers.length * 2);
    for (let i = 0; i < numbers.length; i++) {
      if (numbers[i] === NEW) continue;
      const slot = this.#slotOf(hashes[i]!);
      this.#hashes[slot] = hashes[i]!;
      this.#numbers[slot] = numbers[i]!;
    }
  }
}

/** Reads what HashWriter wrote, in the same order. */
export class HashReader {
  readonly #hashes: number[] = [];

  /** RangeError for a number that no hash has. */
  read(reader: ByteReader): number {
    const number = reader.varint();
    if (number === NEW) {
      const hash = reader.uint53();
      this.#hashes.push(hash);
      return hash;
    }
    const hash = this.#hashes[number - 1];
    if (hash === undefined) throw new RangeError(`hash ${number} of ${this.#hashes.length}`);
    return hash;
  }
}
