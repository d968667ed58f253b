/**
 * Single columns of a Parquet file, for those who read every row. hyparquet's parts without what it does for nested values,
 * which takes most of its time where columns are flat, and mostly hold few different texts or nothing at all.
 */
import {
  type ColumnChunk,
  type DecodedArray,
  type FileMetaData,
  type PageHeader,
  parquetRead,
  parquetSchema,
} from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { convertWithDictionary, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { readPlain } from "hyparquet/src/plain.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { openParquet } from "./parquet.ts";

type File = ReturnType<typeof openParquet>;
type Decoder = Parameters<typeof readDataPageV2>[2];

export interface RowGroup {
  readonly file: File;
  /** Number of its first row in the file. */
  readonly from: number;
  readonly rows: number;
  readonly columns: readonly ColumnChunk[];
}

/** The row groups of a file, of which nothing is read yet. */
export function rowGroups(bytes: Uint8Array): RowGroup[] {
  const file = openParquet(bytes);
  let end = 0;
  return file.metadata.row_groups.map(({ num_rows, columns }) => {
    const [from, rows] = [end, Number(num_rows)];
    end += rows;
    return { file, from, rows, columns };
  });
}

/**
 * Values by column: longs as numbers, maps as hyparquet has them, undefined for a null or an empty map where a column holds
 * nothing else. Throws for a column that the file lacks.
 */
export async function columnsIn(
  group: RowGroup,
  names: readonly string[],
): Promise<Readonly<Record<string, ArrayLike<unknown>>>> {
  const found: Record<string, ArrayLike<unknown>> = {};
  for (const name of names) {
    const [chunk] = group.columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === name);
    if (!chunk) throw new RangeError(`parquet: no column ${name}`);
    const isFlat = chunk.meta_data!.path_in_schema.length === 1;
    found[name] =
      isFlat || isEmpty(group, chunk) ? flatColumn(group, chunk) : await nestedColumn(group, name);
  }
  return found;
}

async function nestedColumn({ file, from, rows }: RowGroup, name: string): Promise<ArrayLike<unknown>> {
  const values = new Array<unknown>(rows);
  await parquetRead({
    ...file,
    columns: [name],
    rowStart: from,
    rowEnd: from + rows,
    onChunk({ columnData, rowStart }) {
      for (let i = 0; i < columnData.length; i++) values[rowStart - from + i] = columnData[i];
    },
  });
  return values;
}

/** A page: what its header says, and its bytes. */
interface Page {
  readonly header: PageHeader;
  readonly bytes: Uint8Array;
}

function* pagesOf({ file, rows }: RowGroup, { meta_data }: ColumnChunk): Generator<Page> {
  const { data_page_offset, dictionary_page_offset, total_compressed_size } = meta_data!;
  const start = Number(dictionary_page_offset || data_page_offset);
  const reader = { view: new DataView(file.file, start, Number(total_compressed_size)), offset: 0 };
  for (let left = rows; left > 0; ) {
    const header = parquetHeader(reader);
    const bytes = new Uint8Array(file.file, start + reader.offset, header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    left -= valuesIn(header);
    yield { header, bytes };
  }
}

/** 0 in a page that is none of values. */
const valuesIn = ({ data_page_header, data_page_header_v2 }: PageHeader): number =>
  data_page_header_v2?.num_values ?? data_page_header?.num_values ?? 0;

const isAllNull = ({ data_page_header_v2: header }: PageHeader): boolean =>
  header !== undefined && header.num_nulls === header.num_values;

/** Whether no row has anything, as far as that is seen without decoding. */
const isEmpty = (group: RowGroup, chunk: ColumnChunk): boolean =>
  [...pagesOf(group, chunk)].every(({ header }) => valuesIn(header) === 0 || isAllNull(header));

function flatColumn(group: RowGroup, chunk: ColumnChunk): ArrayLike<unknown> {
  const decoder = decoderOf(group.file, chunk);
  let dictionary: DecodedArray | undefined;
  const pages: ArrayLike<unknown>[] = [];
  for (const page of pagesOf(group, chunk)) {
    if (page.header.dictionary_page_header) dictionary = dictionaryOf(page, decoder);
    else if (valuesIn(page.header) > 0) pages.push(valuesOf(page, dictionary, decoder));
  }
  return pages.length === 1 ? pages[0]! : pages.flatMap((page) => Array.from(page));
}

function decoderOf({ metadata, compressors }: File, { meta_data }: ColumnChunk): Decoder {
  const { path_in_schema, type, codec } = meta_data!;
  const schemaPath = getTreePath(schemaOf(metadata), path_in_schema);
  const { element } = schemaPath.at(-1)!;
  return {
    pathInSchema: path_in_schema,
    schemaPath,
    element,
    type,
    codec,
    compressors,
    parsers: DEFAULT_PARSERS,
  };
}

const schemas = new WeakMap<FileMetaData, ReturnType<typeof parquetSchema>>();
function schemaOf(metadata: FileMetaData): ReturnType<typeof parquetSchema> {
  let schema = schemas.get(metadata);
  if (!schema) {
    schema = parquetSchema(metadata);
    schemas.set(metadata, schema);
  }
  return schema;
}

function dictionaryOf({ header, bytes }: Page, decoder: Decoder): DecodedArray {
  const { codec, compressors, type, element } = decoder;
  const page = decompressPage(bytes, header.uncompressed_page_size, codec, compressors);
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 };
  const values = readPlain(reader, type, header.dictionary_page_header!.num_values, element.type_length);
  return asNumbers(convertWithDictionary(values, undefined, "PLAIN", decoder));
}

function valuesOf(
  { header, bytes }: Page,
  dictionary: DecodedArray | undefined,
  decoder: Decoder,
): ArrayLike<unknown> {
  const count = valuesIn(header);
  if (isAllNull(header)) return { length: count };
  const { data_page_header: first, data_page_header_v2: second } = header;
  const { codec, compressors } = decoder;
  const { dataPage, definitionLevels } = second
    ? readDataPageV2(bytes, header, decoder)
    : readDataPage(decompressPage(bytes, header.uncompressed_page_size, codec, compressors), first!, decoder);
  const encoding = (second ?? first)!.encoding;
  const values = asNumbers(convertWithDictionary(dataPage, dictionary, encoding, decoder));
  if (values.length === count) return values;
  const withNulls = new Array<unknown>(count);
  for (let i = 0, next = 0; i < count; i++) withNulls[i] = definitionLevels![i] ? values[next++] : null;
  return withNulls;
}

/** A bigint for each value would be garbage at once. */
function asNumbers(values: DecodedArray): DecodedArray {
  if (!(values instanceof BigInt64Array)) return values;
  const halves = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < numbers.length; i++)
    numbers[i] = halves.getUint32(i * 8, true) + halves.getInt32(i * 8 + 4, true) * 2 ** 32;
  return numbers;
}
