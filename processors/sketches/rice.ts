/** Golomb-Rice code: sorted whole numbers in nearly as few bits as their set needs. Knows nothing of what they mean. */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { trimmed } from "./sorted.ts";

/*
 * The gap to each number (0 for the very next one) is written as gap >> k in unary, ones and then a zero, followed by
 * the low k bits, high bits first. The last byte is filled with zeros, so equal numbers give equal bytes. Numbers spread
 * evenly cost least with k about log2 of their mean gap.
 */

/** The best k for `count` numbers among the first `size`, a power of two near 0.7 times their mean gap. */
export const gapBits = (size: number, count: number): number =>
  count === 0 ? 0 : Math.max(0, 31 - Math.clz32(Math.floor((0.7 * (size - count)) / count)));

/** Where numbers are written first: a method call for each byte would cost more than the code itself. */
let scratch = new Uint8Array(1 << 13);

/** Writes strictly ascending integers, all at least `start`; 0 <= k <= 32. The reader must know their count and k. */
export function writeAscending(
  writer: ByteWriter,
  values: readonly number[],
  start: number,
  k: number,
): void {
  if (values.length === 0) return;
  const scale = 2 ** k;
  // k bits and the end of a gap for each number; all gaps together are no more than the last number.
  const bits = values.length * (k + 1) + (values.at(-1)! - start) / scale;
  if (bits / 8 + 8 > scratch.length) scratch = new Uint8Array(bits / 4 + 8);
  const bytes = scratch;
  let at = 0;
  let pending = 0;
  let pendingBits = 0;
  let next = start;
  for (let i = 0; i < values.length; i++) {
    const gap = values[i]! - next;
    next += gap + 1;
    let ones = Math.floor(gap / scale);
    const rest = gap - ones * scale;
    for (; ones >= 8; ones -= 8) {
      pending = (pending << 8) | 0xff;
      bytes[at++] = pending >>> pendingBits;
    }
    pending = (pending << (ones + 1)) | ((2 << ones) - 2);
    pendingBits += ones + 1;
    // At most 16 bits at a time beside the 16 that may wait.
    for (let left = k; left > 0; ) {
      const taken = left > 16 ? left - 16 : left;
      while (pendingBits >= 8) {
        pendingBits -= 8;
        bytes[at++] = pending >>> pendingBits;
      }
      left -= taken;
      pending = (pending << taken) | ((left > 0 ? rest >>> left : rest) & ((1 << taken) - 1));
      pendingBits += taken;
    }
    while (pendingBits >= 8) {
      pendingBits -= 8;
      bytes[at++] = pending >>> pendingBits;
    }
  }
  if (pendingBits > 0) bytes[at++] = pending << (8 - pendingBits);
  writer.bytes(bytes.subarray(0, at));
}

/** Reads `count` numbers that writeAscending wrote with the same `start` and `k`. RangeError for other bytes. */
export function readAscending(reader: ByteReader, count: number, start: number, k: number): number[] {
  let pending = 0;
  let pendingBits = 0;
  const take = (bits: number): number => {
    while (pendingBits < bits) {
      pending = (pending << 8) | reader.byte();
      pendingBits += 8;
    }
    pendingBits -= bits;
    const value = pending >>> pendingBits;
    pending &= (1 << pendingBits) - 1;
    return value;
  };
  const values: number[] = [];
  const scale = 2 ** k;
  let next = start;
  while (values.length < count) {
    let ones = 0;
    while (take(1) === 1) ones++;
    const rest = k > 16 ? take(k - 16) * 0x10000 + take(16) : take(k);
    const value = next + ones * scale + rest;
    values.push(value);
    next = value + 1;
  }
  if (pending !== 0) throw new RangeError("stray bits after the last number");
  return trimmed(values);
}
