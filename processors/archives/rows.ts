/** Reads the rows of a local archive in the order of the fold: sorted by DuckDB within bounded memory, journals among them. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ClickstreamError } from "../errors.ts";
import { ARCHIVE_COLUMNS, type ArchiveRow, type ColumnType, compareRows } from "../model/archive.ts";
import type { ArchivedRows } from "./archive.ts";
import { readJournal } from "./journals.ts";
import { journalFolder, placeOf, rowOf, siteFolder, temporaryFolder } from "./layout.ts";
import { sortedOnce } from "./order.ts";
import { parquetFiles } from "./parquetfiles.ts";

/** DuckDB's own; what does not fit is sorted on the disk. */
const MEMORY_LIMIT = "512MB";

/** `directory` of the archive. Loads DuckDB when it is first read. */
export function fileRows(directory: string): ArchivedRows {
  return {
    async *read(site) {
      // Journals first: one that is made into a file meanwhile is then read twice, not missed.
      const fresh = await journalRows(directory, site);
      const files = await parquetFiles(join(directory, siteFolder(site)));
      yield* merged(fresh, files.length === 0 ? nothing() : sortedRows(directory, files, site));
    },
  };
}

async function* nothing(): AsyncGenerator<ArchiveRow[]> {}

async function journalRows(directory: string, site: string): Promise<ArchiveRow[]> {
  const place = placeOf("site");
  const values = [];
  for (const name of (await readdir(journalFolder(directory)).catch(() => [])).sort()) {
    const rows = await readJournal(join(journalFolder(directory), name)).catch((error: unknown) => {
      // It became a file since it was listed.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    });
    for (const row of rows) if (row[place] === site) values.push(row);
  }
  return sortedOnce(values).map(rowOf);
}

/** Two sorted sources as one, each row once. */
async function* merged(
  fresh: readonly ArchiveRow[],
  files: AsyncIterable<ArchiveRow[]>,
): AsyncGenerator<ArchiveRow[]> {
  let at = 0;
  let last: ArchiveRow | undefined;
  const portion: ArchiveRow[] = [];
  const take = (row: ArchiveRow): void => {
    if (!last || compareRows(last, row) !== 0) portion.push(row);
    last = row;
  };
  for await (const rows of files) {
    for (const row of rows) {
      for (let next = fresh[at]; next && compareRows(next, row) <= 0; next = fresh[++at]) take(next);
      take(row);
    }
    yield portion.splice(0);
  }
  for (; at < fresh.length; at++) take(fresh[at]!);
  yield portion;
}

async function* sortedRows(
  directory: string,
  files: readonly string[],
  site: string,
): AsyncGenerator<ArchiveRow[]> {
  const { DuckDBInstance, listValue } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: MEMORY_LIMIT,
    temp_directory: temporaryFolder(directory),
    threads: "2",
  });
  const connection = await instance.connect();
  try {
    const columns = ARCHIVE_COLUMNS.map(({ name }) => `"${name}"`).join(", ");
    const result = await connection.stream(
      `SELECT ${columns} FROM read_parquet($1, union_by_name = true, hive_partitioning = false) WHERE site = $2
       ORDER BY shard, length(sequence), sequence, "index"`,
      [listValue(files), site],
    );
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield rowsOf(chunk.getColumns(), chunk.rowCount);
    }
  } catch (cause) {
    if (cause instanceof ClickstreamError) throw cause;
    throw new ClickstreamError("unavailable", `archive ${directory}: files could not be read`, { cause });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function rowsOf(columns: readonly (readonly unknown[])[], count: number): ArchiveRow[] {
  const rows: ArchiveRow[] = [];
  for (let i = 0; i < count; i++) {
    const row: Record<string, unknown> = {};
    for (let c = 0; c < ARCHIVE_COLUMNS.length; c++) {
      const { name, type } = ARCHIVE_COLUMNS[c]!;
      row[name] = decoded(type, columns[c]?.[i]);
    }
    rows.push(row as unknown as ArchiveRow);
  }
  return rows;
}

function decoded(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return type === "map" ? [] : null;
  if (type === "long") return Number(value);
  if (type === "map")
    return (value as { entries: { key: string; value: string }[] }).entries.map(({ key, value: text }) => [
      key,
      text,
    ]);
  return value;
}
