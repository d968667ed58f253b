/** Lists the Parquet files of a local archive. */
import { join } from "node:path";
import { entriesIn } from "./folder.ts";
import { temporaryFolder } from "./layout.ts";

/**
 * Every Parquet file below a directory, by path. Folders that go meanwhile are those of hours that are kept no longer.
 * Throws `unavailable` where a folder cannot be listed.
 */
export async function parquetFiles(directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await entriesIn(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && path !== temporaryFolder(directory)) files.push(...(await parquetFiles(path)));
    else if (entry.isFile() && entry.name.endsWith(".parquet")) files.push(path);
  }
  return files;
}
