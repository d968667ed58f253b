/**
 * Keeps the files of a local archive: journals become Parquet, small files become larger ones, single rows are taken out,
 * old hours go, and what killed processes left.
 * Each file appears whole under its name or not at all. What is replaced goes after what replaces it is durable; dying in
 * between leaves rows twice, which readers drop.
 */
import { readFile, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type EpochMs, HOUR_MS } from "../model/time.ts";
import { newName, readJournal } from "./journals.ts";
import { byFolder, hourOfFolder, journalFolder, siteFolder } from "./layout.ts";
import { withLock } from "./lock.ts";
import { sortedOnce } from "./order.ts";
import { decodeParquet, encodeParquet } from "./parquet.ts";
import { parquetFiles, readable, rowsIn } from "./parquetfiles.ts";
import { clearAbsent } from "./presence.ts";
import type { Values } from "./values.ts";
import { writeWhole } from "./wholefile.ts";

export interface KeepingOrder {
  readonly directory: string;
  /** As `closedJournals` names them. */
  readonly journals: readonly string[];
  /** Merge the small files of hours that are over, as of `now`. */
  readonly compact: boolean;
  readonly now?: EpochMs;
  /** With `compact`: hours of these sites that end before are deleted. */
  readonly neededFrom?: ReadonlyMap<string, EpochMs>;
}

export interface KeepingReport {
  /** Parquet files written. */
  readonly files: number;
  /** Rows in them. */
  readonly rows: number;
}

/** A file of this many rows is merged no further. */
const MAX_ROWS = 100_000;
/** An hour is merged when nothing came for this long: late events come in clusters. */
const SETTLE_MS = HOUR_MS;
/** A busy hour is merged before it is over. */
const MANY_FILES = 30;

/** Throws what the file system throws, and `unavailable` for a file that cannot be read; calling again goes on where it ended. */
export async function keepFiles(order: KeepingOrder): Promise<KeepingReport> {
  return withLock(order.directory, async () => {
    await clearAbsent(order.directory);
    const rolled = await rollJournals(order);
    if (!order.compact) return rolled;
    await deleteHours(order.directory, order.neededFrom ?? new Map());
    const merged = await mergeFiles(order.directory, order.now ?? 0);
    return { files: rolled.files + merged.files, rows: rolled.rows + merged.rows };
  });
}

// ---- journals

async function rollJournals({ directory, journals }: KeepingOrder): Promise<KeepingReport> {
  let files = 0;
  let rows = 0;
  for (const name of journals) {
    const path = join(journalFolder(directory), name);
    // Another process may have rolled it while this one waited for the lock.
    if (!(await exists(path))) continue;
    for (const [folder, values] of byFolder(await readJournal(path))) {
      const sorted = sortedOnce(values);
      // Named after the journal, so that rolling it again after a crash replaces what was made of it before.
      const file = join(directory, folder, `${basename(name, ".ndjson")}.parquet`);
      await writeWhole(directory, file, encodeParquet(sorted));
      files++;
      rows += sorted.length;
    }
    await rm(path);
  }
  return { files, rows };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

// ---- files

/** An hour with a file that cannot be read holds up no other: the first such file is thrown when all are done. */
async function mergeFiles(directory: string, now: EpochMs): Promise<KeepingReport> {
  const total = { files: 0, rows: 0 };
  const failures: unknown[] = [];
  for (const [folder, paths] of Map.groupBy(await parquetFiles(directory), dirname)) {
    if (paths.length < 2) continue;
    const changedAt = Math.max(...(await Promise.all(paths.map((path) => stat(path)))).map((s) => s.mtimeMs));
    if (paths.length < MANY_FILES && now - changedAt < SETTLE_MS) continue;
    try {
      const { files, rows } = await mergeHour(directory, folder, paths, now);
      total.files += files;
      total.rows += rows;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return total;
}

async function mergeHour(
  directory: string,
  folder: string,
  paths: readonly string[],
  now: EpochMs,
): Promise<KeepingReport> {
  let rows = 0;
  const groups = await mergeable(paths);
  for (const group of groups) {
    let held: Values[] = [];
    for (const path of group) held = held.concat(await rowsOf(path));
    const sorted = sortedOnce(held);
    const name = `${newName(directory, now)}.parquet`;
    await writeWhole(directory, join(folder, name), encodeParquet(sorted));
    for (const path of group) await rm(path);
    rows += sorted.length;
  }
  return { files: groups.length, rows };
}

/**
 * Those that become one file, in their order. Their ends tell: a busy hour is left with several files that are merged no
 * further, and to read all of these each hour would take longer than an hour some weeks later.
 */
async function mergeable(paths: readonly string[]): Promise<string[][]> {
  const groups: string[][] = [[]];
  let rows = 0;
  for (const path of paths) {
    const own = await rowsIn(path);
    if (own >= MAX_ROWS) continue;
    if (rows + own > MAX_ROWS) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)!.push(path);
    rows += own;
  }
  return groups.filter(({ length }) => length > 1);
}

async function rowsOf(path: string): Promise<Values[]> {
  const bytes = await readFile(path);
  return readable(path, () => decodeParquet(bytes));
}

async function deleteHours(directory: string, neededFrom: ReadonlyMap<string, EpochMs>): Promise<void> {
  for (const [site, from] of neededFrom) {
    const byFolder = Map.groupBy(await parquetFiles(join(directory, siteFolder(site))), dirname);
    for (const [folder, paths] of byFolder) {
      if (hourOfFolder(folder) + HOUR_MS > from) continue;
      for (const path of paths) await rm(path);
      await rmdir(folder)
        .then(() => rmdir(dirname(folder)))
        .catch(ignoreFull);
    }
  }
}

/** A day has other hours; a folder may hold what is not ours. */
function ignoreFull(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
}

/** Rewrites a file: `change` answers a row as it shall be, or undefined for one that goes. The file keeps its name; returns how many rows changed. */
export async function rewriteFile(
  directory: string,
  path: string,
  change: (row: Values) => Values | undefined,
): Promise<number> {
  let changed = 0;
  const kept: Values[] = [];
  for (const row of await rowsOf(path)) {
    const wanted = change(row);
    if (wanted !== row) changed++;
    if (wanted) kept.push(wanted);
  }
  if (changed === 0) return 0;
  if (kept.length === 0) await rm(path);
  else await writeWhole(directory, path, encodeParquet(kept));
  return changed;
}
