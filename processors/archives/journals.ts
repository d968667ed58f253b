/** The journals of a local archive: rows in the order in which they came, one a line. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { EpochMs } from "../model/time.ts";
import { namesIn } from "./folder.ts";
import { journalFolder } from "./layout.ts";
import { isPresent, presentAs } from "./presence.ts";
import type { Values } from "./values.ts";

/** What a new journal or file of this thread is called: when it began, whose it is, and what tells it apart. */
export const newName = (directory: string, now: EpochMs): string =>
  `${String(now).padStart(13, "0")}-${presentAs(directory)}-${randomBytes(4).toString("hex")}`;

const ownerOf = (name: string): string => name.split("-")[1] ?? "";

/** Journals that nobody writes to, if this thread has closed its own: those of others are closed when they are gone. */
export async function closedJournals(directory: string): Promise<string[]> {
  const names = (await namesIn(journalFolder(directory))).filter((name) => name.endsWith(".ndjson"));
  return names.filter((name, i) => {
    const owner = ownerOf(name);
    if (owner === presentAs(directory)) return true;
    // Each has one open at a time, its newest.
    const isNewest = !names.slice(i + 1).some((later) => ownerOf(later) === owner);
    return !isNewest || !isPresent(directory, owner);
  });
}

/**
 * Rows of a journal; half a line at its end was never acknowledged. Nor was what begins with zeros, which no line has: a
 * power cut leaves them where the disk had a later block of an unfinished write, and not yet an earlier one.
 */
export async function readJournal(path: string): Promise<Values[]> {
  const [whole = ""] = (await readFile(path, "utf8")).split("\0", 1);
  const lines = whole.split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Values);
}
