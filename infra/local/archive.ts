/** Keeps the files of the local archive while the server runs: journals become Parquet each minute, small files larger ones each hour and soon after the start, and old hours go. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FileArchive } from "../../processors/archives/files.ts";
import { clearLeft } from "../../processors/archives/presence.ts";
import { describe } from "../../processors/errors.ts";
import { type Clock, type EpochMs, HOUR_MS, MINUTE_MS } from "../../processors/model/time.ts";

const LOOK_EVERY_MS = 1_000;
const AFTER_FAILURE_MS = 30_000;
/** From the start on: not at once, because whoever waits for the start has work for the disk. */
const FIRST_COMPACTION_MS = MINUTE_MS;

export interface ArchivingOptions {
  readonly archive: FileArchive;
  /** Of the archive. */
  readonly directory: string;
  readonly clock: Clock;
  /** By site, from when on rows are needed; absent: all are. */
  readonly neededFrom: () => Promise<ReadonlyMap<string, EpochMs>>;
  readonly log: (line: string) => void;
}

/** Starts at once and returns; `stop` resolves when nothing of it touches the files any more. What is not rolled then stays in the journal. */
export function startArchiving({ archive, directory, clock, neededFrom, log }: ArchivingOptions): {
  stop(): Promise<void>;
} {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async (): Promise<void> => {
    let compactedAt = clock.now() - HOUR_MS + FIRST_COMPACTION_MS;
    let waitMs = LOOK_EVERY_MS;
    await clearLeft(directory).catch((error: unknown) => log(`archive: ${describe(error)}`));
    while (!signal.aborted) {
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      waitMs = LOOK_EVERY_MS;
      try {
        const now = clock.now();
        // Set back since, it does not say how long ago that was.
        if (now < compactedAt || now - compactedAt >= HOUR_MS) {
          compactedAt = now;
          await archive.compact(await neededFrom());
        } else if (archive.isDue()) await archive.roll();
      } catch (error) {
        log(`archive: ${describe(error)}; again in ${AFTER_FAILURE_MS / 1000} s`);
        waitMs = AFTER_FAILURE_MS;
      }
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
