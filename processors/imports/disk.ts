/** A file on this machine. */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { ClickstreamError } from "../errors.ts";
import type { RawFile } from "./rawfile.ts";

const READ_BYTES = 1024 * 1024;

/** Throws `config` when there is no such file. `onRead` is told how many bytes have been read, and of how many. */
export async function diskFile(
  path: string,
  onRead: (bytes: number, of: number) => void = () => {},
): Promise<RawFile> {
  const byteLength = await sizeOf(path);
  const unreadable = (cause: unknown): never => {
    throw new ClickstreamError("config", `${path}: cannot be read to its end`, { cause });
  };
  let furthest = 0;
  return {
    name: basename(path),
    byteLength,
    async *stream() {
      let read = 0;
      const file = createReadStream(path, { highWaterMark: READ_BYTES });
      file.on("data", (part) => {
        read += part.length;
        onRead(read, byteLength);
      });
      try {
        yield* file as AsyncIterable<Uint8Array>;
      } catch (cause) {
        unreadable(cause);
      } finally {
        file.destroy();
      }
    },
    async slice(start, end = byteLength) {
      const bytes = new Uint8Array(end - start);
      const file = await open(path, "r").catch(unreadable);
      try {
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
        if (bytesRead < bytes.length) unreadable(new Error(`it ends at ${start + bytesRead}, not at ${end}`));
      } finally {
        await file.close();
      }
      furthest = Math.max(furthest, end);
      onRead(furthest, byteLength);
      return bytes.buffer;
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ClickstreamError("config", `${path}: cannot be read`, { cause });
  });
  if (!found.isFile()) throw new ClickstreamError("config", `${path}: not a file`);
  return found.size;
}
