/** A file on this disk as an import reads it: unpacked if it is packed, digested, and with its report beside it. */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { type FileHandle, open, stat, truncate, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { ClickstreamError } from "../../processors/errors.ts";
import type { Digest } from "../../processors/pipeline/import/chunks.ts";
import type { ImportFormat } from "../../processors/pipeline/import/detect.ts";
import type { ImportDeps, ImportSource } from "../../processors/pipeline/import/importer.ts";
import { parquetSource } from "../../processors/pipeline/import/parquetsource.ts";
import type { ImportOptions } from "../../processors/pipeline/import/row.ts";
import type { Mapping } from "../../processors/pipeline/import/table.ts";
import { textSource } from "../../processors/pipeline/import/textsource.ts";

export const sha256 = (): Digest => {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    current: () => hash.copy().digest("hex"),
  };
};

export interface FileSettings extends ImportOptions {
  readonly format: ImportFormat | "auto";
  readonly mapping?: Mapping | undefined;
  /** Told how many bytes of the file have been read, and of how many. */
  readonly onRead?: (bytes: number, of: number) => void;
}

const READ_BYTES = 1024 * 1024;
const MAGIC = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  parquet: [0x50, 0x41, 0x52, 0x31],
  zip: [0x50, 0x4b, 0x03, 0x04],
} as const;

/** Opens it. Throws `config` for what cannot be read or imported. */
export async function fileSource(
  path: string,
  settings: FileSettings,
): Promise<ImportSource & { readonly bytes: number }> {
  const { all, hostname, mapping, format } = settings;
  const bytes = await sizeOf(path);
  const read = (count: number): void => settings.onRead?.(count, bytes);
  const name = basename(path);
  const first = firstBytes(path);
  const begins = (kind: keyof typeof MAGIC): boolean => MAGIC[kind].every((byte, i) => first[i] === byte);
  if (begins("zip"))
    throw new ClickstreamError("config", `${path}: a zip archive: unpack it and import the files in it`);
  if (format === "parquet" || (format === "auto" && begins("parquet"))) {
    const file = await parquetFile(path, bytes, read);
    return { bytes, ...(await parquetSource({ name, file, newDigest: sha256, mapping, all, hostname })) };
  }
  const packing = begins("gzip") ? "gzip" : begins("zstd") ? "zstd" : "none";
  const plain = (): AsyncIterable<Uint8Array> => plainBytes(path, packing, read);
  return {
    bytes,
    ...(await textSource({ name, open: plain, newDigest: sha256, format, mapping, all, hostname })),
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (found.isFile()) return found.size;
  } catch (cause) {
    throw new ClickstreamError("config", `${path}: cannot be read`, { cause });
  }
  throw new ClickstreamError("config", `${path}: not a file`);
}

function firstBytes(path: string): Uint8Array {
  const bytes = new Uint8Array(4);
  try {
    const file = openSync(path, "r");
    readSync(file, bytes);
    closeSync(file);
  } catch (cause) {
    throw new ClickstreamError("config", `${path}: cannot be read`, { cause });
  }
  return bytes;
}

async function* plainBytes(
  path: string,
  packing: "gzip" | "zstd" | "none",
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let read = 0;
  const file = createReadStream(path, { highWaterMark: READ_BYTES });
  file.on("data", (part) => {
    read += part.length;
    onRead(read);
  });
  const unpack =
    packing === "gzip" ? createGunzip() : packing === "zstd" ? createZstdDecompress() : undefined;
  // A failing file must fail its reader too, and a reader that leaves must close the file.
  if (unpack) file.on("error", (error) => unpack.destroy(error));
  try {
    yield* (unpack ? file.pipe(unpack) : file) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new ClickstreamError("config", `${path}: cannot be read to its end`, { cause });
  } finally {
    file.destroy();
  }
}

async function parquetFile(path: string, byteLength: number, onRead: (bytes: number) => void) {
  const file = await open(path, "r");
  let furthest = 0;
  return {
    byteLength,
    async slice(start: number, end = byteLength): Promise<ArrayBuffer> {
      const bytes = new Uint8Array(end - start);
      await file.read(bytes, 0, bytes.length, start);
      furthest = Math.max(furthest, end);
      onRead(furthest);
      return bytes.buffer;
    },
  };
}

/** Lines that could not be used, as NDJSON beside the file; there is no such file where all could be. */
export function fileReport(
  path: string,
): ImportDeps["report"] & { readonly path: string; close(): Promise<void> } {
  const reportPath = `${path}.report.ndjson`;
  const name = basename(path);
  let file: FileHandle | undefined;
  let waiting: string[] = [];
  let length = 0;
  return {
    path: reportPath,
    async begin(from) {
      length = from;
      const known = await stat(reportPath).catch(() => undefined);
      // What a run that was broken off wrote beyond its last note is written again.
      if (known && known.size > from) await truncate(reportPath, from);
      else length = known?.size ?? 0;
    },
    add(line, reason) {
      waiting.push(`${JSON.stringify({ file: name, line, reason })}\n`);
    },
    async flush() {
      if (waiting.length === 0) return length;
      const text = waiting.join("");
      waiting = [];
      try {
        file ??= await open(reportPath, "a", 0o600);
        await file.appendFile(text);
        await file.datasync();
      } catch (cause) {
        throw new ClickstreamError("config", `${reportPath}: the report cannot be written`, { cause });
      }
      length += Buffer.byteLength(text);
      return length;
    },
    close: async () => file?.close(),
  };
}

/** The counts of a finished import, beside the file. */
export const writeSummary = (path: string, summary: unknown): Promise<void> =>
  writeFile(`${path}.report.json`, `${JSON.stringify(summary, null, 2)}\n`, { mode: 0o600 });
