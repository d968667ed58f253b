/** A file on this disk as an import reads it, with its report beside it. */
import { type FileHandle, open, stat, truncate, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { ClickstreamError } from "../../processors/errors.ts";
import { sha256, unpacked } from "../../processors/imports/bytes.ts";
import { diskFile } from "../../processors/imports/disk.ts";
import type { ImportDeps, ImportSource } from "../../processors/pipeline/import/importer.ts";
import { importSource, type SourceSettings } from "../../processors/pipeline/import/source.ts";

export interface FileSettings extends SourceSettings {
  /** Told how many bytes of the file have been read, and of how many. */
  readonly onRead?: (bytes: number, of: number) => void;
}

/** Opens it. Throws `config` for what cannot be read or imported. */
export const fileSource = async (path: string, settings: FileSettings): Promise<ImportSource> =>
  importSource(await diskFile(path, settings.onRead), { newDigest: sha256, unpacked }, settings);

/** How a file begins, and how long it is. Throws `config` for what cannot be read. */
export async function fileSlice(
  path: string,
  most: number,
): Promise<{ readonly bytes: Uint8Array; readonly size: number }> {
  const file = await diskFile(path);
  const bytes = new Uint8Array(await file.slice(0, Math.min(most, file.byteLength)));
  return { bytes, size: file.byteLength };
}

/** Lines that could not be used, as NDJSON beside the file; there is no such file where all could be. */
export function fileReport(
  path: string,
): ImportDeps["report"] & { readonly path: string; close(): Promise<void> } {
  const reportPath = `${path}.report.ndjson`;
  const name = basename(path);
  const unwritable = (cause: unknown): never => {
    throw new ClickstreamError("config", `${reportPath}: the report cannot be written`, { cause });
  };
  let file: FileHandle | undefined;
  let waiting: string[] = [];
  let length = 0;
  return {
    path: reportPath,
    async begin(from) {
      length = from;
      const known = await stat(reportPath).catch(() => undefined);
      // What a run that was broken off wrote beyond its last note is written again.
      if (known && known.size > from) await truncate(reportPath, from).catch(unwritable);
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
        unwritable(cause);
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
