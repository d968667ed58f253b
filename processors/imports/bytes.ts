/** What node does to the bytes of a file: digests and unpacks them. Knows neither disk nor bucket. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { ClickstreamError } from "../errors.ts";
import type { Digest } from "../pipeline/import/chunks.ts";
import type { Packing } from "../pipeline/import/source.ts";

export const sha256 = (): Digest => {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    current: () => hash.copy().digest("hex"),
  };
};

/** The plain bytes. Throws `config` where what is packed is broken or ends too early, and what `bytes` throws. */
export async function* unpacked(
  bytes: AsyncIterable<Uint8Array>,
  packing: Packing,
  name: string,
): AsyncGenerator<Uint8Array> {
  try {
    yield* packing === "gzip" ? gunzipped(bytes) : unframed(bytes);
  } catch (cause) {
    if (cause instanceof ClickstreamError) throw cause;
    throw new ClickstreamError("config", `${name}: ${packing} that cannot be read to its end`, { cause });
  }
}

async function* gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packed = Readable.from(bytes);
  const unpack = createGunzip();
  // A failing file must fail its reader too, and a reader that leaves must close the file.
  packed.on("error", (error) => unpack.destroy(error));
  try {
    yield* packed.pipe(unpack) as AsyncIterable<Uint8Array>;
  } finally {
    packed.destroy();
    unpack.destroy();
  }
}

/**
 * All frames of Zstandard, one after the other: whoever appends to a file, or packs on several processors, writes several.
 * https://www.rfc-editor.org/rfc/rfc8878#section-3.1. Node reads all of a gzip's members, and of these the first alone.
 */
async function* unframed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const parts = bytes[Symbol.asyncIterator]();
  const next = async (): Promise<Uint8Array | undefined> => {
    const { done, value } = await parts.next();
    return done ? undefined : value;
  };
  try {
    for (let part = await next(); part; ) {
      const frame = createZstdDecompress();
      const over = new Promise<void>((resolve) => frame.once("close", resolve));
      /** Of the frame, in parts before the one in hand. */
      let before = 0;
      const feed = async (): Promise<void> => {
        while (part) {
          const taken = new Promise<void>((resolve) => frame.write(part, () => resolve()));
          await Promise.race([taken, over]);
          const isTaken = frame.bytesWritten - before === part.length;
          if (!isTaken || frame.destroyed) return;
          before += part.length;
          part = await next();
        }
        frame.end();
      };
      const feeding = feed().catch((error: Error) => void frame.destroy(error));
      try {
        yield* frame as AsyncIterable<Uint8Array>;
      } finally {
        frame.destroy();
        await feeding;
      }
      part &&= part.subarray(frame.bytesWritten - before);
    }
  } finally {
    await parts.return?.();
  }
}
