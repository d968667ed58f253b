/**
 * Takes a visitor or a page out of a local archive: out of journals that became files, and out of the files. What it has
 * to know of the rows is written down before the first of them is gone, so that whoever dies in between goes on when it
 * is run again. Knows nothing of rollups.
 */
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArchivedRows } from "../../processors/archives/archive.ts";
import { namesIn } from "../../processors/archives/folder.ts";
import { closedJournals, readJournal } from "../../processors/archives/journals.ts";
import { keepFiles, rewriteFile } from "../../processors/archives/keeping.ts";
import { journalFolder, siteFolder } from "../../processors/archives/layout.ts";
import { withLock } from "../../processors/archives/lock.ts";
import { parquetFiles } from "../../processors/archives/parquetfiles.ts";
import { clearAbsent } from "../../processors/archives/presence.ts";
import { asOutage, fileRows } from "../../processors/archives/rows.ts";
import { placeOf, rowOf, valuesOf } from "../../processors/archives/values.ts";
import { writeWhole } from "../../processors/archives/wholefile.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { takeLock } from "../../processors/filelock.ts";
import type { ArchiveRow } from "../../processors/model/archive.ts";
import {
  type Erased,
  Erasure,
  type ErasureNotes,
  type ErasureTrace,
  NO_TRACE,
  traceOf,
  withoutErased,
} from "../../processors/pipeline/erasure.ts";
import type { Site } from "../../processors/pipeline/sites.ts";

/** A running server makes files of its journal each minute. */
const MAX_WAIT_MS = 150_000;
const LOOK_EVERY_MS = 1_000;

/** An erasure in hand: no other is, until it is disposed. */
export interface ErasureInHand extends Omit<ErasureTrace, "notes">, Disposable {
  /** The archive as it will be. */
  readonly left: ArchivedRows;
  /**
   * Rewrites the files of the site; each is whole before and after. Resolves with how many rows went. Dying in between
   * leaves some rewritten, and another erasure of the same goes on.
   */
  takeOut(): Promise<number>;
  /** Forgets what was written down: call when nothing counts the rows any more. */
  finish(): Promise<void>;
}

/**
 * Looks for the rows that go, those of an erasure that was broken off among them. Changes nothing yet. Throws
 * `unavailable` when another erasure is in hand, when a running server still holds such rows in its journal, or when a
 * file cannot be read or written; so do its functions.
 */
export async function beginErasure(
  directory: string,
  site: Pick<Site, "id" | "timeZone">,
  erased: Erased,
): Promise<ErasureInHand> {
  // What one takes out changes what the next has to know.
  const lock = takeLock(join(directory, "erasing.lock"));
  if (!lock)
    throw new ClickstreamError("unavailable", "another erasure is under way: run this again when it is over");
  const failed = (cause: unknown): never => {
    throw asOutage(directory, cause);
  };
  try {
    const archive = fileRows(directory);
    const note = noteOf(directory, site.id, erased);
    const trace = await traceOf(archive, site, erased, await readTrace(note)).catch(failed);
    return {
      archivedSince: trace.archivedSince,
      hours: trace.hours,
      left: withoutErased(archive, erased, trace.notes),
      takeOut: () => takeOut(directory, site, erased, note).catch(failed),
      finish: () => rm(note, { force: true }),
      [Symbol.dispose]: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function takeOut(
  directory: string,
  site: Pick<Site, "id" | "timeZone">,
  erased: Erased,
  note: string,
): Promise<number> {
  for (let waited = 0; waited < MAX_WAIT_MS; waited += LOOK_EVERY_MS) {
    const journals = await closedJournals(directory);
    if (journals.length > 0) await keepFiles({ directory, journals, compact: false });
    const gone = await withLock(directory, async () => {
      // Here, as what becomes a file after it was looked for would lose rows that nothing is known of.
      const trace = await traceOf(fileRows(directory), site, erased, await readTrace(note));
      const erasure = new Erasure(erased, trace.notes);
      if (await isInJournals(directory, site.id, (row) => erasure.rewritten(row) !== row)) return undefined;
      if (trace.hours.size > 0) await writeTrace(directory, note, trace);
      // Second names of files, which a rebuild that was killed has left, hold such rows too.
      await clearAbsent(directory);
      return rewriteFiles(directory, site.id, erasure);
    });
    if (gone !== undefined) return gone;
    await sleep(LOOK_EVERY_MS);
  }
  throw new ClickstreamError(
    "unavailable",
    "the running server has not written its last rows into files yet: try again in a minute",
  );
}

async function rewriteFiles(directory: string, site: string, erasure: Erasure): Promise<number> {
  let gone = 0;
  for (const path of await parquetFiles(join(directory, siteFolder(site)))) {
    await rewriteFile(directory, path, (values) => {
      const row = rowOf(values);
      if (row.site !== site) return values;
      const wanted = erasure.rewritten(row);
      if (!wanted) gone++;
      return wanted && (wanted === row ? values : valuesOf(wanted));
    });
  }
  return gone;
}

// ---- what is written down

const noteOf = (directory: string, site: string, erased: Erased): string => {
  const name = createHash("sha256")
    .update(JSON.stringify([site, erased]))
    .digest("hex");
  return join(directory, "erasing", `${name.slice(0, 32)}.json`);
};

interface Written {
  readonly archivedSince: number;
  readonly hours: readonly number[];
  readonly notes: ErasureNotes;
}

async function readTrace(path: string): Promise<ErasureTrace> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return NO_TRACE;
  const { archivedSince, hours, notes } = JSON.parse(text) as Written;
  return { archivedSince, hours: new Set(hours), notes };
}

function writeTrace(directory: string, path: string, trace: ErasureTrace): Promise<void> {
  const written: Written = { ...trace, hours: [...trace.hours] };
  return writeWhole(directory, path, new TextEncoder().encode(JSON.stringify(written)));
}

// ---- journals

const SITE = placeOf("site");

/** Whether a journal that is written to holds a row of the site that would go or change. */
async function isInJournals(
  directory: string,
  site: string,
  isTouched: (row: ArchiveRow) => boolean,
): Promise<boolean> {
  for (const name of await namesIn(journalFolder(directory))) {
    const rows = await readJournal(join(journalFolder(directory), name));
    if (rows.some((values) => values[SITE] === site && isTouched(rowOf(values)))) return true;
  }
  return false;
}
