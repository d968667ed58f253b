/** Writes files that appear whole or not at all, and stay when the power fails. Knows nothing of what is in them. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./layout.ts";

/** Folders whose names this process has made durable in the folder above; begun anew when there are many. */
const durable = new Set<string>();
const MAX_DURABLE = 10_000;

/** Writes a file below `directory`, readable by its owner only. Resolves when all its bytes and its name are on the disk. */
export async function writeWhole(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(temporaryFolder(directory), randomBytes(8).toString("hex"));
  await mkdir(temporaryFolder(directory), { recursive: true, mode: 0o700 });
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rename(temporary, path);
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

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  await folder.sync().finally(() => folder.close());
}
