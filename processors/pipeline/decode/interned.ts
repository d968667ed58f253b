/** What was made of bytes that come again and again: found by the bytes, so that no text is made of them. */

/** Longer ones are made each time: few come twice. The base64 of a browser's name is 130 to 250. */
const MAX_BYTES = 256;
/** Together they are searched, and together they are all the places that a text may take: so no choice of texts makes it slow. */
const WAYS = 4;
const SETS = 1_024;
/** Of a longer text, the hash looks at its last bytes and a few others: addresses begin alike. */
const HASHED_BYTES = 12;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Interned<T> {
  readonly #make: (text: string) => T | undefined;
  readonly #mask: number;
  readonly #hashes: Int32Array;
  readonly #lengths: Int32Array;
  /** MAX_BYTES for each; memory that nobody wrote to takes none. */
  readonly #kept: Uint8Array;
  readonly #values: (T | undefined)[];
  /** Whose place is taken next. */
  #turn = 0;

  /**
   * `make` of equal texts gives equal values, which are never changed; undefined is none, and is asked for again. Four
   * times as many as `sets` are kept, which is a power of two.
   */
  constructor(make: (text: string) => T | undefined, sets = SETS) {
    this.#make = make;
    this.#mask = sets - 1;
    this.#hashes = new Int32Array(WAYS * sets);
    this.#lengths = new Int32Array(WAYS * sets).fill(-1);
    this.#kept = new Uint8Array(WAYS * sets * MAX_BYTES);
    this.#values = new Array(WAYS * sets).fill(undefined);
  }

  /** What was made of the UTF-8 between `from` and `to`; undefined also where it is no UTF-8. */
  get(bytes: Uint8Array, from: number, to: number): T | undefined {
    const hash = hashOf(bytes, from, to);
    const first = (hash & this.#mask) * WAYS;
    for (let at = first; at < first + WAYS; at++)
      if (this.#hashes[at] === hash && this.#isAt(at, bytes, from, to)) return this.#values[at];
    const value = this.#madeOf(bytes, from, to);
    if (value === undefined || to - from > MAX_BYTES) return value;
    this.#turn = (this.#turn + 1) % WAYS;
    const at = first + this.#turn;
    this.#hashes[at] = hash;
    this.#lengths[at] = to - from;
    this.#kept.set(bytes.subarray(from, to), at * MAX_BYTES);
    this.#values[at] = value;
    return value;
  }

  #isAt(at: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#lengths[at] !== to - from) return false;
    const kept = this.#kept;
    for (let i = from, k = at * MAX_BYTES; i < to; i++, k++) if (bytes[i] !== kept[k]) return false;
    return true;
  }

  #madeOf(bytes: Uint8Array, from: number, to: number): T | undefined {
    let text: string;
    try {
      text = strictUtf8.decode(bytes.subarray(from, to));
    } catch {
      return undefined;
    }
    return this.#make(text);
  }
}

/** FNV-1a of the length and some bytes, mixed down because the low bits choose. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = Math.imul(0x811c9dc5 ^ (to - from), 0x01000193);
  let at = from;
  if (to - from > HASHED_BYTES) {
    at = to - HASHED_BYTES;
    hash = Math.imul(hash ^ bytes[(from + at) >> 1]!, 0x01000193);
    hash = Math.imul(hash ^ bytes[at - ((at - from) >> 2)]!, 0x01000193);
  }
  for (; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash ^ (hash >>> 15);
}
