/** A fast 53-bit hash for sets that never leave one shard's state. Not keyed: never use it on anything personal. */

/**
 * cyrb53 (bryc, public domain): two multiply-xorshift lanes over UTF-16 code units, 53 bits so that it stays a safe
 * integer. With 500,000 members the chance that a new member collides is 500,000 / 2^53 = 6e-11.
 */
export function hash53(text: string, { a: startA, b: startB }: HashState = START): number {
  let a = startA;
  let b = startB;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (0x1fffff & b) + (a >>> 0);
}

/** The two lanes after some text. */
export interface HashState {
  readonly a: number;
  readonly b: number;
}
const START: HashState = { a: 0xdeadbeef | 0, b: 0x41c6ce57 };

/** hash53(text, hashPrefix(prefix)) is hash53(prefix + text), without the work of joining them or hashing the prefix again. */
export function hashPrefix(prefix: string): HashState {
  let { a, b } = START;
  for (let i = 0; i < prefix.length; i++) {
    const unit = prefix.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  return { a, b };
}
