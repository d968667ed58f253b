/** Parquet files of archive rows: typed columns, compressed with zstd, in row groups that a reader can take one at a time. */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { parquetMetadata, parquetReadObjects, type SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { ARCHIVE_COLUMNS, type ColumnType } from "../model/archive.ts";
import type { Values } from "./layout.ts";

/** Small enough to be held for each of many files at once. */
const ROW_GROUP = 20_000;

/**
 * Lowest and highest values help a reader to skip a file only where it asks for a span of them. Finding them out for all
 * columns takes a third of the time.
 */
const WITH_STATISTICS: ReadonlySet<string> = new Set(["at"]);

const TYPES: Readonly<Record<Exclude<ColumnType, "map">, Partial<SchemaElement>>> = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  int: { type: "INT32" },
  long: { type: "INT64" },
  bool: { type: "BOOLEAN" },
  double: { type: "DOUBLE" },
};

const SCHEMA: SchemaElement[] = [
  { name: "row", num_children: ARCHIVE_COLUMNS.length },
  ...ARCHIVE_COLUMNS.flatMap(({ name, type, nullable }): SchemaElement[] => {
    const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
    if (type !== "map") return [{ name, ...TYPES[type], repetition_type }];
    return [
      { name, converted_type: "MAP", repetition_type, num_children: 1 },
      { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
      { name: "key", ...TYPES.text, repetition_type: "REQUIRED" },
      { name: "value", ...TYPES.text, repetition_type: "REQUIRED" },
    ];
  }),
];

/** One file with these rows, in this order. */
export function encodeParquet(rows: readonly Values[]): Uint8Array {
  const columnData = ARCHIVE_COLUMNS.map(({ name, type }, i) => ({
    name,
    data: rows.map((row) => encodeValue(type, row[i])),
    statistics: WITH_STATISTICS.has(name),
  }));
  const buffer = parquetWriteBuffer({
    schema: SCHEMA,
    columnData,
    codec: "ZSTD",
    compressors: { ZSTD: (input) => zstdCompressSync(input) },
    rowGroupSize: ROW_GROUP,
  });
  return new Uint8Array(buffer);
}

function encodeValue(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === "long") return BigInt(value as number);
  if (type === "map") return (value as [string, string][]).map(([key, text]) => ({ key, value: text }));
  return value;
}

/** All rows of a file, in its order. Columns that it lacks are null. */
export async function decodeParquet(bytes: Uint8Array): Promise<unknown[][]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const metadata = parquetMetadata(file);
  // As an object a map would lose its order, and a key called __proto__.
  for (const element of metadata.schema)
    if (element.converted_type === "MAP") {
      delete element.converted_type;
      delete element.logical_type;
    }
  const objects = await parquetReadObjects({
    file,
    metadata,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
  });
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
