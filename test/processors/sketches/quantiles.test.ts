import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";
import {
  MAX_VALUE,
  MIN_VALUE,
  QuantileSketch,
  RELATIVE_ACCURACY,
} from "../../../processors/sketches/quantiles.ts";
import { random01 } from "./hashes.ts";

const SEED = 20_261_123;
console.log(`quantile tests: seed ${SEED}`);
const runs = (numRuns: number): fc.Parameters<unknown> => ({ seed: SEED, numRuns });

const sketchOf = (values: readonly number[]): QuantileSketch => {
  const sketch = new QuantileSketch();
  for (const value of values) sketch.add(value);
  return sketch;
};
const sum = (...sketches: QuantileSketch[]): QuantileSketch => {
  const all = new QuantileSketch();
  for (const sketch of sketches) all.merge(sketch);
  return all;
};
const encoded = (sketch: QuantileSketch): Uint8Array => {
  const writer = new ByteWriter(16);
  sketch.encode(writer);
  return writer.finish();
};
const hex = (sketch: QuantileSketch): string => Buffer.from(encoded(sketch)).toString("hex");
const decoded = (bytes: Uint8Array): QuantileSketch => QuantileSketch.decode(new ByteReader(bytes));

const DISTRIBUTIONS: Readonly<Record<string, (uniform: () => number) => number>> = {
  uniform: (u) => 1000 * u(),
  exponential: (u) => -2000 * Math.log(u()),
  lognormal: (u) => Math.exp(6 + Math.sqrt(-2 * Math.log(u())) * Math.cos(2 * Math.PI * u())),
  pareto: (u) => Math.min(u() ** -2, MAX_VALUE),
  "whole milliseconds": (u) => Math.floor(300 * u()),
  constant: () => 42,
  "zero more often than not": (u) => (u() < 0.6 ? 0 : u()),
  "all magnitudes": (u) => 10 ** (24 * u() - 12),
  "two far peaks": (u) => (u() < 0.5 ? 1 + u() : MAX_VALUE * (1 - u() / 10)),
  "layout shifts": (u) => 0.3 * u() ** 3,
};
const drawn = (name: string, seed: number, size: number): number[] => {
  const uniform = random01(seed);
  return Array.from({ length: size }, () => DISTRIBUTIONS[name]!(uniform));
};
const valueSet = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...Object.keys(DISTRIBUTIONS)),
      fc.integer({ min: 1, max: 1e6 }),
      fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 500 })),
    )
    .map(([name, seed, size]) => drawn(name, seed, size)),
  fc.array(fc.double({ min: 0, max: MAX_VALUE, noNaN: true })),
);

describe("quantile", () => {
  it.each(Object.keys(DISTRIBUTIONS))("is within the stated accuracy of the true one: %s", (name) => {
    for (const size of [1, 2, 3, 100, 20_000]) {
      const values = drawn(name, SEED, size);
      const sketch = sketchOf(values);
      values.sort((a, b) => a - b);
      for (const q of [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1]) {
        const truth = values[Math.floor(q * (size - 1))]!;
        // The last summand is rounding: values at the very edge of a bin are off by exactly the accuracy.
        const allowed = truth <= MIN_VALUE ? truth : truth * (RELATIVE_ACCURACY + 1e-12);
        expect(Math.abs(sketch.quantile(q)! - truth), `${size} values, q ${q}`).toBeLessThanOrEqual(allowed);
      }
    }
  });

  it("holds for any single value, at the edges of bins too", () => {
    const gamma = 1.01 / 0.99;
    const edges = Array.from({ length: 2400 }, (_, i) => MIN_VALUE * gamma ** (i + 1));
    for (const edge of edges)
      for (const value of [edge * (1 - 2 ** -52), edge, edge * (1 + 2 ** -52)])
        expect(Math.abs(sketchOf([value]).quantile(0.5)! / value - 1)).toBeLessThanOrEqual(0.01 + 1e-12);
  });

  it("of nothing is undefined; of zeros is zero", () => {
    expect(new QuantileSketch().quantile(0.5)).toBeUndefined();
    expect(sketchOf([0, -0, MIN_VALUE]).quantile(1)).toBe(0);
    expect(sketchOf([0, 5]).quantile(0)).toBe(0);
  });

  it.each([-0.1, 1.1, Number.NaN])("of %d is a RangeError", (q) => {
    expect(() => sketchOf([1]).quantile(q)).toThrow(RangeError);
  });

  it("ranks as many values as were counted in one call", () => {
    const counted = new QuantileSketch();
    counted.add(7, 3);
    counted.add(0, 2);
    counted.add(900, 1);
    expect(hex(counted)).toBe(hex(sketchOf([7, 0, 7, 900, 0, 7])));
    expect(counted.count).toBe(6);
  });
});

describe("what add refuses", () => {
  it.each([-1, -1e-300, Number.NaN, Number.POSITIVE_INFINITY, MAX_VALUE * 1.001])("the value %d", (value) => {
    const sketch = sketchOf([1]);
    expect(() => sketch.add(value)).toThrow(RangeError);
    expect(hex(sketch)).toBe(hex(sketchOf([1])));
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])("the count %d", (count) => {
    expect(() => new QuantileSketch().add(1, count)).toThrow(RangeError);
  });

  it("a total that is no longer exact, in add and in merge, and then changes nothing", () => {
    const sketch = new QuantileSketch();
    sketch.add(1, Number.MAX_SAFE_INTEGER);
    const bytes = hex(sketch);
    expect(() => sketch.add(0)).toThrow(RangeError);
    expect(() => sketch.merge(sketchOf([5]))).toThrow(RangeError);
    expect(hex(sketch)).toBe(bytes);
  });
});

it("no bin depends on the last bits of the machine's logarithm", () => {
  const values = Object.keys(DISTRIBUTIONS).flatMap((name) => drawn(name, SEED, 500));
  const bytes = hex(sketchOf(values));
  const log = Math.log;
  try {
    for (const factor of [1 - 1e-3, 1 - 1e-14, 1 + 1e-14, 1 + 1e-3]) {
      Math.log = (x) => log(x) * factor;
      expect(hex(sketchOf(values))).toBe(bytes);
    }
  } finally {
    Math.log = log;
  }
});

describe("merge", () => {
  it("of any split equals adding everything to one sketch", () => {
    fc.assert(
      fc.property(valueSet, valueSet, (x, y) => {
        expect(hex(sum(sketchOf(x), sketchOf(y)))).toBe(hex(sketchOf([...x, ...y])));
        expect(hex(sketchOf([...x].reverse()))).toBe(hex(sketchOf(x)));
      }),
      runs(200),
    );
  });

  it("is associative and commutative, empty is its identity, and `other` is left alone", () => {
    fc.assert(
      fc.property(valueSet, valueSet, valueSet, (x, y, z) => {
        const [a, b, c] = [sketchOf(x), sketchOf(y), sketchOf(z)];
        const before = [a, b, c].map(hex);
        expect(hex(sum(a, sum(b, c)))).toBe(hex(sum(sum(a, b), c)));
        expect(hex(sum(a, b))).toBe(hex(sum(b, a)));
        const copy = a.clone();
        copy.merge(new QuantileSketch());
        expect(hex(copy)).toBe(before[0]);
        copy.merge(b);
        copy.add(3);
        expect([a, b, c].map(hex)).toEqual(before);
      }),
      runs(200),
    );
  });

  it("with itself counts everything twice", () => {
    const sketch = sketchOf([0, 1, 2, 2]);
    sketch.merge(sketch);
    expect(hex(sketch)).toBe(hex(sketchOf([0, 1, 2, 2, 0, 1, 2, 2])));
  });

  it("refuses another accuracy and names both, even when the other is empty", () => {
    expect(() => sketchOf([1]).merge(new QuantileSketch(0.02))).toThrow(
      "cannot merge accuracy 0.02 into 0.01",
    );
  });
});

it.each([0.001, 0.005, 0.02, 0.1])("another accuracy holds too: %d", (accuracy) => {
  const values = drawn("lognormal", SEED, 2000);
  const sketch = new QuantileSketch(accuracy);
  for (const value of values) sketch.add(value);
  values.sort((a, b) => a - b);
  const copy = decoded(encoded(sketch));
  copy.merge(sketch.clone());
  expect([copy.count, copy.relativeAccuracy]).toEqual([4000, accuracy]);
  for (const q of [0, 0.5, 0.99, 1])
    expect(Math.abs(sketch.quantile(q)! / values[Math.floor(q * 1999)]! - 1)).toBeLessThanOrEqual(
      accuracy + 1e-12,
    );
});

it.each([0, -0.01, 0.2, 0.00999, Number.NaN])("an accuracy of %d is a RangeError", (accuracy) => {
  expect(() => new QuantileSketch(accuracy)).toThrow(RangeError);
});

describe("encoding", () => {
  it("decode gives back what encode wrote, and reads not one byte more", () => {
    fc.assert(
      fc.property(valueSet, (x) => {
        const sketch = sketchOf(x);
        const bytes = encoded(sketch);
        const reader = new ByteReader(Buffer.concat([bytes, Buffer.from([0xff])]));
        const copy = QuantileSketch.decode(reader);
        expect(reader.position).toBe(bytes.length);
        expect(hex(copy)).toBe(Buffer.from(bytes).toString("hex"));
        expect([copy.count, copy.isEmpty, copy.quantile(0.75)]).toEqual([
          x.length,
          x.length === 0,
          sketch.quantile(0.75),
        ]);
      }),
      runs(200),
    );
  });

  it.each([
    { name: "empty", values: [], bytes: "10" },
    { name: "two zeros", values: [0, 1e-9], bytes: "1202" },
    { name: "the smallest value above zero", values: [1.0000001e-9], bytes: "14010001" },
    { name: "one", values: [1], bytes: "14018c0801" },
    { name: "the largest value", values: [1e12], bytes: "1401f11201" },
    {
      name: "a mixture",
      values: [0, 0.05, 0.1, 0.1, 1200, 1201, 2500, 86_400_000],
      bytes: "160105f60622d4032489040102020101",
    },
  ])("version 1 golden bytes: $name", ({ values, bytes }) => {
    expect(hex(sketchOf(values))).toBe(bytes);
    expect(hex(decoded(Buffer.from(bytes, "hex")))).toBe(bytes);
  });

  it("version 1 golden bytes: another accuracy, empty", () => {
    expect(hex(new QuantileSketch(0.02))).toBe("11c801");
  });
});

describe("bytes that no sketch wrote", () => {
  it("a cut anywhere is a RangeError", () => {
    const bytes = encoded(sketchOf([0, ...drawn("all magnitudes", SEED, 400)]));
    for (let cut = 0; cut < bytes.length; cut++)
      expect(() => decoded(bytes.subarray(0, cut)), `cut at ${cut}`).toThrow(RangeError);
  });

  it("any bytes are refused with a RangeError or are a sketch that survives a round trip", () => {
    let accepted = 0;
    let refused = 0;
    const flipped = fc.tuple(valueSet, fc.nat(), fc.nat({ max: 7 })).map(([values, at, bit]) => {
      const bytes = encoded(sketchOf(values));
      bytes[at % bytes.length]! ^= 1 << bit;
      return bytes;
    });
    const headed = fc
      .tuple(fc.integer({ min: 0x10, max: 0x17 }), fc.uint8Array({ maxLength: 300 }))
      .map(([head, rest]) => Uint8Array.from([head, ...rest]));
    fc.assert(
      fc.property(fc.oneof(flipped, headed, fc.uint8Array()), (bytes) => {
        let sketch: QuantileSketch;
        try {
          sketch = decoded(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          refused++;
          return;
        }
        accepted++;
        expect(hex(decoded(encoded(sketch)))).toBe(hex(sketch));
      }),
      runs(1000),
    );
    expect(accepted).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(50);
  });

  it.each([
    { name: "another version", bytes: "20" },
    { name: "an unknown part", bytes: "18" },
    { name: "zeros that are none", bytes: "1200" },
    { name: "bins that are none", bytes: "1400" },
    { name: "an empty bin", bytes: "14010100" },
    { name: "a bin past the last", bytes: "1401f21201" },
    { name: "2^49 bins", bytes: `14808080808080800100${"00".repeat(3000)}` },
    { name: "the default accuracy written out", bytes: "1164" },
    { name: "an accuracy of 0", bytes: "1100" },
    { name: "an accuracy of 2^49", bytes: "118080808080808001" },
    { name: "more values than 2^53 - 1", bytes: "14020000ffffffffffffff0f01" },
  ])("refuses $name", ({ bytes }) => {
    expect(() => decoded(Buffer.from(bytes, "hex"))).toThrow(RangeError);
  });
});
