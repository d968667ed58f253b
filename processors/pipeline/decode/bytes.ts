/** JSON and base64 read where they lie, byte by byte, as long as both are plain. Knows nothing of what the values mean. */
import type { Interned } from "./interned.ts";

const QUOTE = 34;
const BACKSLASH = 92;
export const COMMA = 44;
export const COLON = 58;
export const OPEN_LIST = 91;
export const CLOSE_LIST = 93;
export const OPEN = 123;
export const CLOSE = 125;
const POINT = 46;
const ZERO = 48;
const FIRST_PRINTABLE = 32;
const FIRST_BEYOND_ASCII = 128;

/** Numbers of up to 15 digits are exact in a double, and so is a power of ten up to 10^22: their quotient is rounded once, as JSON.parse rounds. */
const MAX_DIGITS = 15;

/** A place in JSON text without spaces. Every method answers that it went on, or stays anywhere: then somebody else has to read it all. */
export class JsonBytes {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  end = 0;
  /** Where the text or object read last lies, without its quotes. */
  from = 0;
  to = 0;

  open(bytes: Uint8Array, end: number): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = end;
  }

  get isDone(): boolean {
    return this.at === this.end;
  }

  take(byte: number): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  /** A text that stands for itself: nothing escaped. It may be UTF-8, and may be broken. */
  text(): boolean {
    const { bytes, end } = this;
    let at = this.at;
    if (at >= end || bytes[at] !== QUOTE) return false;
    this.from = ++at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.to = at;
        this.at = at + 1;
        return true;
      }
      if (byte < FIRST_PRINTABLE || byte === BACKSLASH) return false;
    }
    return false;
  }

  /** A key of one or two characters and its colon: the first character's code, and 256 times the second's; -1 for any other. */
  key(): number {
    const { bytes, at } = this;
    // Without looking for the end: beyond it there is nothing, which is no colon.
    if (bytes[at] !== QUOTE) return -1;
    if (bytes[at + 2] === QUOTE && bytes[at + 3] === COLON) {
      this.at = at + 4;
      return bytes[at + 1]!;
    }
    if (bytes[at + 3] === QUOTE && bytes[at + 4] === COLON) {
      this.at = at + 5;
      return bytes[at + 2]! * 256 + bytes[at + 1]!;
    }
    return -1;
  }

  boolean(): boolean | undefined {
    for (const [text, value] of [
      ["true", true],
      ["false", false],
    ] as const) {
      this.from = this.at;
      this.to = this.at + text.length;
      if (this.to <= this.end && this.is(text)) {
        this.at = this.to;
        return value;
      }
    }
    return undefined;
  }

  /** What was made of the text or object read last. */
  interned<T>(table: Interned<T>): T | undefined {
    return table.get(this.bytes, this.from, this.to);
  }

  /** A text in which only its end is looked for: whoever reads it has to check what is in it. */
  blindText(): boolean {
    if (!this.take(QUOTE)) return false;
    const to = this.bytes.indexOf(QUOTE, this.at);
    if (to < 0 || to >= this.end) return false;
    this.from = this.at;
    this.to = to;
    this.at = to + 1;
    return true;
  }

  /** Whether the text read last is this one, of ASCII. */
  is(text: string): boolean {
    if (this.to - this.from !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.bytes[this.from + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** The text read last, if it is ASCII. */
  ascii(): string | undefined {
    const { bytes, to } = this;
    let text = "";
    let all = 0;
    let at = this.from;
    for (; at + 8 <= to; at += 8) {
      const a = bytes[at]!;
      const b = bytes[at + 1]!;
      const c = bytes[at + 2]!;
      const d = bytes[at + 3]!;
      const e = bytes[at + 4]!;
      const f = bytes[at + 5]!;
      const g = bytes[at + 6]!;
      const h = bytes[at + 7]!;
      all |= a | b | c | d | e | f | g | h;
      text += String.fromCharCode(a, b, c, d, e, f, g, h);
    }
    for (; at < to; at++) {
      all |= bytes[at]!;
      text += String.fromCharCode(bytes[at]!);
    }
    return all < FIRST_BEYOND_ASCII ? text : undefined;
  }

  /** An object whose texts have nothing escaped; only where it ends is looked for. */
  object(): boolean {
    const { bytes, end } = this;
    let at = this.at;
    if (at >= end || bytes[at] !== OPEN) return false;
    this.from = at;
    let depth = 0;
    let isText = false;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte < FIRST_PRINTABLE || byte === BACKSLASH) return false;
      if (byte === QUOTE) isText = !isText;
      else if (!isText && byte === OPEN) depth++;
      else if (!isText && byte === CLOSE && --depth === 0) {
        this.at = this.to = at + 1;
        return true;
      }
    }
    return false;
  }

  /** A number from 0 in up to 15 digits; -1 for others, and for what is none. */
  number(): number {
    const { bytes, end } = this;
    let at = this.at;
    let value = 0;
    const from = at;
    for (; at < end && isDigit(bytes[at]!); at++) value = value * 10 + bytes[at]! - ZERO;
    let digits = at - from;
    if (digits === 0 || (digits > 1 && bytes[from] === ZERO)) return -1;
    if (at < end && bytes[at] === POINT) {
      const point = at++;
      for (; at < end && isDigit(bytes[at]!); at++) value = value * 10 + bytes[at]! - ZERO;
      const decimals = at - point - 1;
      if (decimals === 0) return -1;
      digits += decimals;
      if (digits <= MAX_DIGITS) value /= 10 ** decimals;
    }
    this.at = at;
    return digits > MAX_DIGITS ? -1 : value;
  }
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte < ZERO + 10;

/** The value of each digit of base64; 128 for what is none. */
const SEXTETS = new Uint8Array(256).fill(128);
for (const [i, digit] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].entries())
  SEXTETS[digit.charCodeAt(0)] = i;
const PAD = 61;

/** Writes the bytes that padded base64 stands for to the begin of `target`; how many, or -1 for anything but plain base64. */
export function decodeBase64(source: Uint8Array, from: number, to: number, target: Uint8Array): number {
  if ((to - from) % 4 !== 0) return -1;
  let length = 0;
  let all = 0;
  const padding = to > from && source[to - 1] === PAD ? (source[to - 2] === PAD ? 2 : 1) : 0;
  const whole = padding > 0 ? to - 4 : to;
  for (let at = from; at < whole; at += 4) {
    const a = SEXTETS[source[at]!]!;
    const b = SEXTETS[source[at + 1]!]!;
    const c = SEXTETS[source[at + 2]!]!;
    const d = SEXTETS[source[at + 3]!]!;
    all |= a | b | c | d;
    target[length] = (a << 2) | (b >> 4);
    target[length + 1] = (b << 4) | (c >> 2);
    target[length + 2] = (c << 6) | d;
    length += 3;
  }
  if (padding > 0) {
    const a = SEXTETS[source[whole]!]!;
    const b = SEXTETS[source[whole + 1]!]!;
    const c = padding === 1 ? SEXTETS[source[whole + 2]!]! : 0;
    all |= a | b | c;
    target[length++] = (a << 2) | (b >> 4);
    if (padding === 1) target[length++] = (b << 4) | (c >> 2);
  }
  return all < 64 ? length : -1;
}
