/** The archive as a local server asks it: DuckDB over its files, loaded with the first question, and how far the files reach. */
import { join } from "node:path";
import type { FileArchive } from "../../processors/archives/files.ts";
import { siteFolder } from "../../processors/archives/layout.ts";
import { RowColumns } from "../../processors/archives/rowcolumns.ts";
import { duckdbExplorer } from "../../processors/explorers/duckdb.ts";
import type { Explorer } from "../../processors/explorers/explorer.ts";
import type { Clock, EpochMs } from "../../processors/model/time.ts";
import { ExploredArchive } from "../../processors/pipeline/explore/archive.ts";

/** A page shows progress after this; the next request goes on waiting. */
const WAIT_MS = 5_000;

/** A question makes files of what waits in a journal; of many questions, one in this time: each makes small files. */
const ROLL_EVERY_MS = 2_000;

/** An archive that remembers what it was given and has not made files of. */
export interface WatchedArchive extends FileArchive {
  /** Everything received before this is in files; 0 before the files of the last run are seen to. */
  archivedUntil(): EpochMs;
  /** Makes files of all that was written, unless somebody asked for it a moment ago. Throws as `roll` does. */
  bringUpToDate(): Promise<void>;
}

/** `lagMs`: how long the oldest record that is not counted yet has waited. */
export function watchedArchive(
  archive: FileArchive,
  { clock, lagMs }: { readonly clock: Clock; readonly lagMs: () => number },
): WatchedArchive {
  /** Receipt of the oldest row that is in a journal only. */
  let waiting = Number.POSITIVE_INFINITY;
  /** And of the oldest that each round has on its way into a file: one may begin before another is over. */
  const rolling = new Set<{ readonly oldest: EpochMs }>();
  let hasRolled = false;
  let asked: { readonly at: EpochMs; readonly rolled: Promise<unknown> } | undefined;
  const watched = async <T>(roll: () => Promise<T>): Promise<T> => {
    const round = { oldest: waiting };
    rolling.add(round);
    waiting = Number.POSITIVE_INFINITY;
    try {
      const report = await roll();
      hasRolled = true;
      return report;
    } catch (error) {
      waiting = Math.min(waiting, round.oldest);
      throw error;
    } finally {
      rolling.delete(round);
    }
  };
  const roll = () => watched(() => archive.roll());
  return {
    ...archive,
    write(rows) {
      // An import tells of the past; when it was received is no time of ours.
      if (!(rows instanceof RowColumns && rows.areImported))
        for (const { received_at: at, imported } of rows) if (!imported && at < waiting) waiting = at;
      return archive.write(rows);
    },
    roll,
    compact: (neededFrom) => watched(() => archive.compact(neededFrom)),
    async bringUpToDate() {
      const now = clock.now();
      if (!asked || now < asked.at || now >= asked.at + ROLL_EVERY_MS) {
        const rolled = roll();
        asked = { at: now, rolled };
        // Whoever asks next tries again.
        rolled.catch(() => {
          asked = undefined;
        });
      }
      await asked.rolled;
    },
    archivedUntil: () =>
      hasRolled ? Math.min(waiting, ...[...rolling].map(({ oldest }) => oldest), clock.now() - lagMs()) : 0,
  };
}

/** Nothing is loaded before the first question. */
export function exploredFiles(
  directory: string,
  kept: Pick<WatchedArchive, "archivedUntil" | "bringUpToDate">,
  clock: Clock,
): { archive: ExploredArchive; explorer: Explorer } {
  const explorer = duckdbExplorer({
    directory,
    spillDirectory: join(directory, "spill"),
    folderOf: siteFolder,
  });
  const archive = new ExploredArchive({
    explorer,
    clock,
    waitMs: WAIT_MS,
    async archivedUntil() {
      await kept.bringUpToDate();
      return kept.archivedUntil();
    },
  });
  return { archive, explorer };
}
