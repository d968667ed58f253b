/** The journals of a local archive: rows in the order in which they came, one a line. */
import { readdir, readFile } from "node:fs/promises";
import { journalFolder, type Values } from "./layout.ts";
import { isRunning } from "./lock.ts";

/** Journals that nobody writes to, if this process has closed its own: those of others are closed when they are gone. */
export async function closedJournals(directory: string): Promise<string[]> {
  const names = (await readdir(journalFolder(directory))).filter((name) => name.endsWith(".ndjson")).sort();
  return names.filter((name, i) => {
    const owner = Number(name.split("-")[1]);
    if (owner === process.pid) return true;
    // A process has one journal open at a time, its newest.
    const isNewest = !names.slice(i + 1).some((later) => Number(later.split("-")[1]) === owner);
    return !isNewest || !isRunning(owner);
  });
}

/** Rows of a journal; half a line at its end was never acknowledged. */
export async function readJournal(path: string): Promise<Values[]> {
  const lines = (await readFile(path, "utf8")).split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Values);
}
