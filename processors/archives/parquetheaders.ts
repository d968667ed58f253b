/**
 * What a Parquet file says about its bytes: headers of pages, and the footer. Fields have the numbers that
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift gives them. hyparquet-writer makes the
 * same of objects with names, which takes as long as all values of a file of some thousand rows.
 */
import type { ColumnChunk, Encoding, RowGroup, SchemaElement, Statistics } from "hyparquet";
import {
  CompressionCodecs,
  ConvertedTypes,
  Encodings,
  FieldRepetitionTypes,
  PageTypes,
  ParquetTypes,
} from "hyparquet/src/constants.js";
import type { ByteWriter } from "hyparquet-writer";
import { serializeTCompactProtocol, ThriftStruct } from "hyparquet-writer/src/thrift.js";

/** Types of fields in Thrift's compact protocol. */
const FALSE = 2;
const INT = 5;
const LONG = 6;
const BYTES = 8;
const LIST = 9;
const STRUCT = 12;

const MAGIC = 0x31524150; // PAR1

/** A field without a value is left out. */
const struct = (...fields: ThriftStruct["fields"]): ThriftStruct => new ThriftStruct(fields);
/** Its types know of objects with names alone. */
const write = (file: ByteWriter, own: object): void =>
  serializeTCompactProtocol(file, own as Record<`field_${number}`, unknown>);

export interface PageSizes {
  /** In bytes, without the header. */
  readonly unpacked: number;
  readonly stored: number;
}

export function writeDictionaryHeader(
  file: ByteWriter,
  { unpacked, stored }: PageSizes,
  values: number,
): void {
  const own = struct([1, INT, values], [2, INT, Encodings.indexOf("PLAIN")]);
  const type = PageTypes.indexOf("DICTIONARY_PAGE");
  write(file, struct([1, INT, type], [2, INT, unpacked], [3, INT, stored], [7, STRUCT, own]));
}

/** A data page, version 2: its levels come first and are never compressed. */
export interface DataPage extends PageSizes {
  readonly values: number;
  readonly nulls: number;
  readonly rows: number;
  readonly encoding: Encoding;
  /** In bytes. */
  readonly definitions: number;
  readonly repetitions: number;
  readonly isCompressed: boolean;
}

export function writeDataHeader(file: ByteWriter, page: DataPage): void {
  const own = struct(
    [1, INT, page.values],
    [2, INT, page.nulls],
    [3, INT, page.rows],
    [4, INT, Encodings.indexOf(page.encoding)],
    [5, INT, page.definitions],
    [6, INT, page.repetitions],
    [7, FALSE, page.isCompressed ? undefined : false],
  );
  const type = PageTypes.indexOf("DATA_PAGE_V2");
  write(file, struct([1, INT, type], [2, INT, page.unpacked], [3, INT, page.stored], [8, STRUCT, own]));
}

export const beginFile = (file: ByteWriter): void => file.appendUint32(MAGIC);

/** What stands behind the last row group, to the end of the file. */
export function endFile(
  file: ByteWriter,
  schema: readonly SchemaElement[],
  groups: readonly RowGroup[],
): void {
  const start = file.offset;
  const leaves = schema.filter(({ type }) => type);
  const footer = struct(
    [1, INT, 2],
    [2, LIST, schema.map(elementStruct)],
    [3, LONG, groups.reduce((rows, { num_rows }) => rows + num_rows, 0n)],
    [4, LIST, groups.map(groupStruct)],
    [6, BYTES, "rivulet"],
    // Lowest and highest values are by the order of their type.
    [7, LIST, leaves.map(() => struct([1, STRUCT, struct()]))],
  );
  write(file, footer);
  file.appendUint32(file.offset - start);
  file.appendUint32(MAGIC);
}

const numberOf = <Name>(names: readonly Name[], name: Name | undefined): number | undefined =>
  name === undefined ? undefined : names.indexOf(name);

const elementStruct = (element: SchemaElement): ThriftStruct =>
  struct(
    [1, INT, numberOf(ParquetTypes, element.type)],
    [3, INT, numberOf(FieldRepetitionTypes, element.repetition_type)],
    [4, BYTES, element.name],
    [5, INT, element.num_children],
    [6, INT, numberOf(ConvertedTypes, element.converted_type)],
  );

const groupStruct = (group: RowGroup): ThriftStruct =>
  struct(
    [1, LIST, group.columns.map(chunkStruct)],
    [2, LONG, group.total_byte_size],
    [3, LONG, group.num_rows],
    [6, LONG, group.total_compressed_size],
  );

function chunkStruct({ file_offset, meta_data }: ColumnChunk): ThriftStruct {
  const own = meta_data!;
  const described = struct(
    [1, INT, ParquetTypes.indexOf(own.type)],
    [2, LIST, own.encodings.map((encoding) => Encodings.indexOf(encoding))],
    [3, LIST, own.path_in_schema],
    [4, INT, CompressionCodecs.indexOf(own.codec)],
    [5, LONG, own.num_values],
    [6, LONG, own.total_uncompressed_size],
    [7, LONG, own.total_compressed_size],
    [9, LONG, own.data_page_offset],
    [11, LONG, own.dictionary_page_offset],
    [12, STRUCT, own.statistics && spanStruct(own.statistics)],
  );
  return struct([2, LONG, file_offset], [3, STRUCT, described]);
}

/** Of a column of INT64. */
function spanStruct({ min_value, max_value }: Statistics): ThriftStruct {
  return struct([5, BYTES, longBytes(max_value as bigint)], [6, BYTES, longBytes(min_value as bigint)]);
}

function longBytes(value: bigint): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, value, true);
  return new Uint8Array(bytes.buffer);
}
