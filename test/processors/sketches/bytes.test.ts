import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";

describe("a byte writer", () => {
  it("writes integers as LEB128 of any size reads them", () => {
    const edges = [0, 1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35 + 5, 2 ** 53 - 1];
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat()), (value) => {
        const writer = new ByteWriter(1);
        writer.varint(value);
        const expected: number[] = [];
        for (let rest = BigInt(value); ; rest >>= 7n) {
          expected.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
          if (rest <= 0x7fn) break;
        }
        expect([...writer.finish()]).toEqual(expected);
        expect(new ByteReader(writer.finish()).varint()).toBe(value);
      }),
    );
  });

  it("writes integers of fixed lengths, which read as they were", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.maxSafeNat(), (word, hash) => {
        const writer = new ByteWriter(1);
        writer.uint32(word);
        writer.uint32(word | 0);
        writer.uint53(hash);
        const bytes = writer.finish();
        expect(Buffer.from(bytes).readUInt32LE(4)).toBe(word);
        expect(Number(Buffer.from([...bytes.subarray(8), 0]).readBigUInt64LE())).toBe(hash);
        const reader = new ByteReader(bytes);
        expect([reader.uint32(), reader.uint32(), reader.uint53(), reader.done]).toEqual([
          word,
          word,
          hash,
          true,
        ]);
      }),
    );
    expect(() => new ByteReader(new Uint8Array(7).fill(255)).uint53()).toThrow(RangeError);
  });

  it("writes texts of any length and script, which read as they were, from the middle of a buffer too", () => {
    const texts = fc.oneof(
      fc.string({ unit: fc.constantFrom("a", "é", "가", "😀", "\ufeff"), maxLength: 150 }),
      fc.string({ unit: fc.constantFrom("a", "/", "\u007f"), maxLength: 150 }),
      fc.constantFrom("\ufeff", "\ufeffpage", "123456789012", "1234567890123", "\u00e9".repeat(64)),
    );
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 4 }), fc.nat(20), (values, before) => {
        const writer = new ByteWriter(1);
        writer.bytes(new Uint8Array(before).fill(255));
        for (const value of values) writer.text(value);
        const reader = new ByteReader(writer.finish().subarray(before));
        expect(values.map(() => reader.text())).toEqual(values);
        expect(reader.done).toBe(true);
      }),
      { numRuns: 40 },
    );
    expect(() => new ByteReader(Uint8Array.of(3, 97, 98)).text()).toThrow(RangeError);
  });

  it.each([0, 1, 127, 128, 129, 16_383, 16_384, 100_000])(
    "measures %i bytes as a block of them",
    (length) => {
      const bytes = Uint8Array.from({ length }, (_, i) => i % 251);
      const [block, measured] = [new ByteWriter(1), new ByteWriter(1)];
      block.byte(7);
      block.block(bytes);
      block.byte(8);
      measured.byte(7);
      measured.measured(() => measured.bytes(bytes));
      measured.byte(8);
      expect(Buffer.compare(measured.finish(), block.finish())).toBe(0);
    },
  );

  it("writes the lengths of parts before them, whatever room was left", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (parts) => {
        const [together, apart] = [new ByteWriter(1), new ByteWriter(1)];
        together.byte(7);
        together.parts(parts, (part, writer) => writer.bytes(part));
        together.byte(8);
        apart.byte(7);
        for (const { length } of parts) apart.varint(length);
        for (const part of parts) apart.bytes(part);
        apart.byte(8);
        expect(Buffer.compare(together.finish(), apart.finish())).toBe(0);
      }),
    );
  });
});
