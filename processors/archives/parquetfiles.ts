/** Lists the Parquet files of a local archive, and says which of them cannot be read. */
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync } from "hyparquet";
import { ClickstreamError } from "../errors.ts";
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

/** Enough for the end of a file as they are written here. */
const END_BYTES = 64 << 10;

/** How many rows a file says that it holds, which is read of its end alone. Throws as `readable`. */
export const rowsIn = (path: string): Promise<number> =>
  readable(path, async () => {
    const file = await asyncBufferFromFile(path);
    const { num_rows } = await parquetMetadataAsync(file, { initialFetchSize: END_BYTES });
    return Number(num_rows);
  });

/** What `read` makes of a file's bytes. Throws `unavailable` with its path where that is no Parquet, or half of it. */
export async function readable<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new ClickstreamError(
      "unavailable",
      `${path}: cannot be read as Parquet. Put it back from a backup, or take it away: then its events are missing`,
      { cause },
    );
  }
}
