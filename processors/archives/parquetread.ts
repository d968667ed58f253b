/**
 * Single columns of a Parquet file, for those who read every row. hyparquet's parts without what it does for nested values,
 * which takes most of its time where columns are flat, and mostly hold few different texts or nothing at all.
 */
import {
  type ColumnChunk,
  type DecodedArray,
  type FileMetaData,
  type PageHeader,
  parquetSchema,
} from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { convertWithDictionary, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { readPlain } from "hyparquet/src/plain.js";
import { getMaxDefinitionLevel, getTreePath } from "hyparquet/src/schema.js";
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
 * Values by column: longs as numbers, maps as entries in their order, and what is null as null, or as undefined in a column
 * of nothing else. Throws for a column that the file lacks.
 */
export function columnsIn(
  group: RowGroup,
  names: readonly string[],
): Readonly<Record<string, ArrayLike<unknown>>> {
  const found: Record<string, ArrayLike<unknown>> = {};
  for (const name of names) {
    const leaves = group.columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === name);
    const [first, second] = leaves.map((chunk) => leafOf(group, chunk));
    if (!first) throw new RangeError(`parquet: no column ${name}`);
    found[name] = second ? mapsOf(first, second) : valuesOf(first);
  }
  return found;
}

/** A column as it is stored: the values that there are, and for each place, which of the levels above it are there. */
interface Leaf {
  readonly values: ArrayLike<unknown>;
  /** Places in all; a list has one for each of its values, and one where it is empty. */
  readonly places: number;
  /** The level at which there is a value. */
  readonly full: number;
  /** By place. Empty where all are full. */
  readonly levels: ArrayLike<number>;
  /** By place of a list: 0 where a row begins. */
  readonly repeats: ArrayLike<number>;
}

function valuesOf({ values, places, full, levels }: Leaf): ArrayLike<unknown> {
  if (values.length === places) return values;
  if (values.length === 0) return { length: places };
  const withNulls = new Array<unknown>(places);
  for (let i = 0, next = 0; i < places; i++) withNulls[i] = levels[i] === full ? values[next++] : null;
  return withNulls;
}

type Entries = readonly (readonly [key: unknown, value: unknown])[];
const NO_ENTRIES: Entries = [];

function mapsOf(keys: Leaf, values: Leaf): ArrayLike<Entries> {
  const maps: Entries[] = [];
  let [nextKey, nextValue] = [0, 0];
  let last = NO_ENTRIES;
  for (let i = 0; i < keys.places; i++) {
    const isFirst = keys.repeats[i] === 0;
    if (isFirst) maps.push(NO_ENTRIES);
    if (keys.levels.length > 0 && keys.levels[i] !== keys.full) continue;
    const key = keys.values[nextKey++];
    const isNull = values.levels.length > 0 && values.levels[i] !== values.full;
    const value = isNull ? null : values.values[nextValue++];
    // Rows that follow each other mostly say the same.
    if (!isFirst) maps[maps.length - 1] = [...maps.at(-1)!, [key, value]];
    else if (last[0]?.[0] === key && last[0]?.[1] === value) maps[maps.length - 1] = last;
    else {
      last = [[key, value]];
      maps[maps.length - 1] = last;
    }
  }
  return maps;
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

function leafOf(group: RowGroup, chunk: ColumnChunk): Leaf {
  const decoder = decoderOf(group.file, chunk);
  const full = getMaxDefinitionLevel(decoder.schemaPath);
  let dictionary: DecodedArray | undefined;
  const pages: Leaf[] = [];
  for (const page of pagesOf(group, chunk)) {
    if (page.header.dictionary_page_header) dictionary = dictionaryOf(page, decoder);
    else if (valuesIn(page.header) > 0) pages.push({ full, ...decodedPage(page, dictionary, decoder) });
  }
  // What this project writes has one page.
  if (pages.length === 1) return pages[0]!;
  const places = pages.reduce((sum, page) => sum + page.places, 0);
  return {
    full,
    places,
    values: pages.flatMap(({ values }) => Array.from(values)),
    levels: pages.flatMap((page) =>
      page.levels.length > 0 ? Array.from(page.levels) : new Array<number>(page.places).fill(full),
    ),
    repeats: pages.flatMap(({ repeats }) => Array.from(repeats)),
  };
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

function decodedPage(
  { header, bytes }: Page,
  dictionary: DecodedArray | undefined,
  decoder: Decoder,
): Omit<Leaf, "full"> {
  const { data_page_header: first, data_page_header_v2: second } = header;
  const places = valuesIn(header);
  const isFlat = decoder.pathInSchema.length === 1;
  if (isFlat && second?.num_nulls === places) return { values: [], places, levels: [], repeats: [] };
  const { codec, compressors } = decoder;
  const { dataPage, definitionLevels, repetitionLevels } = second
    ? readDataPageV2(bytes, header, decoder)
    : readDataPage(decompressPage(bytes, header.uncompressed_page_size, codec, compressors), first!, decoder);
  const encoding = (second ?? first)!.encoding;
  const values = asNumbers(convertWithDictionary(dataPage, dictionary, encoding, decoder));
  return { values, places, levels: definitionLevels ?? [], repeats: repetitionLevels };
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
