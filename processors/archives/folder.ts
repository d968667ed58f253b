/** Lists folders. To list less than there is would lose rows without a word, so only a folder that is missing is empty. */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { ClickstreamError } from "../errors.ts";

/** What is in a folder, by name. Throws `unavailable` when it cannot be listed. */
export async function entriesIn(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw new ClickstreamError("unavailable", `${folder}: cannot be listed`, { cause });
  });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The names of it. */
export const namesIn = async (folder: string): Promise<string[]> =>
  (await entriesIn(folder)).map(({ name }) => name);
