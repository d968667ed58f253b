/**
 * One column of a row group in a Parquet file. hyparquet-writer writes the file around it and its parts; this chooses how,
 * for columns that mostly hold few different texts or nothing at all. Knows none of the columns.
 */
import { constants as zlib, zstdCompressSync } from "node:zlib";
import type { ColumnChunk, Encoding, Statistics } from "hyparquet";
import { ByteWriter } from "hyparquet-writer";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { writeRleBitPackedHybrid } from "hyparquet-writer/src/encoding.js";

export type LeafType = "BYTE_ARRAY" | "INT32" | "INT64" | "BOOLEAN" | "DOUBLE";

export interface Leaf {
  readonly path: string[];
  readonly type: LeafType;
  /** Values may be null: in a list, where it is empty. */
  readonly nullable: boolean;
  readonly values: readonly unknown[];
  /** Of a list, for each value: 1 where it goes on with the row of the one before, 0 where it begins one. */
  readonly goesOn?: readonly number[];
  /** Says the lowest and highest value; of numbers only. */
  readonly statistics?: boolean;
}

/** Below this a page is as short without compression, and beginning to compress takes longer than all else. */
const MIN_COMPRESSED_BYTES = 128;
/** What is left after texts became numbers shrinks as much at the lowest level. */
const ZSTD = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } };

/** Appends a column's pages, and answers what the footer says of them. Throws a RangeError for a value that the leaf's type does not hold. */
export function writeLeaf(writer: ByteWriter, leaf: Leaf): ColumnChunk {
  const { path, type, nullable, values, goesOn } = leaf;
  const start = writer.offset;
  const isUniform = areSame(values);
  const present = nullable ? presentOf(values, isUniform) : values;
  const levels = new ByteWriter(64);
  const repetitionBytes = goesOn ? writeRleBitPackedHybrid(levels, goesOn as number[], 1) : 0;
  const definitionBytes = nullable
    ? writeRleBitPackedHybrid(levels, definitionsOf(values, present.length), 1)
    : 0;
  const numbered = numberedOf(type, present, isUniform);
  const dictionary = numbered && plain(type, numbered.values);
  const page = numbered ? indexes(numbered) : plain(type, present);
  const encoding: Encoding = numbered ? "RLE_DICTIONARY" : "PLAIN";
  const isCompressed = Math.max(page.length, dictionary?.length ?? 0) >= MIN_COMPRESSED_BYTES;
  const packed = (bytes: Uint8Array): Uint8Array => (isCompressed ? zstdCompressSync(bytes, ZSTD) : bytes);
  let unpackedBytes = page.length + levels.offset;
  if (dictionary) {
    const stored = packed(dictionary);
    writePageHeader(writer, {
      type: "DICTIONARY_PAGE",
      uncompressed_page_size: dictionary.length,
      compressed_page_size: stored.length,
      dictionary_page_header: { num_values: numbered.values.length, encoding: "PLAIN" },
    });
    unpackedBytes += writer.offset - start + dictionary.length;
    writer.appendBytes(stored);
  }
  const pageStart = writer.offset;
  const stored = packed(page);
  writePageHeader(writer, {
    type: "DATA_PAGE_V2",
    uncompressed_page_size: levels.offset + page.length,
    compressed_page_size: levels.offset + stored.length,
    data_page_header_v2: {
      num_values: values.length,
      num_nulls: values.length - present.length,
      num_rows: values.length - (goesOn?.reduce((sum, one) => sum + one, 0) ?? 0),
      encoding,
      definition_levels_byte_length: definitionBytes,
      repetition_levels_byte_length: repetitionBytes,
      is_compressed: isCompressed,
    },
  });
  unpackedBytes += writer.offset - pageStart;
  writer.appendBytes(levels.getBytes());
  writer.appendBytes(stored);
  return {
    meta_data: {
      type,
      encodings: numbered ? ["PLAIN", encoding] : [encoding],
      path_in_schema: path,
      codec: isCompressed ? "ZSTD" : "UNCOMPRESSED",
      num_values: BigInt(values.length),
      total_compressed_size: BigInt(writer.offset - start),
      total_uncompressed_size: BigInt(unpackedBytes),
      data_page_offset: BigInt(pageStart),
      ...(dictionary && { dictionary_page_offset: BigInt(start) }),
      ...(leaf.statistics && { statistics: spanOf(present as number[]) }),
    },
    file_offset: BigInt(start),
  };
}

/** Most columns of most files: what is known of one value need not be found out of each. */
function areSame(values: readonly unknown[]): boolean {
  const [first] = values;
  for (let i = 1; i < values.length; i++) if (values[i] !== first) return false;
  return true;
}

function presentOf(values: readonly unknown[], areSame: boolean): readonly unknown[] {
  if (areSame) return values[0] === null ? [] : values;
  return values.includes(null) ? values.filter((value) => value !== null) : values;
}

/** One number a value: 1 where there is one. */
function definitionsOf(values: readonly unknown[], present: number): Uint8Array {
  const definitions = new Uint8Array(values.length);
  if (present === values.length) definitions.fill(1);
  else if (present > 0) for (let i = 0; i < values.length; i++) definitions[i] = values[i] === null ? 0 : 1;
  return definitions;
}

/** Different values in the order of their coming, and the number of each value among them. */
interface Numbered {
  readonly values: readonly unknown[];
  readonly numbers: Uint32Array;
}

/** So many values say whether most are different. */
const SAMPLE = 256;

/** Of texts, unless most are different, and of numbers that are all the same; undefined where values stand by themselves. */
function numberedOf(type: LeafType, values: readonly unknown[], areSame: boolean): Numbered | undefined {
  if (type === "BOOLEAN" || values.length === 0) return undefined;
  if (areSame) return { values: [values[0]], numbers: new Uint32Array(values.length) };
  if (type !== "BYTE_ARRAY") return undefined;
  const numbers = new Uint32Array(values.length);
  const known = new Map<unknown, number>();
  let last: unknown;
  let number = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    // Rows of a visitor follow each other.
    if (value !== last || i === 0) {
      last = value;
      number = known.get(value) ?? known.size;
      if (number === known.size) known.set(value, number);
    }
    numbers[i] = number;
    if (i === SAMPLE && known.size > 0.8 * SAMPLE) return undefined;
  }
  return { values: [...known.keys()], numbers };
}

/** A page of numbers of values: how many bits each takes, and the numbers. */
function indexes({ values, numbers }: Numbered): Uint8Array {
  const page = new ByteWriter(4096);
  const bits = values.length === 1 ? 0 : 32 - Math.clz32(values.length - 1);
  page.appendUint8(bits);
  writeRleBitPackedHybrid(page, numbers, bits);
  return page.getBytes();
}

const spanOf = (values: readonly number[]): Statistics => {
  const [min_value, max_value] = values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  return values.length === 0 ? {} : { min_value: BigInt(min_value), max_value: BigInt(max_value) };
};

/** Values one after the other, as the format's encoding PLAIN has them. */
function plain(type: LeafType, values: readonly unknown[]): Uint8Array {
  if (type === "BYTE_ARRAY") return plainTexts(values as readonly string[]);
  if (type === "BOOLEAN") {
    const bits = new Uint8Array(Math.ceil(values.length / 8));
    for (let i = 0; i < values.length; i++) if (values[i]) bits[i >> 3]! |= 1 << (i & 7);
    return bits;
  }
  const bytes = new Uint8Array(values.length * (type === "INT32" ? 4 : 8));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (type === "DOUBLE") view.setFloat64(i * 8, value, true);
    else if (!Number.isSafeInteger(value) || (type === "INT32" && value !== (value | 0)))
      throw new RangeError(`parquet: ${value} is no ${type}`);
    else if (type === "INT32") view.setInt32(i * 4, value, true);
    else {
      // Two's complement: what of it lies below 2^32, and the rest.
      view.setUint32(i * 8, value >>> 0, true);
      view.setInt32(i * 8 + 4, Math.floor(value / 2 ** 32), true);
    }
  }
  return bytes;
}

/** Each behind its length in bytes of UTF-8; half a surrogate pair as U+FFFD. */
function plainTexts(texts: readonly string[]): Uint8Array {
  // A unit of UTF-16 takes three bytes of UTF-8 at most.
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + 4 + 3 * text.length, 0));
  let at = 0;
  for (const text of texts) {
    const length = bytes.write(text, at + 4);
    bytes.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return bytes.subarray(0, at);
}
