/** Compresses values where that helps, for drivers that keep them on disk or on a wire; what a value means is not known here. */
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ClickstreamError } from "../errors.ts";

// The first byte of a packed value says how the rest is stored.
const PLAIN = 0;
const ZSTD = 1;

/** Below this the frame header eats what compression saves. */
const MIN_COMPRESSED_BYTES = 64;
/** zstd's own default: on rollups level 19 gains 7 % for 30 times the work. */
const LEVEL = 3;
/** Of an import's commits it makes 7 % more bytes in half the time. */
export const QUICK_LEVEL = 1;
/** The least that node:zlib takes, and what a header is trusted with: longer values come in several chunks. */
const MIN_CHUNK_BYTES = 64;
const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

/** One marker byte, then the value, compressed if that makes it shorter. */
export function pack(value: Uint8Array, level = LEVEL): Uint8Array<ArrayBuffer> {
  if (value.length >= MIN_COMPRESSED_BYTES) {
    const small = zstdCompressSync(value, {
      params: { [zlib.ZSTD_c_compressionLevel]: level },
      chunkSize: chunkOf(value.length),
    });
    if (small.length < value.length) return marked(ZSTD, small);
  }
  return marked(PLAIN, value);
}

/** The value that was packed. @throws ClickstreamError `invariant` for bytes that `pack` did not make. */
export function unpack(packed: Uint8Array): Uint8Array {
  const body = packed.subarray(1);
  if (packed[0] === PLAIN) return body;
  if (packed[0] !== ZSTD)
    throw new ClickstreamError(
      "invariant",
      `packed value: marker ${packed[0]}, expected ${PLAIN} or ${ZSTD}`,
    );
  try {
    const value = zstdDecompressSync(body, { chunkSize: chunkOf(contentSize(body)) });
    return new Uint8Array(value.buffer, value.byteOffset, value.length);
  } catch (cause) {
    throw new ClickstreamError("invariant", `packed value: ${body.length} bytes are not zstd`, { cause });
  }
}

/**
 * Room for the output. Node's own is 16 KB, which a value of 100 bytes would keep from being freed for as long as it lives.
 * A byte more than it takes, because node:zlib makes room for as much again when the last byte is taken.
 */
const chunkOf = (bytes: number): number => Math.min(Math.max(bytes + 1, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES);

/** What the header of a zstd frame says its content takes; MAX_CHUNK_BYTES where it is silent (RFC 8878, 3.1.1.1). */
function contentSize(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionaryId = [0, 1, 2, 4][descriptor & 3]!;
  const at = 5 + (isSingle ? 0 : 1) + dictionaryId;
  switch (descriptor >> 6) {
    case 0:
      return isSingle ? view.getUint8(at) : MAX_CHUNK_BYTES;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return MAX_CHUNK_BYTES;
  }
}

function marked(marker: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(body.length + 1);
  packed[0] = marker;
  packed.set(body, 1);
  return packed;
}
