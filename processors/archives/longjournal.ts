/**
 * Makes Parquet files of a long journal with DuckDB, which takes half the processor time of making them here, and some
 * hundred megabytes: so only those who write much pay for it. Knows nothing of where files belong.
 */
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { ARCHIVE_COLUMNS, type Column } from "../model/archive.ts";
import { type EpochMs, HOUR_MS } from "../model/time.ts";

/** Shorter ones are made into files as fast as DuckDB begins. */
const LONG_BYTES = 4 << 20;
/** Once it has begun, it is the faster one from here on: the rest of a long journal, mostly. */
const BEGUN_BYTES = 256 << 10;
/** A journal of 8 MiB and the files of some hours fit in it. */
const MEMORY_LIMIT = "96MB";

/** Rows of one site and hour of event time. */
export interface JournalPart {
  readonly site: string;
  readonly hour: EpochMs;
  readonly path: string;
}

const TYPES = { text: "VARCHAR", int: "INTEGER", long: "BIGINT", bool: "BOOLEAN", double: "DOUBLE" } as const;

/** A journal's line is an array, and `v` holds its values as text, nested ones as JSON. */
const selectOf = ({ name, type }: Column, i: number): string =>
  type === "map"
    ? `map_from_entries(list_transform(from_json(v[${i + 1}], '[["VARCHAR"]]'), lambda pair: {k: pair[1], v: pair[2]})) AS "${name}"`
    : `CAST(v[${i + 1}] AS ${TYPES[type]}) AS "${name}"`;

/** DuckDB reads into buffers twice as long as the longest line may be. */
const MAX_LINE_BYTES = 1 << 20;

/** The site in hexadecimal: it names a folder, whatever is in it. */
const COPY = (into: string): string => `COPY (
  SELECT *, hex(site) AS part_site, "at" // ${HOUR_MS} AS part_hour
  FROM (SELECT ${ARCHIVE_COLUMNS.map(selectOf).join(", ")}
        FROM (SELECT json AS v FROM read_json($1, format = 'newline_delimited', records = 'false',
                                              columns = {json: 'VARCHAR[]'}, maximum_object_size = ${MAX_LINE_BYTES})))
) TO '${into.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (part_site, part_hour))`;

export class LongJournals {
  readonly #longBytes: number;
  readonly #begunBytes: number;
  #duckdb: { readonly instance: DuckDBInstance; readonly connection: DuckDBConnection } | undefined;

  /** `longBytes`: what DuckDB is begun for; `begunBytes`: what it is given once it has. */
  constructor(longBytes = LONG_BYTES, begunBytes = Math.min(BEGUN_BYTES, longBytes)) {
    this.#longBytes = longBytes;
    this.#begunBytes = begunBytes;
  }

  /**
   * Writes the rows of a journal, as they came and with their repeats, to files below `into`, which must not exist.
   * Undefined for a journal that is not long, ends in half a line, or holds what DuckDB does not read, such as half a
   * surrogate pair: then nothing is there that counts, and whoever asked makes the files without it.
   */
  async convert(path: string, into: string): Promise<{ rows: number; parts: JournalPart[] } | undefined> {
    const least = this.#duckdb ? this.#begunBytes : this.#longBytes;
    if ((await stat(path)).size < least || !(await endsWithLine(path))) return undefined;
    this.#duckdb ??= await begin();
    try {
      const { rowsChanged } = await this.#duckdb.connection.run(COPY(into), [path]);
      return { rows: rowsChanged, parts: await partsIn(into) };
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.#duckdb?.connection.closeSync();
    this.#duckdb?.instance.closeSync();
    this.#duckdb = undefined;
  }
}

async function begin() {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: MEMORY_LIMIT,
    // What else goes on needs the other processors.
    threads: "1",
    // What was freed goes back to the system: 35 instead of 90 MB stay resident, for a tenth more time.
    allocator_flush_threshold: "8MB",
    allocator_bulk_deallocation_flush_threshold: "8MB",
  });
  return { instance, connection: await instance.connect() };
}

async function partsIn(into: string): Promise<JournalPart[]> {
  const parts: JournalPart[] = [];
  for (const site of await readdir(into))
    for (const hour of await readdir(join(into, site)))
      for (const file of (await readdir(join(into, site, hour))).sort())
        parts.push({
          site: Buffer.from(site.slice("part_site=".length), "hex").toString(),
          hour: Number(hour.slice("part_hour=".length)) * HOUR_MS,
          path: join(into, site, hour, file),
        });
  return parts;
}

async function endsWithLine(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    return bytesRead === 1 && buffer[0] === 10;
  } finally {
    await file.close();
  }
}
