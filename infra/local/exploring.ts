/** The archive as a local server asks it: DuckDB over its files, loaded with the first question, and how far the files reach. */
import { join } from "node:path";
import type { FileArchive } from "../../processors/archives/files.ts";
import { siteFolder } from "../../processors/archives/layout.ts";
import { duckdbExplorer } from "../../processors/explorers/duckdb.ts";
import type { Explorer } from "../../processors/explorers/explorer.ts";
import type { Clock, EpochMs } from "../../processors/model/time.ts";
import { ExploredArchive } from "../../processors/pipeline/explore/archive.ts";

/** A page shows progress after this; the next request goes on waiting. */
const WAIT_MS = 5_000;

/** An archive that remembers what it was given and has not made files of. */
export interface WatchedArchive extends FileArchive {
  /** Everything received before this is in files; 0 before the files of the last run are seen to. */
  archivedUntil(): EpochMs;
}

/** `lagMs`: how long the oldest record that is not counted yet has waited. */
export function watchedArchive(
  archive: FileArchive,
  { clock, lagMs }: { readonly clock: Clock; readonly lagMs: () => number },
): WatchedArchive {
  /** Receipt of the oldest row that is in a journal only, and of the oldest that is on its way into a file. */
  let waiting = Number.POSITIVE_INFINITY;
  let rolling = Number.POSITIVE_INFINITY;
  let hasRolled = false;
  const watched = async <T>(roll: () => Promise<T>): Promise<T> => {
    rolling = Math.min(rolling, waiting);
    waiting = Number.POSITIVE_INFINITY;
    try {
      const report = await roll();
      hasRolled = true;
      return report;
    } catch (error) {
      waiting = Math.min(waiting, rolling);
      throw error;
    } finally {
      rolling = Number.POSITIVE_INFINITY;
    }
  };
  return {
    ...archive,
    write(rows) {
      // An import tells of the past; when it was received is no time of ours.
      for (const { received_at: at, imported } of rows) if (!imported && at < waiting) waiting = at;
      return archive.write(rows);
    },
    roll: () => watched(() => archive.roll()),
    compact: (neededFrom) => watched(() => archive.compact(neededFrom)),
    archivedUntil: () => (hasRolled ? Math.min(waiting, rolling, clock.now() - lagMs()) : 0),
  };
}

/** Nothing is loaded before the first question. */
export function exploredFiles(
  directory: string,
  archivedUntil: () => EpochMs,
): { archive: ExploredArchive; explorer: Explorer } {
  const explorer = duckdbExplorer({
    directory,
    spillDirectory: join(directory, "spill"),
    folderOf: siteFolder,
  });
  const archive = new ExploredArchive({
    explorer,
    waitMs: WAIT_MS,
    archivedUntil: async () => archivedUntil(),
  });
  return { archive, explorer };
}
