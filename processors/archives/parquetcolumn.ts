/**
 * One column of a row group in a Parquet file. hyparquet-writer writes the file around it and its parts; this chooses how,
 * for columns that mostly hold few different texts or nothing at all. Knows none of the columns.
 */
import { constants as zlib, zstdCompressSync } from "node:zlib";
import type { ColumnChunk, Encoding, Statistics } from "hyparquet";
import type { ByteWriter } from "hyparquet-writer";
import { writeDataHeader, writeDictionaryHeader } from "./parquetheaders.ts";
import { writeHybrid } from "./parquethybrid.ts";
import { Runs } from "./runs.ts";

export type LeafType = "BYTE_ARRAY" | "INT32" | "INT64" | "BOOLEAN" | "DOUBLE";

export interface Leaf {
  readonly path: string[];
  readonly type: LeafType;
  /** Values may be null: in a list, where it is empty. */
  readonly nullable: boolean;
  readonly column: Runs;
  /** Of a list, for each value: 1 where it goes on with the row of the one before, 0 where it begins one. */
  readonly goesOn?: Runs<number>;
  /** Where a row may have many values. */
  readonly rows?: number;
  /** Says the lowest and highest value; of numbers only. */
  readonly statistics?: boolean;
}

/** Below this a page is as short without compression, and beginning to compress takes longer than all else. */
const MIN_COMPRESSED_BYTES = 128;
/** What is left after texts became numbers shrinks as much at the lowest level. */
const ZSTD_LEVEL = { [zlib.ZSTD_c_compressionLevel]: 1 };

/**
 * Appends a column's pages to a file, and answers what the footer says of them. What `scratch` holds is written over.
 * Throws a RangeError for a value that the leaf's type does not hold.
 */
export function writeLeaf(file: ByteWriter, scratch: ByteWriter, leaf: Leaf): ColumnChunk {
  const { path, type, nullable, column, goesOn, rows = column.length } = leaf;
  const start = file.offset;
  const present = nullable ? withoutNulls(column) : column;
  const dictionary = dictionaryOf(type, present);
  const encoding: Encoding = dictionary ? "RLE_DICTIONARY" : type === "BOOLEAN" ? "RLE" : "PLAIN";
  scratch.index = scratch.offset = 0;
  const repetitionBytes = goesOn ? writeHybrid(scratch, goesOn, goesOn.values, 1) : 0;
  const definitionBytes = nullable ? writeDefinitions(scratch, column, present) : 0;
  const levelBytes = scratch.index;
  if (dictionary) writeIndexes(scratch, present, dictionary);
  else if (type === "BOOLEAN") writeBooleans(scratch, present as Runs<boolean>);
  else writePlain(scratch, type, present);
  const pageEnd = scratch.index;
  if (dictionary) writePlain(scratch, type, dictionary.values);
  const bytes = new Uint8Array(scratch.buffer, 0, scratch.index);
  let unpackedBytes = bytes.length;
  const isCompressed = pageEnd - levelBytes >= MIN_COMPRESSED_BYTES;
  // Of a page it is said whether it is compressed, of a dictionary's by the column's codec.
  const codec = isCompressed || bytes.length - pageEnd >= MIN_COMPRESSED_BYTES ? "ZSTD" : "UNCOMPRESSED";
  if (dictionary) {
    const unpacked = bytes.subarray(pageEnd);
    const stored = codec === "ZSTD" ? compressed(unpacked) : unpacked;
    writeDictionaryHeader(
      file,
      { unpacked: unpacked.length, stored: stored.length },
      dictionary.values.length,
    );
    unpackedBytes += file.offset - start;
    file.appendBytes(stored);
  }
  const pageStart = file.offset;
  const unpacked = bytes.subarray(levelBytes, pageEnd);
  const stored = isCompressed ? compressed(unpacked) : unpacked;
  writeDataHeader(file, {
    unpacked: pageEnd,
    stored: levelBytes + stored.length,
    values: column.length,
    nulls: column.length - present.length,
    rows,
    encoding,
    definitions: definitionBytes,
    repetitions: repetitionBytes,
    isCompressed,
  });
  unpackedBytes += file.offset - pageStart;
  file.appendBytes(bytes.subarray(0, levelBytes));
  file.appendBytes(stored);
  return {
    meta_data: {
      type,
      encodings: dictionary ? ["PLAIN", encoding] : [encoding],
      path_in_schema: path,
      codec,
      num_values: BigInt(column.length),
      total_compressed_size: BigInt(file.offset - start),
      total_uncompressed_size: BigInt(unpackedBytes),
      data_page_offset: BigInt(pageStart),
      ...(dictionary && { dictionary_page_offset: BigInt(start) }),
      ...(leaf.statistics && { statistics: spanOf(present.values as number[]) }),
    },
    file_offset: 0n,
  };
}

function compressed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < MIN_COMPRESSED_BYTES) return storedFrame(bytes);
  // What comes out has room in one piece.
  return zstdCompressSync(bytes, { params: ZSTD_LEVEL, chunkSize: bytes.length });
}

/** Fewer than 256 bytes as they are, in a frame of zstd with one block (RFC 8878, 3.1.1). */
function storedFrame(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const header = [0x28, 0xb5, 0x2f, 0xfd, ONE_SEGMENT, length, (length << 3) | LAST_BLOCK, length >> 5, 0];
  const frame = new Uint8Array(header.length + length);
  frame.set(header);
  frame.set(bytes, header.length);
  return frame;
}

const ONE_SEGMENT = 0x20;
const LAST_BLOCK = 1;

function withoutNulls(column: Runs): Runs {
  if (!column.values.includes(null)) return column;
  const present = new Runs();
  for (let run = 0, row = 0; run < column.values.length; run++) {
    const value = column.values[run];
    if (value !== null) present.append(value, column.end(run) - row);
    row = column.end(run);
  }
  return present;
}

/** For each value, 1 where there is one. */
function writeDefinitions(page: ByteWriter, column: Runs, present: Runs): number {
  const definitions = new Runs<number>();
  if (present.length === column.length) definitions.append(1, column.length);
  else if (present.length === 0) definitions.append(0, column.length);
  else
    for (let run = 0; run < column.values.length; run++)
      definitions.append(column.values[run] === null ? 0 : 1, column.end(run) - definitions.length);
  return writeHybrid(page, definitions, definitions.values, 1);
}

/** Different values in the order of their coming, and the number of each run's value among them. */
interface Dictionary {
  readonly values: Runs;
  readonly numbers: Uint32Array;
}

/** So many values say whether most are different. */
const SAMPLE = 256;

/** Of texts, unless most are different, and of numbers that are all the same; undefined where values stand by themselves. */
function dictionaryOf(type: LeafType, column: Runs): Dictionary | undefined {
  if (type === "BOOLEAN" || column.length === 0) return undefined;
  if (type !== "BYTE_ARRAY" && !column.isUniform) return undefined;
  const values = new Runs();
  const numbers = new Uint32Array(column.values.length);
  const known = new Map<unknown, number>();
  let isSampled = false;
  for (let run = 0; run < numbers.length; run++) {
    const value = column.values[run];
    let number = known.get(value);
    if (number === undefined) {
      number = known.size;
      known.set(value, number);
      values.append(value);
    }
    numbers[run] = number;
    if (isSampled || column.end(run) <= SAMPLE) continue;
    if (known.size > 0.8 * SAMPLE) return undefined;
    isSampled = true;
  }
  return { values, numbers };
}

/** How many bits a number takes, and the numbers. */
function writeIndexes(page: ByteWriter, column: Runs, { values, numbers }: Dictionary): void {
  const bits = 32 - Math.clz32(values.length - 1);
  page.appendUint8(bits);
  writeHybrid(page, column, numbers, bits);
}

/** As numbers of one bit, behind the length of these in bytes. */
function writeBooleans(page: ByteWriter, column: Runs<boolean>): void {
  const start = page.index;
  page.appendUint32(0);
  const length = writeHybrid(page, column, column.values.map(Number), 1);
  page.view.setUint32(start, length, true);
}

function spanOf(values: readonly number[]): Statistics {
  if (values.length === 0) return {};
  let [low, high] = [values[0]!, values[0]!];
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  return { min_value: BigInt(low), max_value: BigInt(high) };
}

/** Values one after the other, as the format's encoding PLAIN has them. */
function writePlain(page: ByteWriter, type: LeafType, column: Runs): void {
  if (type === "BYTE_ARRAY") {
    writePlainTexts(page, column as Runs<string>);
    return;
  }
  const { values } = column as Runs<number>;
  const size = type === "INT32" ? 4 : 8;
  page.ensure(size * column.length);
  const { view } = page;
  let at = page.index;
  for (let run = 0, row = 0; run < values.length; run++) {
    const value = values[run]!;
    if (type !== "DOUBLE" && (!Number.isSafeInteger(value) || (type === "INT32" && value !== (value | 0))))
      throw new RangeError(`parquet: ${value} is no ${type}`);
    // Two's complement of 64 bits: what of it lies below 2^32, and the rest.
    const low = value >>> 0;
    const high = Math.floor(value / 2 ** 32);
    for (const end = column.end(run); row < end; row++, at += size)
      if (type === "DOUBLE") view.setFloat64(at, value, true);
      else {
        view.setUint32(at, low, true);
        if (type === "INT64") view.setInt32(at + 4, high, true);
      }
  }
  page.offset = page.index = at;
}

/** Each behind its length in bytes of UTF-8; half a surrogate pair as U+FFFD. */
function writePlainTexts(page: ByteWriter, column: Runs<string>): void {
  // A unit of UTF-16 takes three bytes of UTF-8 at most.
  let most = 0;
  for (let run = 0, row = 0; run < column.values.length; run++) {
    most += (column.end(run) - row) * (4 + 3 * column.values[run]!.length);
    row = column.end(run);
  }
  page.ensure(most);
  const bytes = Buffer.from(page.buffer);
  let at = page.index;
  for (let run = 0, row = 0; run < column.values.length; run++)
    for (; row < column.end(run); row++) {
      const length = bytes.write(column.values[run]!, at + 4);
      bytes.writeUInt32LE(length, at);
      at += 4 + length;
    }
  page.offset = page.index = at;
}
