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

/** One marker byte, then the value, compressed if that makes it shorter. */
export function pack(value: Uint8Array): Uint8Array<ArrayBuffer> {
  if (value.length >= MIN_COMPRESSED_BYTES) {
    const small = zstdCompressSync(value, { params: { [zlib.ZSTD_c_compressionLevel]: LEVEL } });
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
    const value = zstdDecompressSync(body);
    return new Uint8Array(value.buffer, value.byteOffset, value.length);
  } catch (cause) {
    throw new ClickstreamError("invariant", `packed value: ${body.length} bytes are not zstd`, { cause });
  }
}

function marked(marker: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(body.length + 1);
  packed[0] = marker;
  packed.set(body, 1);
  return packed;
}
