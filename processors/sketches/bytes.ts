/** Byte writer and reader for canonical encodings: LEB128 varints, zigzag, length-prefixed UTF-8. Imports nothing. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Shorter ASCII texts are put together unit by unit. V8 keeps a sum of 13 units and more as a tree, with a node for each
 * unit that is flattened when somebody compares it: five times as slow at 24 units as asking a Buffer.
 */
const SHORT_UNITS = 12;

/** A varint of 2^53 - 1. */
const VARINT_BYTES = 8;

/** Grows as needed; `finish` returns exactly what was written. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#bytes = new Uint8Array(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Four bytes, low first, of an integer from 0 to 2^32 - 1 or the same as signed. */
  uint32(value: number): void {
    this.#reserve(4);
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = value & 0xff;
    bytes[at + 1] = (value >>> 8) & 0xff;
    bytes[at + 2] = (value >>> 16) & 0xff;
    bytes[at + 3] = value >>> 24;
    this.#length = at + 4;
  }

  /** Seven bytes, low first, of a safe non-negative integer: for hashes, which are evenly spread over all of them. */
  uint53(value: number): void {
    this.uint32(value % 0x100000000);
    const high = Math.floor(value / 0x100000000);
    this.byte(high & 0xff);
    this.byte((high >>> 8) & 0xff);
    this.byte(high >>> 16);
  }

  /** A safe non-negative integer, 7 bits a byte, low first. Throws RangeError for anything else. */
  varint(value: number): void {
    this.#reserve(VARINT_BYTES);
    // Nearly all are from 0 to 127.
    if ((value & 0x7f) === value) {
      this.#bytes[this.#length++] = value;
      return;
    }
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`varint of ${value}: needs a safe integer >= 0`);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    // 28 bits at a time stay within 32-bit arithmetic.
    while (rest >= 0x10000000) {
      const low = rest % 0x10000000;
      bytes[at] = (low & 0x7f) | 0x80;
      bytes[at + 1] = ((low >>> 7) & 0x7f) | 0x80;
      bytes[at + 2] = ((low >>> 14) & 0x7f) | 0x80;
      bytes[at + 3] = (low >>> 21) | 0x80;
      at += 4;
      rest = Math.floor(rest / 0x10000000);
    }
    let small = rest | 0;
    while (small >= 0x80) {
      bytes[at++] = (small & 0x7f) | 0x80;
      small >>>= 7;
    }
    bytes[at++] = small;
    this.#length = at;
  }

  /** A safe integer of either sign: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... Range ±2^52. */
  signed(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Length-prefixed bytes. */
  block(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  /** What `write` writes, length-prefixed: as `block`, without bytes of its own that have to be copied. */
  measured(write: () => void): void {
    const start = this.#length;
    this.#reserve(1);
    this.#length++; // most are short; a longer length moves what was written
    write();
    const length = this.#length - start - 1;
    if (length < 0x80) {
      this.#bytes[start] = length;
      return;
    }
    const size = varintBytes(length);
    this.#reserve(size);
    this.#bytes.copyWithin(start + size, start + 1, this.#length);
    this.#length = start;
    this.varint(length);
    this.#length = start + size + length;
  }

  /** How long what `write` writes for each of `items` is, then all of that. */
  parts<T>(items: readonly T[], write: (item: T, writer: ByteWriter) => void): void {
    const start = this.#length;
    const lengths: number[] = [];
    let size = 0;
    for (const item of items) {
      const before = this.#length;
      write(item, this);
      const length = this.#length - before;
      lengths.push(length);
      size += varintBytes(length);
    }
    this.#reserve(size + VARINT_BYTES);
    const end = this.#length;
    this.#bytes.copyWithin(start + size, start, end);
    this.#length = start;
    for (const length of lengths) this.varint(length);
    this.#length = end + size;
  }

  /** Length-prefixed UTF-8. */
  text(value: string): void {
    // Most texts are short ASCII; calling the encoder for each would cost more than copying them.
    if (value.length < 0x80 && this.#ascii(value)) return;
    this.block(encoder.encode(value));
  }

  /** Writes it if it is ASCII; otherwise leaves everything as it was and answers false. */
  #ascii(value: string): boolean {
    this.#reserve(value.length + 1);
    const bytes = this.#bytes;
    const start = this.#length + 1;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return false;
      bytes[start + i] = unit;
    }
    bytes[this.#length] = value.length;
    this.#length = start + value.length;
    return true;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Reads what ByteWriter wrote. Every method throws RangeError when the bytes end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  /** The same bytes, for long texts. */
  #buffer: Buffer | undefined;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw new RangeError(`bytes end at ${this.#bytes.length}, wanted more`);
    return value;
  }

  /** From 0 to 2^32 - 1. */
  uint32(): number {
    const low = this.byte() | (this.byte() << 8) | (this.byte() << 16);
    return low + this.byte() * 0x1000000;
  }

  /** From 0 to 2^53 - 1, as `uint53` writes it. */
  uint53(): number {
    const low = this.uint32();
    const high = this.byte() | (this.byte() << 8) | (this.byte() << 16);
    if (high >= 1 << 21) throw new RangeError(`high bits ${high}: over 2^53 - 1`);
    return high * 0x100000000 + low;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const next = this.byte();
      value += (next & 0x7f) * scale;
      if (next < 0x80) {
        if (!Number.isSafeInteger(value)) throw new RangeError(`varint ${value} is over 2^53 - 1`);
        return value;
      }
      scale *= 0x80;
    }
  }

  /** Goes over so many varints. */
  skipVarints(count: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let left = count; left > 0; at++) {
      if (at >= bytes.length) throw new RangeError(`bytes end at ${bytes.length}, wanted more`);
      if (bytes[at]! < 0x80) left--;
    }
    this.#at = at;
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Goes over so many bytes. */
  skip(length: number): void {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError(`bytes end at ${this.#bytes.length}, wanted ${end}`);
    this.#at = end;
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const start = this.#at;
    this.skip(length);
    return this.#bytes.subarray(start, this.#at);
  }

  block(): Uint8Array {
    return this.bytes(this.varint());
  }

  text(): string {
    const length = this.varint();
    const start = this.#at;
    const bytes = this.#bytes;
    this.skip(length);
    for (let i = start; i < this.#at; i++)
      if (bytes[i]! >= 0x80) return decoder.decode(bytes.subarray(start, this.#at));
    if (length > SHORT_UNITS) {
      this.#buffer ??= Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      return this.#buffer.toString("latin1", start, this.#at);
    }
    let text = "";
    for (let i = start; i < this.#at; i++) text += String.fromCharCode(bytes[i]!);
    return text;
  }
}
