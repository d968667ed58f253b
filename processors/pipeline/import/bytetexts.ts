/**
 * What texts of a file mean, found by their bytes: a log names the same pages and browsers over and over, and to decode and
 * hash each line's texts anew takes most of reading it. Knows nothing of what the texts are.
 */

/** Different texts, and bytes of them, that are remembered before the memory is begun anew. */
const MAX_TEXTS = 32_768;
const MAX_BYTES = 4 << 20;

export class ByteTexts<T> {
  readonly #make: (text: string) => T;
  /** Open addressing with linear probing: number of the text + 1, 0 where free. A power of two, at most half full. */
  readonly #slots = new Int32Array(2 * MAX_TEXTS);
  readonly #hashes = new Int32Array(MAX_TEXTS);
  /** Where each text ends in `#bytes`; it begins where the one before ends. */
  readonly #ends = new Int32Array(MAX_TEXTS);
  readonly #values: T[] = [];
  #bytes = new Uint8Array(64 << 10);
  readonly #decoder = new TextDecoder();

  /** `make`: what a text means; called once for each as long as it is remembered. */
  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  /** What the text in `bytes[from, to)` means; `hash` is `hashOf` these bytes. */
  of(bytes: Uint8Array, from: number, to: number, hash: number): T {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) break;
      if (this.#hashes[number] === hash && this.#isText(number, bytes, from, to))
        return this.#values[number]!;
      slot = (slot + 1) & mask;
    }
    const value = this.#make(this.#decoder.decode(bytes.subarray(from, to)));
    this.#remember(bytes.subarray(from, to), hash, value, slot);
    return value;
  }

  #isText(number: number, bytes: Uint8Array, from: number, to: number): boolean {
    let at = number === 0 ? 0 : this.#ends[number - 1]!;
    if (this.#ends[number]! - at !== to - from) return false;
    const known = this.#bytes;
    for (let i = from; i < to; i++) if (known[at++] !== bytes[i]) return false;
    return true;
  }

  #remember(text: Uint8Array, hash: number, value: T, slot: number): void {
    if (text.length > MAX_BYTES / 8) return;
    const number = this.#values.length;
    const start = number === 0 ? 0 : this.#ends[number - 1]!;
    const end = start + text.length;
    if (number === MAX_TEXTS || end > MAX_BYTES) {
      this.#values.length = 0;
      this.#slots.fill(0);
      this.#remember(text, hash, value, (hash ^ (hash >>> 15)) & (this.#slots.length - 1));
      return;
    }
    if (end > this.#bytes.length) {
      const more = new Uint8Array(Math.min(MAX_BYTES, Math.max(end, 2 * this.#bytes.length)));
      more.set(this.#bytes.subarray(0, start));
      this.#bytes = more;
    }
    this.#bytes.set(text, start);
    this.#ends[number] = end;
    this.#hashes[number] = hash;
    this.#values.push(value);
    this.#slots[slot] = number + 1;
  }
}

/** To hash bytes while they are looked at: begin with FIRST_HASH, and put in each. FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
export const FIRST_HASH = 0x811c9dc5 | 0;
export const hashWith = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193);
