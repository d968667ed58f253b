/** Parquet files of archive rows: typed columns, compressed with zstd, in row groups that a reader can take one at a time. */
import { zstdDecompressSync } from "node:zlib";
import {
  type ColumnChunk,
  parquetMetadata,
  parquetReadObjects,
  type RowGroup,
  type SchemaElement,
} from "hyparquet";
import { ByteWriter } from "hyparquet-writer";
import { ARCHIVE_COLUMNS, type ColumnType } from "../model/archive.ts";
import { type Leaf, type LeafType, writeLeaf } from "./parquetcolumn.ts";
import { beginFile, endFile } from "./parquetheaders.ts";
import { Runs } from "./runs.ts";
import type { Values } from "./values.ts";

/** Small enough to be held for each of many files at once. */
const ROW_GROUP = 20_000;

/** Of a file of some thousand rows. */
const FIRST_FILE_BYTES = 128 << 10;

/**
 * Lowest and highest values help a reader to skip a file only where it asks for a span of them, and cost time to find.
 */
const WITH_STATISTICS: ReadonlySet<string> = new Set(["at"]);

const TYPES: Readonly<Record<Exclude<ColumnType, "map">, LeafType>> = {
  text: "BYTE_ARRAY",
  int: "INT32",
  long: "INT64",
  bool: "BOOLEAN",
  double: "DOUBLE",
};

const leafOf = (type: Exclude<ColumnType, "map">): Partial<SchemaElement> =>
  type === "text" ? { type: TYPES.text, converted_type: "UTF8" } : { type: TYPES[type] };

const SCHEMA: SchemaElement[] = [
  { name: "row", num_children: ARCHIVE_COLUMNS.length },
  ...ARCHIVE_COLUMNS.flatMap(({ name, type, nullable }): SchemaElement[] => {
    const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
    if (type !== "map") return [{ name, ...leafOf(type), repetition_type }];
    return [
      { name, converted_type: "MAP", repetition_type, num_children: 1 },
      { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
      { name: "key", ...leafOf("text"), repetition_type: "REQUIRED" },
      { name: "value", ...leafOf("text"), repetition_type: "REQUIRED" },
    ];
  }),
];

/** One file with these rows, in this order. Throws a RangeError for a number that its column does not hold. */
export const encodeParquet = (rows: readonly Values[], rowGroup = ROW_GROUP): Uint8Array<ArrayBuffer> =>
  encodeColumns(asColumns(rows), rowGroup);

/** The same of rows that are columns already, those of ARCHIVE_COLUMNS. */
export function encodeColumns(all: readonly Runs[], rowGroup = ROW_GROUP): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(FIRST_FILE_BYTES);
  const scratch = new ByteWriter(FIRST_FILE_BYTES);
  const groups: RowGroup[] = [];
  beginFile(writer);
  const { length } = all[0]!;
  for (let from = 0; from < length; from += rowGroup) {
    const to = Math.min(length, from + rowGroup);
    const own = to - from === length ? all : all.map((runs) => runs.select([{ from, to }]));
    const start = writer.offset;
    const columns = ARCHIVE_COLUMNS.flatMap(({ name, type, nullable }, at): ColumnChunk[] => {
      const column = own[at]!;
      if (type === "map")
        return mapLeaves(name, column as Runs<Entries>).map((leaf) => writeLeaf(writer, scratch, leaf));
      const statistics = WITH_STATISTICS.has(name);
      return [writeLeaf(writer, scratch, { path: [name], type: TYPES[type], nullable, column, statistics })];
    });
    groups.push({
      columns,
      total_byte_size: columns.reduce((sum, one) => sum + one.meta_data!.total_uncompressed_size, 0n),
      num_rows: BigInt(to - from),
      total_compressed_size: BigInt(writer.offset - start),
    });
  }
  endFile(writer, SCHEMA, groups);
  return writer.getBytes();
}

/** Row by row, because the values of a row lie together in memory. */
function asColumns(rows: readonly Values[]): Runs[] {
  const columns = ARCHIVE_COLUMNS.map(() => new Runs());
  for (const row of rows) for (let at = 0; at < columns.length; at++) columns[at]!.append(row[at] ?? null);
  return columns;
}

type Entries = readonly (readonly [key: string, value: string])[];

/** Keys and values of a map, each a column of its own in which a row has as many values as its map has entries. */
function mapLeaves(name: string, maps: Runs<Entries>): Leaf[] {
  const keys = new Runs<string | null>();
  const values = new Runs<string | null>();
  const goesOn = new Runs<number>();
  for (let run = 0, row = 0; run < maps.values.length; run++) {
    const entries = maps.values[run]!;
    const rows = maps.end(run) - row;
    row += rows;
    if (entries.length === 0) {
      keys.append(null, rows);
      values.append(null, rows);
      goesOn.append(0, rows);
      continue;
    }
    for (let left = rows; left > 0; left--)
      for (let i = 0; i < entries.length; i++) {
        keys.append(entries[i]![0]);
        values.append(entries[i]![1]);
        goesOn.append(i === 0 ? 0 : 1);
      }
  }
  const leaf = (field: string, column: Runs): Leaf => ({
    path: [name, "key_value", field],
    type: "BYTE_ARRAY",
    nullable: true,
    column,
    goesOn,
    rows: maps.length,
  });
  return [leaf("key", keys), leaf("value", values)];
}

/** A file as hyparquet takes it. */
export function openParquet(bytes: Uint8Array) {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const metadata = parquetMetadata(file);
  // As an object a map would lose its order, and a key called __proto__.
  for (const element of metadata.schema)
    if (element.converted_type === "MAP") {
      delete element.converted_type;
      delete element.logical_type;
    }
  return { file, metadata, compressors: { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) } };
}

/** All rows of a file, in its order. Columns that it lacks are null. */
export async function decodeParquet(bytes: Uint8Array): Promise<unknown[][]> {
  const objects = await parquetReadObjects(openParquet(bytes));
  return objects.map((object) => ARCHIVE_COLUMNS.map(({ name, type }) => decodeValue(type, object[name])));
}

/** Its one field is called `key_value` here and in the format's description, and `map` by Hive, which Firehose writes with. */
type EncodedMap = Readonly<
  Record<string, readonly { readonly key: string; readonly value: string }[] | undefined>
>;

function decodeValue(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === "long") return Number(value);
  if (type === "map")
    return (Object.values(value as EncodedMap)[0] ?? []).map(({ key, value: text }) => [key, text]);
  return value;
}
