/** Tables of totals, as Plausible and GA4 give them away: one file, or an archive of several. */
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { systemClock } from "../../processors/clock.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { unzipped } from "../../processors/imports/zip.ts";
import { compactAll } from "../../processors/pipeline/compact.ts";
import { refuseUtf16 } from "../../processors/pipeline/import/source.ts";
import { importTotals, type TotalsReport } from "../../processors/pipeline/import/totals.ts";
import { isTotals, type TotalsTable, totalsTable } from "../../processors/pipeline/import/totalstable.ts";
import { listSites } from "../../processors/pipeline/sites.ts";
import { type FileSettings, fileSlice } from "./importfile.ts";
import { openStore } from "./opening.ts";

/** All of it is in memory at once. */
const MAX_BYTES = 256 * 1024 * 1024;
const HEAD_BYTES = 64 * 1024;
const ZIP = "PK\u0003\u0004";

export interface TotalsOptions extends Pick<FileSettings, "format" | "mapping"> {
  readonly site: string;
  readonly dataDirectory: string;
  readonly store?: string | undefined;
  readonly log: (line: string) => void;
}

export interface ImportedTable extends TotalsReport {
  readonly name: string;
}

interface Entry {
  readonly name: string;
  readonly table: TotalsTable;
}

/**
 * Undefined where the file holds no totals. Throws `config` for totals that cannot be counted, `unavailable` when somebody
 * else counts them; running it again goes on.
 */
export async function runTotals(path: string, options: TotalsOptions): Promise<ImportedTable[] | undefined> {
  const entries = await entriesOf(path, options);
  if (!entries) return undefined;
  const { site: id } = options;
  const store = await openStore(options, systemClock, { mayCreateTable: false });
  try {
    const site = (await listSites(store)).find((one) => one.id === id);
    if (!site) throw new ClickstreamError("not_found", `site "${id}" is not registered`);
    const deps = { store, clock: systemClock };
    // What was counted of the same days must be seen.
    await compactAll({ store, clock: systemClock });
    const tables: ImportedTable[] = [];
    for (const { name, table } of entries) tables.push({ name, ...(await importTotals(deps, site, table)) });
    await compactAll({ store, clock: systemClock });
    await writeReport(path, tables);
    return tables;
  } finally {
    await store.close();
  }
}

async function entriesOf(
  path: string,
  { format, mapping, log }: TotalsOptions,
): Promise<Entry[] | undefined> {
  if ((format !== "auto" && format !== "csv") || mapping) return undefined;
  const { bytes, size } = await fileSlice(path, HEAD_BYTES);
  refuseUtf16(path, bytes);
  const head = new TextDecoder().decode(bytes);
  const isZip = head.startsWith(ZIP);
  if (!isZip && !isTotals(head)) return undefined;
  if (size > MAX_BYTES)
    throw new ClickstreamError(
      "config",
      `${path}: over ${MAX_BYTES / 2 ** 20} MB of totals: import a part at a time`,
    );
  const whole = await readFile(path);
  if (!isZip)
    return [{ name: basename(path), table: totalsTable(basename(path), new TextDecoder().decode(whole)) }];
  const entries: Entry[] = [];
  const wants = (name: string): boolean => /\.csv$/i.test(name);
  for (const [name, content] of unzipped(path, whole, { wants, maxBytes: MAX_BYTES })) {
    const text = new TextDecoder().decode(content);
    if (!isTotals(text.slice(0, HEAD_BYTES))) continue;
    try {
      refuseUtf16(name, content);
      entries.push({ name, table: totalsTable(name, text) });
    } catch (error) {
      if (!(error instanceof ClickstreamError) || error.code !== "config") throw error;
      log(`${error.message}; the table is left out`);
    }
  }
  return entries.length > 0 ? entries : undefined;
}

/** Rows that could not be used, as NDJSON beside the file; none where all could be. */
async function writeReport(path: string, tables: readonly ImportedTable[]): Promise<void> {
  const lines = tables.flatMap(({ name, bad }) => bad.map((one) => JSON.stringify({ file: name, ...one })));
  if (lines.length === 0) return;
  const reportPath = `${path}.report.ndjson`;
  await writeFile(reportPath, `${lines.join("\n")}\n`, { mode: 0o600 }).catch((cause: unknown) => {
    const what = "all is counted that can be, and the report of what cannot be is not written";
    throw new ClickstreamError("config", `${reportPath}: ${what}`, { cause });
  });
}
