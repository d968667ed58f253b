/**
 * Keeps the files of a local archive: journals become Parquet, small files become larger ones, single rows are taken out,
 * old hours go.
 * Each file appears whole under its name or not at all. What is replaced goes after what replaces it is durable; dying in
 * between leaves rows twice, which readers drop.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type EpochMs, HOUR_MS } from "../model/time.ts";
import { readJournal } from "./journals.ts";
import {
  hourOfFolder,
  journalFolder,
  partitionFolder,
  placeOf,
  siteFolder,
  temporaryFolder,
  type Values,
} from "./layout.ts";
import { withLock } from "./lock.ts";
import type { LongJournals } from "./longjournal.ts";
import { sortedOnce } from "./order.ts";
import { decodeParquet, encodeParquet } from "./parquet.ts";
import { parquetFiles } from "./parquetfiles.ts";

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

const SITE = placeOf("site");
const AT = placeOf("at");

/** Throws what the file system throws; calling again goes on where it ended. `long`: who makes the files of long journals. */
export async function keepFiles(
  order: KeepingOrder,
  long?: Pick<LongJournals, "convert">,
): Promise<KeepingReport> {
  return withLock(order.directory, async () => {
    const rolled = await rollJournals(order, long);
    if (!order.compact) return rolled;
    await deleteHours(order.directory, order.neededFrom ?? new Map());
    const merged = await mergeFiles(order.directory, order.now ?? 0);
    return { files: rolled.files + merged.files, rows: rolled.rows + merged.rows };
  });
}

// ---- journals

async function rollJournals(
  { directory, journals }: KeepingOrder,
  long: Pick<LongJournals, "convert"> | undefined,
): Promise<KeepingReport> {
  let files = 0;
  let rows = 0;
  for (const name of journals) {
    const path = join(journalFolder(directory), name);
    // Another process may have rolled it while this one waited for the lock.
    if (!(await exists(path))) continue;
    const converted = long && (await rollLong(directory, name, long));
    if (converted) {
      files += converted.files;
      rows += converted.rows;
      await rm(path);
      continue;
    }
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

async function rollLong(
  directory: string,
  name: string,
  long: Pick<LongJournals, "convert">,
): Promise<KeepingReport | undefined> {
  const into = join(temporaryFolder(directory), randomBytes(8).toString("hex"));
  await mkdir(temporaryFolder(directory), { recursive: true, mode: 0o700 });
  try {
    const converted = await long.convert(join(journalFolder(directory), name), into);
    if (!converted) return undefined;
    // Several of one hour where more hours were open than DuckDB keeps open.
    const numbers = new Map<string, number>();
    for (const { site, hour, path } of converted.parts) {
      const folder = partitionFolder(site, hour);
      const number = numbers.get(folder) ?? 0;
      numbers.set(folder, number + 1);
      const file = `${basename(name, ".ndjson")}${number === 0 ? "" : `-${number}`}.parquet`;
      await chmod(path, 0o600);
      await appear(directory, path, join(directory, folder, file));
    }
    return { files: converted.parts.length, rows: converted.rows };
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

/** Rows by the folder of their site and hour. Its name is made once an hour: making it takes longer than the rest of a row. */
function byFolder(rows: readonly Values[]): Map<string, Values[]> {
  const folders = new Map<string, Values[]>();
  for (const [site, own] of Map.groupBy(rows, (row) => row[SITE] as string))
    for (const [hour, values] of Map.groupBy(own, (row) => Math.floor((row[AT] as number) / HOUR_MS)))
      folders.set(partitionFolder(site, hour * HOUR_MS), values);
  return folders;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

// ---- files

async function mergeFiles(directory: string, now: EpochMs): Promise<KeepingReport> {
  let files = 0;
  let rows = 0;
  for (const [folder, paths] of Map.groupBy(await parquetFiles(directory), dirname)) {
    if (paths.length < 2) continue;
    const changedAt = Math.max(...(await Promise.all(paths.map((path) => stat(path)))).map((s) => s.mtimeMs));
    if (paths.length < MANY_FILES && now - changedAt < SETTLE_MS) continue;
    let held: Values[] = [];
    let merged: string[] = [];
    const give = async (): Promise<void> => {
      if (merged.length > 1) {
        const sorted = sortedOnce(held);
        const name = `${now}-${process.pid}-${randomBytes(4).toString("hex")}.parquet`;
        await writeWhole(directory, join(folder, name), encodeParquet(sorted));
        for (const path of merged) await rm(path);
        files++;
        rows += sorted.length;
      }
      held = [];
      merged = [];
    };
    for (const path of paths) {
      const values = await decodeParquet(await readFile(path));
      if (values.length >= MAX_ROWS) continue;
      if (held.length + values.length > MAX_ROWS) await give();
      held = held.concat(values);
      merged.push(path);
    }
    await give();
  }
  return { files, rows };
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
  for (const row of await decodeParquet(await readFile(path))) {
    const wanted = change(row);
    if (wanted !== row) changed++;
    if (wanted) kept.push(wanted);
  }
  if (changed === 0) return 0;
  if (kept.length === 0) await rm(path);
  else await writeWhole(directory, path, encodeParquet(kept));
  return changed;
}

/** The file appears with all its bytes on the disk, or not at all. */
async function writeWhole(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(temporaryFolder(directory), randomBytes(8).toString("hex"));
  await mkdir(temporaryFolder(directory), { recursive: true, mode: 0o700 });
  await writeFile(temporary, bytes, { flag: "wx", mode: 0o600 });
  await appear(directory, temporary, path);
}

/** Makes a written file durable, and then moves it to its place. */
async function appear(directory: string, written: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(written, "r+");
  await handle.sync().finally(() => handle.close());
  await rename(written, path);
  // The name is durable when its folder is, and the folder when those above it are.
  for (let folder = dirname(path); folder.length >= directory.length; folder = dirname(folder)) {
    const above = await open(folder, "r");
    await above.sync().finally(() => above.close());
  }
}
