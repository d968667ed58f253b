/**
 * Entropy code for bytes that are drawn alike: close to as few bits as their distribution allows. Range variant of
 * asymmetric numeral systems: J. Duda, arXiv 1311.2540, with the byte-wise renormalisation of F. Giesen, arXiv
 * 1402.3392. Knows nothing of what the bytes mean.
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";

/** Frequencies add up to this many; so that of 4,096 bytes they are plain counts, and no rounding depends on anything. */
export const CODED_LENGTH = 1 << 12;
const BITS = 12;
/** The state stays in [LOW, 256 * LOW), within 31 bits. */
const LOW = 1 << 23;
const STATE_BYTES = 4;
const MAX_STATE = 2 ** 31 - 1;

/*
 * Layout: how many values occur, less one; for each, upwards, the gap to the one before and how often it occurs; then
 * the state and the bytes that feed it. The encoder goes through the bytes from the last to the first, and writes
 * backwards, because the decoder takes out last what was put in first.
 */

const counts = new Uint16Array(256);
/** Twelve bits each at the most, when they are all different; and the state. */
const scratch = new Uint8Array((CODED_LENGTH * BITS) / 8 + STATE_BYTES);

/** Writes CODED_LENGTH bytes; equal bytes in equal order give equal code. RangeError for another length. */
export function writeCoded(writer: ByteWriter, bytes: Uint8Array): void {
  if (bytes.length !== CODED_LENGTH)
    throw new RangeError(`${bytes.length} bytes to code, needs ${CODED_LENGTH}`);
  counts.fill(0);
  for (let i = 0; i < CODED_LENGTH; i++) counts[bytes[i]!]!++;
  const starts = new Uint16Array(256);
  let occurring = 0;
  for (let value = 0, start = 0; value < 256; value++) {
    starts[value] = start;
    start += counts[value]!;
    if (counts[value] !== 0) occurring++;
  }
  writer.byte(occurring - 1);
  for (let value = 0, next = 0; value < 256; value++) {
    if (counts[value] === 0) continue;
    writer.byte(value - next);
    writer.varint(counts[value]!);
    next = value + 1;
  }
  // One value alone is told by its count.
  if (occurring === 1) return;
  let at = scratch.length;
  let state = LOW;
  for (let i = CODED_LENGTH - 1; i >= 0; i--) {
    const value = bytes[i]!;
    const count = counts[value]!;
    const most = (LOW >>> BITS) * 256 * count;
    while (state >= most) {
      scratch[--at] = state & 0xff;
      state >>>= 8;
    }
    const times = (state / count) | 0;
    state = (times << BITS) + (state - times * count) + starts[value]!;
  }
  for (let i = 0; i < STATE_BYTES; i++) {
    scratch[--at] = state & 0xff;
    state >>>= 8;
  }
  writer.block(scratch.subarray(at));
}

const valueAt = new Uint8Array(CODED_LENGTH);
const startOf = new Uint16Array(256);

/** Reads what `writeCoded` wrote into the CODED_LENGTH bytes of `into`. RangeError for what it cannot have written. */
export function readCoded(reader: ByteReader, into: Uint8Array): void {
  const occurring = reader.byte() + 1;
  let start = 0;
  for (let left = occurring, next = 0; left > 0; left--) {
    const value = next + reader.byte();
    const count = reader.varint();
    if (value > 255 || count < 1 || count > CODED_LENGTH - start)
      throw new RangeError(`coded bytes: ${count} times ${value} after ${start} of ${CODED_LENGTH}`);
    counts[value] = count;
    startOf[value] = start;
    valueAt.fill(value, start, start + count);
    start += count;
    next = value + 1;
  }
  if (start !== CODED_LENGTH) throw new RangeError(`coded bytes: counts add up to ${start}`);
  if (occurring === 1) {
    into.fill(valueAt[0]!);
    return;
  }
  const code = reader.block();
  let at = STATE_BYTES;
  let state = ((code[0]! << 24) | (code[1]! << 16) | (code[2]! << 8) | code[3]!) & MAX_STATE;
  for (let i = 0; i < CODED_LENGTH; i++) {
    const slot = state & (CODED_LENGTH - 1);
    const value = valueAt[slot]!;
    into[i] = value;
    state = counts[value]! * (state >>> BITS) + slot - startOf[value]!;
    // Beyond the end zeros follow; that there were any is seen below.
    while (state < LOW) state = (state << 8) | (code[at++]! | 0) || LOW;
  }
  if (state !== LOW || at !== code.length) throw new RangeError("coded bytes do not end where they began");
}
