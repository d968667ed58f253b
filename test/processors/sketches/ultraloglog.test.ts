import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";
import { EXACT_LIMIT, RELATIVE_ERROR, UltraLogLog } from "../../../processors/sketches/ultraloglog.ts";
import { HASH_SETS, type Hash, random32 } from "./hashes.ts";

const SEED = 20_261_123;
console.log(`ultraloglog tests: seed ${SEED}`);
const runs = (numRuns: number): fc.Parameters<unknown> => ({ seed: SEED, numRuns });

const sketchOf = (hashes: readonly Hash[]): UltraLogLog => {
  const sketch = new UltraLogLog();
  for (const { hi, lo } of hashes) sketch.add(hi, lo);
  return sketch;
};
const union = (...sketches: UltraLogLog[]): UltraLogLog => {
  const all = new UltraLogLog();
  for (const sketch of sketches) all.merge(sketch);
  return all;
};
const encoded = (sketch: UltraLogLog): Uint8Array => {
  const writer = new ByteWriter(16);
  sketch.encode(writer);
  return writer.finish();
};
const hex = (sketch: UltraLogLog): string => Buffer.from(encoded(sketch)).toString("hex");
const decoded = (bytes: Uint8Array): UltraLogLog => UltraLogLog.decode(new ByteReader(bytes));

/**
 * Version 1 of the dense bytes by definition: for each register the highest rank ever seen, and whether the two below it
 * were; and what is made of them when they are read and written again.
 */
function denseByDefinition(hashes: readonly Hash[]): string {
  const ranks = new Map<number, Set<number>>();
  for (const { hi, lo } of hashes) {
    const bits = ((BigInt(hi) << 32n) | BigInt(lo)).toString(2).padStart(64, "0");
    const index = Number.parseInt(bits.slice(0, 12), 2);
    const rank = `${bits.slice(12)}1`.indexOf("1") + 1;
    ranks.set(index, (ranks.get(index) ?? new Set()).add(rank));
  }
  const bytes = Buffer.alloc(4097);
  bytes[0] = 0x1f;
  for (const [index, seen] of ranks) {
    const top = Math.max(...seen);
    bytes[1 + index] = 4 * top + (seen.has(top - 1) ? 2 : 0) + (seen.has(top - 2) ? 1 : 0);
  }
  return hex(decoded(bytes));
}

/** Sizes crowd where the rules change: nothing, one, the short header, the border to dense. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.integer({ min: EXACT_LIMIT - 3, max: EXACT_LIMIT + 3 }),
  fc.integer({ min: 0, max: 3000 }),
);
const hashSet = fc
  .tuple(fc.constantFrom(...Object.keys(HASH_SETS)), fc.integer({ min: 1, max: 1e6 }), size)
  .map(([name, seed, length]) => HASH_SETS[name]!(seed, length));

describe("while small", () => {
  it.each(Object.keys(HASH_SETS))("counts exactly up to the limit: %s", (name) => {
    const sketch = new UltraLogLog();
    const coupons = new Set<string>();
    for (const { hi, lo } of HASH_SETS[name]!(SEED, 4000)) {
      const coupon = (hi & 0xfffff) === 0 ? `${hi}/${Math.clz32(lo)}` : `${hi}`;
      if (coupons.size === EXACT_LIMIT && !coupons.has(coupon)) break;
      coupons.add(coupon);
      sketch.add(hi, lo);
      expect(sketch.estimate()).toBe(coupons.size);
    }
    expect(sketch.isExact).toBe(true);
  });

  it("turns dense at the first distinct value beyond the limit, not at a repeated one", () => {
    const hashes = HASH_SETS.uniform!(SEED, EXACT_LIMIT + 1);
    const sketch = sketchOf(hashes.slice(0, -1));
    for (const { hi, lo } of hashes.slice(0, -1)) sketch.add(hi, lo);
    expect([sketch.isExact, sketch.estimate()]).toEqual([true, EXACT_LIMIT]);
    sketch.add(hashes.at(-1)!.hi, hashes.at(-1)!.lo);
    expect(sketch.isExact).toBe(false);
  });

  it("takes signed and unsigned halves for the same hash", () => {
    const hashes = HASH_SETS.uniform!(SEED, 3000);
    for (const length of [500, 3000]) {
      const signed = hashes.slice(0, length).map(({ hi, lo }) => ({ hi: hi | 0, lo: lo | 0 }));
      expect(hex(sketchOf(signed))).toBe(hex(sketchOf(hashes.slice(0, length))));
    }
  });

  it("is empty only before the first value", () => {
    const sketch = new UltraLogLog();
    expect([sketch.isEmpty, sketch.isExact, sketch.estimate()]).toEqual([true, true, 0]);
    sketch.merge(new UltraLogLog());
    expect(sketch.isEmpty).toBe(true);
    sketch.add(0, 0);
    expect([sketch.isEmpty, sketch.estimate()]).toEqual([false, 1]);
    expect(sketchOf(HASH_SETS.uniform!(1, 2000)).isEmpty).toBe(false);
  });
});

describe("the bytes are a function of the set", () => {
  it.each(Object.keys(HASH_SETS))(
    "dense registers are those of the definition, sparse history or not: %s",
    (name) => {
      const base = HASH_SETS.uniform!(7, EXACT_LIMIT + 1);
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 1e6 }), size, (seed, length) => {
          const extra = HASH_SETS[name]!(seed, length);
          const expected = denseByDefinition([...base, ...extra]);
          expect(hex(sketchOf([...base, ...extra]))).toBe(expected);
          expect(hex(sketchOf([...extra, ...base]))).toBe(expected);
          expect(hex(union(sketchOf(extra), sketchOf(base)))).toBe(expected);
          expect(hex(union(sketchOf(base), sketchOf(extra)))).toBe(expected);
        }),
        runs(12),
      );
    },
  );

  it("any order and any merge tree with overlaps gives the same bytes", () => {
    fc.assert(
      fc.property(hashSet, fc.integer({ min: 1, max: 12 }), fc.integer(), (hashes, leaves, seed) => {
        const next = random32(seed);
        const parts = Array.from({ length: leaves }, (): Hash[] => []);
        for (const hash of hashes) {
          parts[next() % leaves]!.push(hash);
          if (next() % 4 === 0) parts[next() % leaves]!.unshift(hash);
        }
        const forest = parts.map(sketchOf);
        while (forest.length > 1) {
          const [taken] = forest.splice(next() % forest.length, 1);
          const into = next() % forest.length;
          forest[into]!.merge(next() % 2 === 0 ? taken! : decoded(encoded(taken!)));
        }
        expect(hex(forest[0]!)).toBe(hex(sketchOf(hashes)));
      }),
      runs(150),
    );
  });
});

describe("merge", () => {
  it("is associative", () => {
    fc.assert(
      fc.property(hashSet, hashSet, hashSet, (x, y, z) => {
        const [a, b, c] = [sketchOf(x), sketchOf(y), sketchOf(z)];
        expect(hex(union(a, union(b, c)))).toBe(hex(union(union(a, b), c)));
      }),
      runs(60),
    );
  });

  it("is commutative, and changes only the sketch that it is called on", () => {
    fc.assert(
      fc.property(hashSet, hashSet, (x, y) => {
        const [a, b] = [sketchOf(x), sketchOf(y)];
        const before = hex(b);
        const copy = a.clone();
        copy.merge(b);
        expect(hex(copy)).toBe(hex(union(b, a)));
        expect(hex(b)).toBe(before);
        expect(hex(a)).toBe(hex(sketchOf(x)));
        copy.add(1, 2);
        expect(hex(b)).toBe(before);
      }),
      runs(100),
    );
  });

  it("is idempotent, with itself too, and empty is its identity", () => {
    fc.assert(
      fc.property(hashSet, (x) => {
        const a = sketchOf(x);
        const bytes = hex(a);
        a.merge(a);
        expect(hex(a)).toBe(bytes);
        a.merge(sketchOf(x));
        a.merge(new UltraLogLog());
        expect(hex(a)).toBe(bytes);
        expect(hex(union(new UltraLogLog(), a))).toBe(bytes);
      }),
      runs(100),
    );
  });
});

describe("encoding", () => {
  it("decode gives back what encode wrote, and reads not one byte more", () => {
    fc.assert(
      fc.property(hashSet, (x) => {
        const sketch = sketchOf(x);
        const bytes = encoded(sketch);
        const reader = new ByteReader(Buffer.concat([bytes, Buffer.from([0xff, 0xff])]));
        const copy = UltraLogLog.decode(reader);
        expect(reader.position).toBe(bytes.length);
        expect(hex(copy)).toBe(Buffer.from(bytes).toString("hex"));
        expect([copy.estimate(), copy.isExact, copy.isEmpty]).toEqual([
          sketch.estimate(),
          sketch.isExact,
          sketch.isEmpty,
        ]);
      }),
      runs(150),
    );
  });

  it.each([3, 500, 3000])(
    "a decoded sketch of %i values and its clone share no memory with the bytes",
    (length) => {
      const bytes = Buffer.from(encoded(sketchOf(HASH_SETS.uniform!(SEED, length))));
      const before = bytes.toString("hex");
      const sketch = decoded(bytes);
      const copy = sketch.clone();
      for (const { hi, lo } of HASH_SETS.uniform!(SEED + 1, 100)) sketch.add(hi, lo);
      expect(hex(sketch)).not.toBe(before);
      expect(hex(copy)).toBe(before);
      expect(bytes.toString("hex")).toBe(before);
    },
  );

  it.each([
    { name: "empty", hashes: [], bytes: "10" },
    { name: "zero", hashes: [{ hi: 0, lo: 0 }], bytes: "11c000000800" },
    { name: "one value", hashes: [{ hi: 0x01234567, lo: 0x89abcdef }], bytes: "1101234567" },
    { name: "all ones", hashes: [{ hi: 0xffffffff, lo: 0xffffffff }], bytes: "11bfffffff80" },
    {
      name: "three, one with its rank in the low half",
      hashes: [
        { hi: 0xfff00000, lo: 0x00000001 },
        { hi: 0x80000000, lo: 0x80000000 },
        { hi: 0x7fffffff, lo: 0 },
      ],
      bytes: "13bfffffffc00100000001ffde",
    },
    {
      name: "sixteen multiples of 0x11111111",
      hashes: Array.from({ length: 16 }, (_, i) => ({ hi: i * 0x11111111, lo: 0 })),
      bytes:
        "1e10c44444471111110c44444431111110c44444431111110c44444431111110c44444431111110c44444431111110c44444431111110c44444400000080",
    },
  ])("version 1 golden bytes: $name", ({ hashes, bytes }) => {
    expect(hex(sketchOf(hashes))).toBe(bytes);
    expect(hex(decoded(Buffer.from(bytes, "hex")))).toBe(bytes);
  });

  it.each([
    { version: 1, length: 1024, sha256: "79e02ba885d5d416f5fa0058e78ee2a7d7dea94944bd58799e241cc114c225ea" },
    { version: 2, length: 1025, sha256: "04c622b0b2c01727446f2a6bfd25356fd0b8a28bc4e22c5085aa463810064135" },
    {
      version: 2,
      length: 50_000,
      sha256: "1bf556cf831f339cbb0d36e912a04137346f4a3c62f82ee1a06ad345208c3c98",
    },
  ])("version $version golden digest: $length values", ({ length, sha256 }) => {
    const bytes = encoded(sketchOf(HASH_SETS.uniform!(1, length)));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
  });

  it.each([
    { values: 0, atMost: 1 },
    { values: 1, atMost: 6 },
    { values: 10, atMost: 41 },
    { values: 100, atMost: 345 },
    { values: 1000, atMost: 3000 },
    { values: 1025, atMost: 750 },
    { values: 20_000, atMost: 2170 },
  ])("takes at most $atMost bytes for $values values", ({ values, atMost }) => {
    for (let seed = 1; seed <= (values < 2_000 ? 50 : 3); seed++)
      expect(encoded(sketchOf(HASH_SETS.uniform!(seed, values))).length).toBeLessThanOrEqual(atMost);
  });
});

describe("bytes that no sketch wrote", () => {
  it("a cut anywhere is a RangeError", () => {
    for (const length of [1, 2, 13, 14, 200, 1024, 1500]) {
      const bytes = encoded(sketchOf(HASH_SETS.uniform!(SEED, length)));
      for (let cut = 0; cut < bytes.length; cut++)
        expect(() => decoded(bytes.subarray(0, cut)), `${length} values cut at ${cut}`).toThrow(RangeError);
    }
  });

  it("any bytes are refused with a RangeError or are a sketch that survives a round trip", () => {
    let accepted = 0;
    let refused = 0;
    const flipped = fc.tuple(hashSet, fc.nat(), fc.nat({ max: 7 })).map(([hashes, at, bit]) => {
      const bytes = encoded(sketchOf(hashes));
      bytes[at % bytes.length]! ^= 1 << bit;
      return bytes;
    });
    const headed = fc
      .tuple(
        fc.oneof(fc.integer({ min: 0x10, max: 0x1f }), fc.constant(0x2f)),
        fc.uint8Array({ maxLength: 5000, size: "max" }),
      )
      .map(([head, rest]) => Uint8Array.from([head, ...rest]));
    fc.assert(
      fc.property(fc.oneof(flipped, headed, fc.uint8Array()), (bytes) => {
        let sketch: UltraLogLog;
        try {
          sketch = decoded(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          refused++;
          return;
        }
        accepted++;
        expect(hex(decoded(encoded(sketch)))).toBe(hex(sketch));
        expect(Number.isSafeInteger(sketch.estimate())).toBe(true);
      }),
      runs(400),
    );
    expect(accepted).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  });

  it.each([
    { name: "another version", bytes: "20" },
    { name: "no version", bytes: "00" },
    { name: "a count of 2^49", bytes: "1e8080808080808001" },
    { name: "a count of 1,025", bytes: `1e8108${"00".repeat(4000)}` },
    { name: "the long header for 13 values", bytes: `1e0d${"00".repeat(100)}` },
    { name: "an endless varint", bytes: `1e${"ff".repeat(5000)}` },
    { name: "endless ones", bytes: `11${"ff".repeat(5000)}` },
    { name: "ones and then a value past the last coupon", bytes: `11fe${"00".repeat(10)}` },
    { name: "a normal coupon whose rank is not in it", bytes: "1100000000" },
    { name: "a low half with 33 leading zeros", bytes: "11c000000840" },
    { name: "stray bits behind the last coupon", bytes: "11c000000801" },
    { name: "a rank beyond 53", bytes: `1f${"00".repeat(4095)}d8` },
    { name: "a register with rank 0 and memory", bytes: `1f${"00".repeat(4095)}01` },
    { name: "a register with rank 1 and memory", bytes: `1f${"00".repeat(4095)}06` },
    { name: "a register with rank 2 that saw rank 0", bytes: `1f${"00".repeat(4095)}09` },
  ])("refuses $name", ({ bytes }) => {
    expect(() => decoded(Buffer.from(bytes, "hex"))).toThrow(RangeError);
  });

  it("a single hash of nothing but zeros below its index counts as one, even if dense", () => {
    expect(decoded(Buffer.from(`1fd4${"00".repeat(4095)}`, "hex")).estimate()).toBe(1);
  });

  it("a sketch whose every register is full counts as the largest safe integer", () => {
    expect(decoded(Buffer.from(`1f${"d7".repeat(4096)}`, "hex")).estimate()).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe("the estimate", () => {
  it("states the error of the paper: sqrt(ln 2 / zeta(2, 5/4) / registers)", () => {
    let zeta = 0;
    for (let k = 1e6; k >= 0; k--) zeta += (k + 1.25) ** -2;
    zeta += 1 / (1e6 + 1.75); // the tail of the sum, as an integral from its midpoint
    expect(RELATIVE_ERROR).toBeCloseTo(Math.sqrt(Math.log(2) / zeta / 4096), 12);
  });

  /** Errors of `trials` estimates of `distinct`: their root mean square and their mean, as multiples of the theory. */
  const spread = (distinct: number, trials: number, fill: (sketch: UltraLogLog) => void) => {
    let squares = 0;
    let sum = 0;
    for (let trial = 0; trial < trials; trial++) {
      const sketch = new UltraLogLog();
      fill(sketch);
      const error = (sketch.estimate() / distinct - 1) / RELATIVE_ERROR;
      squares += error * error;
      sum += error;
    }
    const [rms, bias] = [Math.sqrt(squares / trials), sum / trials];
    console.log(
      `${distinct} distinct, ${trials} trials: rms ${rms.toFixed(3)}, bias ${bias.toFixed(3)} of theory`,
    );
    return { rms, bias };
  };

  it.each([2000, 10_000, 100_000])("keeps to the stated error with %i real hashes", (distinct) => {
    const next = random32(SEED);
    const { rms, bias } = spread(distinct, 300, (sketch) => {
      for (let i = 0; i < distinct; i++) sketch.add(next(), next());
    });
    expect(rms).toBeLessThan(1.1);
    expect(Math.abs(bias)).toBeLessThan(3 / Math.sqrt(300));
  });

  it("stays within four standard errors with a million real hashes", () => {
    const next = random32(SEED);
    for (let trial = 0; trial < 10; trial++) {
      const { rms } = spread(1e6, 1, (sketch) => {
        for (let i = 0; i < 1e6; i++) sketch.add(next(), next());
      });
      expect(rms).toBeLessThan(4);
    }
  });

  /*
   * Hundreds of trials with millions of hashes each would take minutes. If the number of hashes is Poisson distributed,
   * the ranks seen in the registers are independent, so one hash for each (register, rank) that occurred stands for all;
   * of these a register keeps the highest, which is drawn at once by its distribution, and the two below.
   */
  it.each([1e6, 1e7, 1e12])("keeps to the stated error with %d simulated hashes", (distinct) => {
    const next = random32(SEED);
    const absent = Array.from({ length: 54 }, (_, rank) =>
      rank === 0 ? 1 : Math.exp(-distinct / 4096 / 2 ** Math.min(rank, 52)),
    );
    const uniform = (): number => next() / 2 ** 32;
    /** Probability that no rank above is seen. */
    const noneAbove = absent.map((_, rank) => absent.slice(rank + 1).reduce((all, one) => all * one, 1));
    const { rms, bias } = spread(distinct, 300, (sketch) => {
      for (let index = 0; index < 4096; index++) {
        const drawn = uniform();
        const top = noneAbove.findIndex((probability) => drawn < probability);
        for (let rank = top; rank > Math.max(0, top - 3); rank--) {
          if (rank < top && uniform() < absent[rank]!) continue;
          const below = rank <= 20 ? 1 << (20 - rank) : 0;
          const lo = rank <= 20 || rank === 53 ? 0 : 2 ** (52 - rank);
          sketch.add((index << 20) | below, lo);
        }
      }
    });
    expect(rms).toBeLessThan(1.1);
    expect(Math.abs(bias)).toBeLessThan(3 / Math.sqrt(300));
  });

  it("does not jump where the sketch turns dense", () => {
    const next = random32(SEED);
    let sum = 0;
    for (let trial = 0; trial < 200; trial++) {
      const sketch = new UltraLogLog();
      for (let i = 0; i <= EXACT_LIMIT; i++) sketch.add(next(), next());
      expect(sketch.isExact).toBe(false);
      sum += sketch.estimate() / (EXACT_LIMIT + 1) - 1;
    }
    expect(Math.abs(sum / 200)).toBeLessThan((3 * RELATIVE_ERROR) / Math.sqrt(200));
  });
});
