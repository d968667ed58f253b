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
  const packed = Readable.from(bytes);
  const unpack = packing === "gzip" ? createGunzip() : createZstdDecompress();
  // A failing file must fail its reader too, and a reader that leaves must close the file.
  packed.on("error", (error) => unpack.destroy(error));
  try {
    yield* packed.pipe(unpack) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (cause instanceof ClickstreamError) throw cause;
    throw new ClickstreamError("config", `${name}: ${packing} that cannot be read to its end`, { cause });
  } finally {
    packed.destroy();
    unpack.destroy();
  }
}
