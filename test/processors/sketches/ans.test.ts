/** The code gives back what it took, in about as few bits as the bytes have, and refuses what it did not write. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { CODED_LENGTH, readCoded, writeCoded } from "../../../processors/sketches/ans.ts";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";

const coded = (bytes: Uint8Array): Uint8Array => {
  const writer = new ByteWriter();
  writeCoded(writer, bytes);
  return writer.finish();
};
const read = (code: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(CODED_LENGTH);
  const reader = new ByteReader(code);
  readCoded(reader, bytes);
  expect(reader.done).toBe(true);
  return bytes;
};

/** Bytes of which some are much more frequent than others. */
const skewed = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.integer(), fc.integer({ min: 1, max: 8 }))
  .map(([alphabet, seed, steepness]) => {
    let state = seed | 1;
    return Uint8Array.from({ length: CODED_LENGTH }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const unit = (state >>> 8) / 2 ** 24;
      return alphabet[Math.floor(unit ** steepness * alphabet.length)]!;
    });
  });

it("any bytes come back", () => {
  const extremes = [
    new Uint8Array(CODED_LENGTH),
    new Uint8Array(CODED_LENGTH).fill(255),
    Uint8Array.from({ length: CODED_LENGTH }, (_, i) => i & 255),
    Uint8Array.from({ length: CODED_LENGTH }, (_, i) => (i === 4_095 ? 1 : 0)),
  ];
  for (const bytes of extremes) expect(read(coded(bytes))).toEqual(bytes);
  fc.assert(
    fc.property(skewed, (bytes) => Buffer.compare(read(coded(bytes)), bytes) === 0),
    { numRuns: 60 },
  );
});

it("takes within a hundredth of the entropy, beside its table of counts", () => {
  fc.assert(
    fc.property(skewed, (bytes) => {
      const counts = Map.groupBy(bytes, (byte) => byte);
      let bits = 0;
      for (const { length } of counts.values()) bits -= length * Math.log2(length / CODED_LENGTH);
      expect(coded(bytes).length).toBeLessThan(1.01 * (bits / 8) + 8 + 3 * counts.size);
    }),
    { numRuns: 60 },
  );
});

it("refuses another length, and a code that is cut; of a changed one it makes other bytes or a RangeError", () => {
  expect(() => coded(new Uint8Array(100))).toThrow("100 bytes");
  const code = coded(Uint8Array.from({ length: CODED_LENGTH }, (_, i) => (i * i) & 15));
  for (let cut = 0; cut < code.length; cut += 7)
    expect(() => read(code.subarray(0, cut)), `cut at ${cut}`).toThrow(RangeError);
  let refused = 0;
  for (let at = 0; at < code.length; at += 5) {
    const changed = code.slice();
    changed[at]! ^= 0x10;
    try {
      const bytes = new Uint8Array(CODED_LENGTH);
      readCoded(new ByteReader(changed), bytes);
      expect(read(coded(bytes))).toEqual(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(0);
});
