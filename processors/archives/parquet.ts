/** Parquet files of archive rows: typed columns, compressed with zstd, in row groups that a reader can take one at a time. */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type ColumnChunk, parquetMetadata, parquetReadObjects, type SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { ARCHIVE_COLUMNS, type ColumnType } from "../model/archive.ts";
import type { Values } from "./layout.ts";
import { type Leaf, type LeafType, writeLeaf } from "./parquetcolumn.ts";

/** Small enough to be held for each of many files at once. */
const ROW_GROUP = 20_000;

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
  encodeColumns(rows.length, (from, to) => byColumn(rows, from, to), rowGroup);

/** The same for `length` rows of which `group` gives the columns from one to before another. */
export function encodeColumns(
  length: number,
  group: (from: number, to: number) => readonly (readonly unknown[])[],
  rowGroup = ROW_GROUP,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  const file = new ParquetWriter({
    writer,
    schema: SCHEMA,
    codec: "ZSTD",
    compressors: { ZSTD: zstdCompressSync },
  });
  for (let from = 0; from < length; from += rowGroup) {
    const to = Math.min(length, from + rowGroup);
    const own = group(from, to);
    const start = writer.offset;
    const columns = ARCHIVE_COLUMNS.flatMap(({ name, type, nullable }, at): ColumnChunk[] => {
      const values = own[at]!;
      if (type === "map") return mapColumns(writer, name, values as Entries[]);
      const statistics = WITH_STATISTICS.has(name);
      return [writeLeaf(writer, { path: [name], type: TYPES[type], nullable, values, statistics })];
    });
    file.row_groups.push({
      columns,
      total_byte_size: columns.reduce((sum, one) => sum + one.meta_data!.total_uncompressed_size, 0n),
      num_rows: BigInt(to - from),
      total_compressed_size: BigInt(writer.offset - start),
    });
    file.num_rows += BigInt(to - from);
  }
  void file.finish();
  return new Uint8Array(writer.getBuffer());
}

/** Row by row, because the values of a row lie together in memory. */
function byColumn(rows: readonly Values[], from: number, to: number): unknown[][] {
  const columns = ARCHIVE_COLUMNS.map(() => new Array<unknown>(to - from));
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    for (let at = 0; at < columns.length; at++) columns[at]![i - from] = row[at] ?? null;
  }
  return columns;
}

type Entries = readonly (readonly [key: string, value: string])[];

/** Keys and values of a map, each a column of its own in which a row has as many values as its map has entries. */
function mapColumns(writer: ByteWriter, name: string, rows: readonly Entries[]): ColumnChunk[] {
  const keys: (string | null)[] = [];
  const values: (string | null)[] = [];
  const goesOn: number[] = [];
  for (const entries of rows) {
    if (entries.length === 0) {
      keys.push(null);
      values.push(null);
      goesOn.push(0);
    }
    for (let i = 0; i < entries.length; i++) {
      keys.push(entries[i]![0]);
      values.push(entries[i]![1]);
      goesOn.push(i === 0 ? 0 : 1);
    }
  }
  const leaf = (column: string, own: Leaf["values"]): Leaf => ({
    path: [name, "key_value", column],
    type: "BYTE_ARRAY",
    nullable: true,
    values: own,
    goesOn,
  });
  return [writeLeaf(writer, leaf("key", keys)), writeLeaf(writer, leaf("value", values))];
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
