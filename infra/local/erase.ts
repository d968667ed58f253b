/** Takes a visitor or a page out of a local archive: out of journals that became files, and out of the files. Knows nothing of rollups. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArchivedRows } from "../../processors/archives/archive.ts";
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
import { fileRows } from "../../processors/archives/rows.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import type { CountedRow } from "../../processors/model/archive.ts";
import type { EpochMs } from "../../processors/model/time.ts";
import { hourOf } from "../../processors/pipeline/rollups.ts";
import type { Site } from "../../processors/pipeline/sites.ts";

/** One of the two: whose rows go, or those of which page. */
export type Erased = { readonly visitor: string } | { readonly page: string };

/** A running server makes files of its journal each minute. */
const MAX_WAIT_MS = 150_000;
const LOOK_EVERY_MS = 1_000;

export const isErased = (row: Pick<CountedRow, "visitor" | "page">, erased: Erased): boolean =>
  "visitor" in erased ? row.visitor === erased.visitor : row.page === erased.page;

/** When the earliest row of a site happened, and the hours that rows to be erased are of. */
export async function traceOf(
  archive: ArchivedRows,
  { id, timeZone }: Pick<Site, "id" | "timeZone">,
  erased: Erased,
): Promise<{ readonly archivedSince: EpochMs; readonly hours: ReadonlySet<EpochMs> }> {
  let archivedSince = Number.POSITIVE_INFINITY;
  const hours = new Set<EpochMs>();
  for await (const rows of archive.read(id))
    for (const row of rows) {
      archivedSince = Math.min(archivedSince, row.at);
      if (isErased(row, erased)) hours.add(hourOf(timeZone, row.at));
    }
  return { archivedSince, hours };
}

/** The archive as it will be: without the rows, and visits that began with them begin with their next page. */
export function withoutErased(archive: ArchivedRows, erased: Erased): ArchivedRows {
  return {
    async *read(site) {
      const entries = new Map<string, string>();
      for await (const rows of archive.read(site))
        yield rows.flatMap((row) => (isErased(row, erased) ? [] : [reentered(row, erased, entries)]));
    },
  };
}

/** A visit's first page that stays is where it entered. Rows must come in the order of the fold. */
function reentered<Row extends CountedRow>(row: Row, erased: Erased, entries: Map<string, string>): Row {
  if ("visitor" in erased || row.visit_entry_page !== erased.page) return row;
  const visit = `${row.visitor} ${row.visit}`;
  const entry = entries.get(visit) ?? row.page ?? "";
  entries.set(visit, entry);
  return { ...row, visit_entry_page: entry };
}

/**
 * Rewrites the files of a site; each is whole before and after. Dying in between leaves some rewritten: run it again.
 * Returns how many rows went. Throws `unavailable` when a running server still holds such rows in its journal.
 */
export async function eraseRows(directory: string, site: string, erased: Erased): Promise<number> {
  await untilRolled(directory, site, erased);
  const entries = new Map<string, string>();
  if ("page" in erased)
    for await (const rows of fileRows(directory).read(site))
      for (const row of rows) if (!isErased(row, erased)) reentered(row, erased, entries);
  let gone = 0;
  await withLock(directory, async () => {
    for (const path of await parquetFiles(join(directory, siteFolder(site)))) {
      await rewriteFile(directory, path, (values) => {
        const row = rowOf(values);
        if (row.site !== site) return values;
        if (isErased(row, erased)) {
          gone++;
          return undefined;
        }
        const wanted = reentered(row, erased, entries);
        return wanted === row ? values : valuesOf(wanted);
      });
    }
  });
  return gone;
}

async function untilRolled(directory: string, site: string, erased: Erased): Promise<void> {
  for (let waited = 0; ; waited += LOOK_EVERY_MS) {
    const journals = await closedJournals(directory).catch(() => []);
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
  for (const path of await openJournals(directory)) {
    const rows = await readJournal(path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    });
    if (rows.some(isOne)) return true;
  }
  return false;
}

async function openJournals(directory: string): Promise<string[]> {
  return (await readdir(journalFolder(directory)).catch(() => [])).map((name) =>
    join(journalFolder(directory), name),
  );
}
