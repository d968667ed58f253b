/** Reads the rows of a local archive in the order of the fold: sorted by DuckDB within bounded memory, journals among them. */
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ClickstreamError } from "../errors.ts";
import { type CountedRow, compareRows } from "../model/archive.ts";
import type { EpochMs } from "../model/time.ts";
import type { ArchivedRows } from "./archive.ts";
import { rowMaker, selected } from "./duckrows.ts";
import { readJournal } from "./journals.ts";
import { journalFolder, placeOf, rowOf, siteFolder, temporaryFolder } from "./layout.ts";
import { sortedOnce } from "./order.ts";
import { parquetFiles } from "./parquetfiles.ts";

/** DuckDB's own; what does not fit is sorted on the disk. */
const MEMORY_LIMIT_MB = 192;
const THREADS = 2;

/** One of `of` parts of a site's visitors, numbered from 0: a visitor's rows are all in one. What nobody sent is in the first. */
export interface Lot {
  readonly number: number;
  readonly of: number;
}

const EVERYBODY: Lot = { number: 0, of: 1 };

/** `directory` of the archive; `lot`: of these visitors only. Loads DuckDB when it is first read. */
export function fileRows(directory: string, lot = EVERYBODY): ArchivedRows {
  return {
    async *read(site) {
      // Journals first: one that is made into a file meanwhile is then read twice, not missed.
      const fresh = await journalRows(directory, site);
      const files = await parquetFiles(join(directory, siteFolder(site)));
      const own = fresh.filter(({ visitor }) => isIn(lot, visitor));
      yield* merged(own, files.length === 0 ? nothing() : sortedRows(directory, files, site, lot));
    },
  };
}

/** The last digit of a pseudonym is as good as random. Must say what `IN_LOT` says. */
const isIn = ({ number, of }: Lot, visitor: string | null): boolean =>
  (visitor === null ? 0 : visitor.charCodeAt(visitor.length - 1) % of) === number;
const IN_LOT = "coalesce(ascii(right(visitor, 1)), 0) % $3 = $4";

/** By shard, when the first event of a site that happened at `from` or later was received. */
export async function firstReceived(
  directory: string,
  site: string,
  from: EpochMs,
): Promise<Map<string, EpochMs>> {
  const first = new Map<string, EpochMs>();
  const see = (shard: string, at: EpochMs): void => {
    first.set(shard, Math.min(first.get(shard) ?? at, at));
  };
  for (const { shard, at, received_at, rejected } of await journalRows(directory, site))
    if (rejected === null && at >= from) see(shard, received_at);
  const files = await parquetFiles(join(directory, siteFolder(site)));
  if (files.length === 0) return first;
  await using duckdb = await openDuckDb(directory);
  try {
    const found = await duckdb.connection.runAndReadAll(
      `SELECT shard, min(received_at) FROM ${FILES} WHERE site = $2 AND "at" >= $3 AND rejected IS NULL GROUP BY shard`,
      [duckdb.listValue(files), site, BigInt(from)],
    );
    for (const [shard, at] of found.getRows()) see(String(shard), Number(at));
  } catch (cause) {
    throw asOutage(directory, cause);
  }
  return first;
}

async function* nothing(): AsyncGenerator<CountedRow[]> {}

async function journalRows(directory: string, site: string): Promise<CountedRow[]> {
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
  fresh: readonly CountedRow[],
  files: AsyncIterable<CountedRow[]>,
): AsyncGenerator<CountedRow[]> {
  let at = 0;
  let last: CountedRow | undefined;
  const portion: CountedRow[] = [];
  const take = (row: CountedRow): void => {
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

const FILES = "read_parquet($1, union_by_name = true, hive_partitioning = false)";

async function* sortedRows(
  directory: string,
  files: readonly string[],
  site: string,
  lot: Lot,
): AsyncGenerator<CountedRow[]> {
  await using duckdb = await openDuckDb(directory, lot.of);
  try {
    const found = await duckdb.connection.runAndReadAll(
      `SELECT DISTINCT shard FROM ${FILES} WHERE site = $2`,
      [duckdb.listValue(files), site],
    );
    const shards = found.getRows().map(([shard]) => String(shard));
    const rowsOf = rowMaker(site, shards);
    const result = await duckdb.connection.stream(
      `SELECT ${selected("$5")} FROM ${FILES} WHERE site = $2 AND ${IN_LOT}
       ORDER BY shard, length(sequence), sequence, "index"`,
      [duckdb.listValue(files), site, lot.of, lot.number, duckdb.listValue(shards)],
    );
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield rowsOf(chunk.getColumns(), chunk.rowCount);
    }
  } catch (cause) {
    throw asOutage(directory, cause);
  }
}

/** With its share of memory and threads where `sharers` threads of this process open one each. */
async function openDuckDb(directory: string, sharers = 1) {
  const { DuckDBInstance, listValue } = await import("@duckdb/node-api");
  // One of its own: instances name their files alike, and would write into each other's.
  const spill = join(temporaryFolder(directory), `sort-${randomBytes(8).toString("hex")}`);
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: `${Math.ceil(MEMORY_LIMIT_MB / sharers)}MB`,
    temp_directory: spill,
    threads: String(Math.max(1, Math.floor(THREADS / sharers))),
    // What was freed goes back to the system.
    allocator_flush_threshold: "8MB",
    allocator_bulk_deallocation_flush_threshold: "8MB",
  });
  const connection = await instance.connect();
  return {
    connection,
    listValue,
    async [Symbol.asyncDispose]() {
      connection.closeSync();
      instance.closeSync();
      await rm(spill, { recursive: true, force: true });
    },
  };
}

const asOutage = (directory: string, cause: unknown): ClickstreamError =>
  cause instanceof ClickstreamError
    ? cause
    : new ClickstreamError("unavailable", `archive ${directory}: files could not be read`, { cause });
