/** Lists the Parquet files of a local archive. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./layout.ts";

/** Every Parquet file below a directory, by path. */
export async function parquetFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".parquet"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(temporaryFolder(directory)))
    .sort();
}
