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

/** Writes strictly ascending integers, all at least `start`; 0 <= k <= 32. The reader must know their count and k. */
export function writeAscending(
  writer: ByteWriter,
  values: readonly number[],
  start: number,
  k: number,
): void {
  let pending = 0;
  let pendingBits = 0;
  const put = (value: number, bits: number): void => {
    pending = (pending << bits) | value;
    pendingBits += bits;
    while (pendingBits >= 8) {
      pendingBits -= 8;
      writer.byte((pending >>> pendingBits) & 0xff);
    }
    pending &= (1 << pendingBits) - 1;
  };
  const scale = 2 ** k;
  let next = start;
  if (values.length === 1 && k === 31) {
    // The most frequent case by far: 1 or 2 bits and 31 of the number, in five bytes at most.
    const gap = values[0]! - start;
    if (gap < scale) {
      writer.byte(gap >>> 24);
      writer.byte((gap >>> 16) & 0xff);
      writer.byte((gap >>> 8) & 0xff);
      writer.byte(gap & 0xff);
      return;
    }
  }
  for (const value of values) {
    const gap = value - next;
    next = value + 1;
    let ones = Math.floor(gap / scale);
    const rest = gap - ones * scale;
    // At most 16 bits at a time, so that `pending` never reaches the sign bit.
    for (; ones >= 15; ones -= 15) put(0x7fff, 15);
    put((2 << ones) - 2, ones + 1);
    if (k > 16) {
      put(rest >>> 16, k - 16);
      put(rest & 0xffff, 16);
    } else put(rest, k);
  }
  if (pendingBits > 0) put(0, 8 - pendingBits);
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
