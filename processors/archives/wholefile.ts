/** Writes files that appear whole or not at all, and stay when the power fails. Knows nothing of what is in them. */
import { closeSync, fsync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { temporaryPath } from "./presence.ts";

/** Folders whose names this process has made durable in the folder above; begun anew when there are many. */
const durable = new Set<string>();
const MAX_DURABLE = 10_000;

/** All that waits for the disk. The rest takes microseconds, and each hand-over to another thread would wait for what this one does meanwhile. */
const synced = promisify(fsync);

/** Writes a file below `directory`, readable by its owner only. Resolves when all its bytes and its name are on the disk. */
export async function writeWhole(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryPath(directory);
  const file = openSync(temporary, "wx", 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    await synced(file);
  } catch (error) {
    // What does not fit on the disk must not stay there.
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  renameSync(temporary, path);
  // The name is durable when its folder is, and the folder when those above it are.
  let entry = path;
  do {
    const folder = dirname(entry);
    await syncFolder(folder);
    if (entry !== path) {
      if (durable.size >= MAX_DURABLE) durable.clear();
      durable.add(entry);
    }
    entry = folder;
  } while (entry.length > directory.length && !durable.has(entry));
}

/** Makes the names in a folder durable. https://man7.org/linux/man-pages/man2/fsync.2.html */
export async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, "r");
  await synced(folder).finally(() => closeSync(folder));
}
