/** A Parquet file as the importer reads it: rows with named columns, some thousand at a time. Knows no disk and no bucket. */
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaElement,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { ClickstreamError } from "../../errors.ts";
import { DAY_MS } from "../../model/time.ts";
import { CHUNK_BYTES, type Digest } from "./chunks.ts";
import type { ImportSource } from "./importer.ts";
import type { ImportOptions } from "./row.ts";
import { areRequests, columnsOf, type Mapping, takeRow } from "./table.ts";

export interface ParquetSettings extends ImportOptions {
  readonly name: string;
  readonly file: AsyncBuffer;
  readonly newDigest: () => Digest;
  readonly mapping?: Mapping | undefined;
}

/** Rows of a chunk of CHUNK_BYTES; and chunks decoded at once: pages and row groups are larger than chunks. */
const CHUNK_ROWS = 2_500;
const CHUNKS_AT_ONCE = 20;
/** A file is read in pieces of this size to be digested. */
const DIGEST_BYTES = 4 * 1024 * 1024;

/** What a Date holds, to both sides of 1970. https://tc39.es/ecma262/#sec-time-values-and-time-range */
const MAX_DAYS = 1e8;
/** A day is no time, so it must not become the first of its moments. */
const PARSERS = {
  dateFromDays: (days: number) =>
    Math.abs(days) > MAX_DAYS ? "" : new Date(days * DAY_MS).toISOString().slice(0, 10),
};
const columnNames = (pairs: readonly (readonly [string, string])[]): string[] =>
  pairs.map(([, column]) => column);

/** Reads the footer and digests the file. Throws `config` for what is no Parquet, or has no columns that are known. */
export async function parquetSource(settings: ParquetSettings): Promise<ImportSource> {
  const { name, file, newDigest, mapping, all, hostname } = settings;
  const failing =
    (what: string) =>
    (cause: unknown): never => {
      if (cause instanceof ClickstreamError) throw cause;
      throw new ClickstreamError("config", `${name}: ${what}`, { cause });
    };
  const unreadable = failing("Parquet that cannot be read to its end");
  const { metadata, names, scales } = await footerOf(file).catch(failing("not a Parquet file"));
  const columns = columnsOf(names, mapping);
  const wanted = [
    ...new Set([
      ...Object.values(columns.fields),
      ...columnNames(columns.props),
      ...columnNames(columns.utm),
    ]),
  ];
  const content = newDigest();
  for (let at = 0; at < file.byteLength; at += DIGEST_BYTES)
    content.update(new Uint8Array(await file.slice(at, Math.min(at + DIGEST_BYTES, file.byteLength))));
  const head = content.current().slice(0, 32);
  const rows = Number(metadata.num_rows);
  const digestOf = (row: number): string => {
    const digest = newDigest();
    digest.update(new TextEncoder().encode(`${head}/${row}`));
    return digest.current();
  };
  return {
    name,
    head,
    settings: JSON.stringify({ format: "parquet", all, hostname, ...(mapping ? { mapping } : {}) }),
    libraries: !areRequests(columns),
    digestsAt: async (positions) => new Map(positions.map((row) => [row, digestOf(row)])),
    async *chunks({ position, chunkBytes }) {
      const chunkRows = Math.ceil((CHUNK_ROWS * chunkBytes) / CHUNK_BYTES);
      const rowsAtOnce = CHUNKS_AT_ONCE * chunkRows;
      let first = position - (position % rowsAtOnce);
      for (; first < rows; first += rowsAtOnce) {
        const rowEnd = Math.min(first + rowsAtOnce, rows);
        const read = await parquetReadObjects({
          file: readAhead(file),
          metadata,
          compressors,
          parsers: PARSERS,
          columns: wanted,
          rowStart: first,
          rowEnd,
        }).catch(unreadable);
        if (read.length < rowEnd - first) unreadable(new Error(`${rows} rows are said to be in it`));
        for (let start = Math.max(first, position); start < rowEnd; start += chunkRows) {
          const end = Math.min(start + chunkRows, rowEnd);
          const part = read.slice(start - first, end - first);
          yield {
            end,
            digest: digestOf(end),
            lines: end - start,
            atEnd: end === rows,
            parse: (sink) => {
              for (const [i, row] of part.entries())
                takeRow(
                  start + i + 1,
                  columns,
                  (column) => decimal(row[column], scales.get(column)),
                  { all, hostname },
                  sink,
                );
            },
          };
        }
      }
    },
  };
}

interface Footer {
  readonly metadata: FileMetaData;
  readonly names: string[];
  /** Of columns of decimals, how many digits stand behind the point. */
  readonly scales: ReadonlyMap<string, number>;
}

/** What the end of the file says of it. Throws where that is none, or not of this file. */
async function footerOf(file: AsyncBuffer): Promise<Footer> {
  const metadata = await parquetMetadataAsync(file);
  const grouped = metadata.row_groups.reduce((sum, { num_rows }) => sum + num_rows, 0n);
  if (grouped !== metadata.num_rows)
    throw new Error(`${metadata.num_rows} rows are said to be in it, and ${grouped} in its row groups`);
  // Columns of the rows; what lies within lists and structs may be called like them.
  const elements = parquetSchema(metadata)
    .children.map(({ element }) => element)
    .filter((element) => !isTimeOfDay(element));
  const names = elements.map(({ name }) => name);
  if (names.includes(undefined as never)) throw new Error("a column has no name");
  const scales = new Map(
    elements.flatMap(({ name, converted_type, scale = 0 }) =>
      converted_type === "DECIMAL" && scale >= 0 && scale <= MAX_SCALE ? [[name, scale] as const] : [],
    ),
  );
  return { metadata, names, scales };
}

/** What `toFixed` takes; decimals have 38 digits at most. */
const MAX_SCALE = 100;

/** hyparquet multiplies a decimal's digits, so that 0.3 becomes 0.30000000000000004. */
const decimal = (value: unknown, scale: number | undefined): unknown =>
  scale !== undefined && typeof value === "number" ? Number(value.toFixed(scale)) : value;

/** Its numbers would be read as moments since 1970. */
const isTimeOfDay = ({ logical_type, converted_type }: SchemaElement): boolean =>
  logical_type?.type === "TIME" || /^TIME_/.test(converted_type ?? "");

/** Parts are asked for at once: the first that fails tells of it, and nobody is left to hear of the others. */
const readAhead = (file: AsyncBuffer): AsyncBuffer => ({
  byteLength: file.byteLength,
  slice(start, end) {
    const part = Promise.resolve(file.slice(start, end));
    part.catch(() => {});
    return part;
  },
});
