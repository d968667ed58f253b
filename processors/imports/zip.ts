/** Opens zip archives of a few files, all in memory. */
import { unzipSync } from "fflate";
import { ClickstreamError } from "../errors.ts";

/**
 * The files that `wants` wants by their names, each with its bytes. Throws `config` for what is no archive, or holds more
 * than `maxBytes` of such files.
 */
export function unzipped(
  name: string,
  bytes: Uint8Array,
  { wants, maxBytes }: { readonly wants: (file: string) => boolean; readonly maxBytes: number },
): [file: string, content: Uint8Array][] {
  let left = maxBytes;
  try {
    const files = unzipSync(bytes, {
      filter: (file) => {
        if (!wants(file.name)) return false;
        left -= file.originalSize;
        if (left < 0)
          throw new ClickstreamError("config", `${name}: holds over ${maxBytes / 2 ** 20} MB of tables`);
        return true;
      },
    });
    return Object.entries(files);
  } catch (cause) {
    if (cause instanceof ClickstreamError) throw cause;
    throw new ClickstreamError("config", `${name}: a zip archive that cannot be read`, { cause });
  }
}
