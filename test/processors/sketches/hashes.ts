/** Seeded sources of 64-bit hashes and of doubles for the sketch tests. */

export interface Hash {
  readonly hi: number;
  readonly lo: number;
}

/** Uniform unsigned 32-bit integers: sfc32 by Chris Doty-Humphrey, which passes PractRand. */
export function random32(seed: number): () => number {
  let a = 0x9e3779b9;
  let b = seed | 0;
  let c = 0x243f6a88;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** Uniform in (0, 1). */
export function random01(seed: number): () => number {
  const next = random32(seed);
  return () => (next() + 0.5) / 2 ** 32;
}

/** `size` hashes each, all distinct as coupons but where the name says otherwise. */
export const HASH_SETS: Readonly<Record<string, (seed: number, size: number) => Hash[]>> = {
  uniform: (seed, size) => {
    const next = random32(seed);
    return Array.from({ length: size }, () => ({ hi: next(), lo: next() }));
  },
  "with repeats": (seed, size) => {
    const next = random32(seed);
    const distinct = HASH_SETS.uniform!(seed, Math.ceil(size / 2));
    return Array.from({ length: size }, () => distinct[next() % distinct.length]!);
  },
  /** The 20 bits below the register index are zero, so that the rank comes from the low half. */
  "ranks in the low half": (seed, size) => {
    const next = random32(seed);
    return Array.from({ length: size }, () => ({
      hi: (next() & 0xfff00000) >>> 0,
      lo: next() >>> (next() % 33),
    }));
  },
  /** Few registers, every rank from 1 to 53. */
  "crowded registers": (seed, size) => {
    const next = random32(seed);
    return Array.from({ length: size }, () => {
      const zeros = next() % 53;
      const index = (next() % 3) * 0x7ff00000;
      const hi = zeros < 20 ? (0x80000 >>> zeros) | (next() & ((0x80000 >>> zeros) - 1)) : 0;
      const lo = zeros < 20 ? next() : zeros === 52 ? 0 : 0x80000000 >>> (zeros - 20);
      return { hi: (index | hi) >>> 0, lo };
    });
  },
  /** No gaps at all between the high halves. */
  consecutive: (seed, size) => Array.from({ length: size }, (_, i) => ({ hi: (seed + i) >>> 0, lo: i })),
  "both ends": (_, size) =>
    Array.from({ length: size }, (_, i) => ({
      hi: (i % 2 === 0 ? i >> 1 : 0xffffffff - (i >> 1)) >>> 0,
      lo: i % 3 === 0 ? 0 : 0xffffffff,
    })),
};
