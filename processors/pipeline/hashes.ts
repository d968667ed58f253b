/** 53-bit hashes of one stored value: each is written in full where it occurs first, and by its number from then on. */
import type { ByteReader, ByteWriter } from "../sketches/bytes.ts";

/** Stands before a hash that has no number yet; numbers begin behind it. */
const NEW = 0;

export class HashWriter {
  readonly #numbers = new Map<number, number>();

  write(hash: number, writer: ByteWriter): void {
    const number = this.#numbers.get(hash);
    if (number !== undefined) {
      writer.varint(number);
      return;
    }
    this.#numbers.set(hash, this.#numbers.size + 1);
    writer.varint(NEW);
    writer.uint53(hash);
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
