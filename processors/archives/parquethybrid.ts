/** The format's encoding of small numbers, of levels and of places in a dictionary: long runs by their length, the rest packed to a few bits. */
import type { ByteWriter } from "hyparquet-writer";
import type { Runs } from "./runs.ts";

/** As many numbers are packed at a time, and as long a run takes less by its length. */
const GROUP = 8;

/**
 * Appends `numbers[run]` for each row of a run of `column`, each of at most so many bits; returns how many bytes it took.
 * https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
 */
export function writeHybrid(
  page: ByteWriter,
  column: Runs,
  numbers: ArrayLike<number>,
  bits: number,
): number {
  const start = page.index;
  const { length } = column;
  for (let row = 0, run = 0; row < length; ) {
    const end = column.end(run);
    if (end - row >= GROUP) {
      page.appendVarInt((end - row) << 1);
      for (let shift = 0; shift < bits; shift += 8) page.appendUint8(numbers[run]! >>> shift);
      row = end;
      run++;
      continue;
    }
    let until = row;
    for (let last = run; until < length && column.end(last) - until < GROUP; ) {
      until += GROUP;
      while (until < length && column.end(last) <= until) last++;
    }
    page.appendVarInt((((until - row) / GROUP) << 1) | 1);
    page.ensure(((until - row) / GROUP) * bits);
    const { view } = page;
    let at = page.index;
    let packed = 0;
    let packedBits = 0;
    while (row < until) {
      // The last group is filled up with zeros.
      const number = row < length ? numbers[run]! : 0;
      const to = row < length ? Math.min(column.end(run), until) : until;
      for (; row < to; row++) {
        packed |= number << packedBits;
        for (packedBits += bits; packedBits >= 8; packedBits -= 8) {
          view.setUint8(at++, packed);
          packed >>>= 8;
        }
      }
      if (row >= column.end(run)) run++;
    }
    page.offset = page.index = at;
    row = Math.min(row, length);
  }
  return page.index - start;
}
