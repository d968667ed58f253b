/** Takes a visitor or a page out of a local archive: out of journals that became files, and out of the files. Knows nothing of rollups. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { namesIn } from "../../processors/archives/folder.ts";
import { closedJournals, readJournal } from "../../processors/archives/journals.ts";
import { keepFiles, rewriteFile } from "../../processors/archives/keeping.ts";
import {
  journalFolder,
  placeOf,
  rowOf,
  siteFolder,
  type Values,
  valuesOf,
} from "../../processors/archives/layout.ts";
import { withLock } from "../../processors/archives/lock.ts";
import { parquetFiles } from "../../processors/archives/parquetfiles.ts";
import { clearAbsent } from "../../processors/archives/presence.ts";
import { asOutage, fileRows } from "../../processors/archives/rows.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { type Erased, Erasure } from "../../processors/pipeline/erasure.ts";

/** A running server makes files of its journal each minute. */
const MAX_WAIT_MS = 150_000;
const LOOK_EVERY_MS = 1_000;

/**
 * Rewrites the files of a site; each is whole before and after. Dying in between leaves some rewritten: run it again.
 * Returns how many rows went. Throws `unavailable` when a running server still holds such rows in its journal, or a file
 * cannot be read or written.
 */
export const eraseRows = (directory: string, site: string, erased: Erased): Promise<number> =>
  takeOut(directory, site, erased).catch((cause: unknown) => {
    throw asOutage(directory, cause);
  });

async function takeOut(directory: string, site: string, erased: Erased): Promise<number> {
  await untilRolled(directory, site, erased);
  const erasure = new Erasure(erased);
  for await (const rows of fileRows(directory).read(site)) for (const row of rows) erasure.next(row);
  let gone = 0;
  await withLock(directory, async () => {
    // Second names of files, which a rebuild that was killed has left, hold such rows too.
    await clearAbsent(directory);
    for (const path of await parquetFiles(join(directory, siteFolder(site)))) {
      await rewriteFile(directory, path, (values) => {
        const row = rowOf(values);
        if (row.site !== site) return values;
        const wanted = erasure.rewritten(row);
        if (!wanted) gone++;
        return wanted && (wanted === row ? values : valuesOf(wanted));
      });
    }
  });
  return gone;
}

async function untilRolled(directory: string, site: string, erased: Erased): Promise<void> {
  for (let waited = 0; ; waited += LOOK_EVERY_MS) {
    const journals = await closedJournals(directory);
    if (journals.length > 0) await keepFiles({ directory, journals, compact: false });
    if (!(await isInJournal(directory, site, erased))) return;
    if (waited >= MAX_WAIT_MS)
      throw new ClickstreamError(
        "unavailable",
        "the running server has not written its last rows into files yet: try again in a minute",
      );
    await sleep(LOOK_EVERY_MS);
  }
}

const [SITE, VISITOR, PAGE] = [placeOf("site"), placeOf("visitor"), placeOf("page")];

async function isInJournal(directory: string, site: string, erased: Erased): Promise<boolean> {
  const isOne = (values: Values): boolean =>
    values[SITE] === site &&
    ("visitor" in erased ? values[VISITOR] === erased.visitor : values[PAGE] === erased.page);
  for (const name of await namesIn(journalFolder(directory))) {
    const rows = await readJournal(join(journalFolder(directory), name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    });
    if (rows.some(isOne)) return true;
  }
  return false;
}
