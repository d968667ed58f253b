/** Sketches whose values are named by number: the same sketches in fewer bytes, and nothing else is read as one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";
import { NumberSet } from "../../../processors/sketches/numberset.ts";
import { gapBits, readAscending, writeAscending } from "../../../processors/sketches/rice.ts";
import { Roster } from "../../../processors/sketches/roster.ts";
import { UltraLogLog } from "../../../processors/sketches/ultraloglog.ts";
import { Random } from "../../kit/random.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_129);

const written = (write: (writer: ByteWriter) => void): Uint8Array => {
  const writer = new ByteWriter();
  write(writer);
  return writer.finish();
};
const plain = (sketch: UltraLogLog): string =>
  Buffer.from(written((to) => sketch.encode(to))).toString("hex");

const rosterOf = (sketches: readonly UltraLogLog[]): Roster => {
  const values = new NumberSet();
  for (const sketch of sketches) sketch.tell(values);
  return Roster.of(values);
};

const numbers = (...values: number[]): NumberSet => {
  const set = new NumberSet();
  for (const value of values) set.add(value);
  return set;
};

/** `count` sketches of people out of `crowd`; the later, the fewer. */
function crowd(seed: number, people: number, count: number): UltraLogLog[] {
  const random = new Random(seed);
  const hashes = Array.from({ length: people }, () => [random.uint32(), random.uint32()] as const);
  return Array.from({ length: count }, (_, i) => {
    const sketch = new UltraLogLog();
    for (const [hi, lo] of hashes) if (random.below(i + 1) === 0) sketch.add(hi, lo);
    return sketch;
  });
}

it("a set of numbers holds each once, lowest first, zero and beyond 32 bits too", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer(), fc.nat(300), fc.constant(2 ** 31 + 7))), (values) => {
      const set = numbers(...values);
      const once = [...new Set(values)].sort((a, b) => a - b);
      expect(set.ascending()).toEqual(once);
      expect(set.size).toBe(once.length);
    }),
    { seed: SEED },
  );
});

describe("sketches named by a roster", () => {
  it.each([0, 1, 2, 117, 1_024, 1_500, 70_000])("are read as they were, of %i people", (people) => {
    const sketches = crowd(SEED + people, people, 12);
    const stored = Roster.decode(new ByteReader(written((to) => rosterOf(sketches).encode(to))));
    const bytes = written((to) => {
      for (const sketch of sketches) sketch.encodeNamed(to, rosterOf(sketches));
    });
    const reader = new ByteReader(bytes);
    for (const sketch of sketches) expect(plain(UltraLogLog.decode(reader, stored))).toBe(plain(sketch));
    expect(reader.done).toBe(true);
  });

  it("take a quarter of the bytes where a hundred people stand under twenty values each", () => {
    const sketches = crowd(SEED, 100, 20).flatMap((sketch) => [sketch, sketch, sketch]);
    const roster = rosterOf(sketches);
    const named = written((to) => {
      roster.encode(to);
      for (const sketch of sketches) sketch.encodeNamed(to, roster);
    });
    const alone = written((to) => {
      for (const sketch of sketches) sketch.encode(to);
    });
    expect(named.length).toBeLessThan(alone.length / 4);
  });

  it("need their roster: without, with another, or cut anywhere they are a RangeError or another sketch", () => {
    const [, sketch] = crowd(SEED, 60, 2);
    const roster = rosterOf(crowd(SEED, 60, 1));
    const bytes = written((to) => sketch!.encodeNamed(to, roster));
    expect(() => UltraLogLog.decode(new ByteReader(bytes))).toThrow("version 3");
    expect(() => UltraLogLog.decode(new ByteReader(bytes), Roster.of(numbers(5)))).toThrow(RangeError);
    for (let length = 0; length < bytes.length; length++)
      expect(() => UltraLogLog.decode(new ByteReader(bytes.subarray(0, length)), roster)).toThrow(RangeError);
    const stored = written((to) => roster.encode(to));
    const cut = Roster.decode(new ByteReader(Uint8Array.of(60, 3, ...stored.subarray(2, 5))));
    expect(() => UltraLogLog.decode(new ByteReader(bytes), cut)).toThrow(RangeError);
  });

  it("that hold what the roster lacks are a RangeError that names it, more or fewer than it", () => {
    const [all] = crowd(SEED, 100, 1);
    for (const people of [1, 100, 200]) {
      const others = rosterOf(crowd(SEED + 1, people, 1));
      expect(() => written((to) => all!.encodeNamed(to, others))).toThrow(
        new RegExp(`^value -?\\d+ is none of the ${people} of the roster$`),
      );
    }
  });
});

describe("ascending numbers", () => {
  it("are read back for every k, and cost about what their set needs with the best", () => {
    const sets = fc.uniqueArray(fc.nat(5_000), { maxLength: 200 });
    fc.assert(
      fc.property(sets, fc.integer({ min: 0, max: 32 }), (set, k) => {
        const values = set.sort((a, b) => a - b);
        const bytes = written((to) => writeAscending(to, values, 0, k));
        expect(readAscending(new ByteReader(bytes), values.length, 0, k)).toEqual(values);
      }),
      { seed: SEED },
    );
    const random = new Random(SEED);
    for (const share of [0.01, 0.1, 0.3, 0.5]) {
      const values = Array.from({ length: 20_000 }, (_, i) => i).filter(() => random.chance(share));
      const bytes = written((to) => writeAscending(to, values, 0, gapBits(20_000, values.length)));
      const entropy = -(share * Math.log2(share) + (1 - share) * Math.log2(1 - share)) * 20_000;
      expect(bytes.length * 8, `${share}`).toBeLessThan(1.15 * entropy);
    }
  });
});
