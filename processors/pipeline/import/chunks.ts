/**
 * Cuts a text into chunks that end where a line ends, and names each by everything up to its end: so the same part of the
 * same text has the same name whenever and from wherever it is read. Knows no format but whether quotes may hold lines.
 */

/** A running digest of bytes, handed in because hashing is not pure. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /** Of all bytes so far, hexadecimal; more may follow. */
  current(): string;
}

export interface ByteChunk {
  /** Until the next chunk is asked for, which is read into the same memory. */
  readonly bytes: Uint8Array;
  /** Where it ends, bytes from the beginning of the text. */
  readonly end: number;
  /** Digest of the text up to its end. */
  readonly digest: string;
  /** It ends where the text ends, not where chunks do: if the text grows, it would be another. */
  readonly atEnd: boolean;
}

/** About 2,500 lines of a log: a record of some hundred KB, folded in some hundred ms. */
export const CHUNK_BYTES = 512 * 1024;
/** A line without end is cut here: it is no text, and memory is bounded. A cell in quotes without end is cut at its last line end before. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

const NEWLINE = 10;
const QUOTE = 34;

export interface ChunkSettings {
  /** Line breaks within double quotes end no chunk. */
  readonly quoted: boolean;
  /** Where to begin; what is before is only digested. */
  readonly from: number;
  /** Where a chunk has to end, if the text goes that far. */
  readonly cut?: number | undefined;
  readonly chunkBytes?: number;
  /** Gets what is before `from`, part by part. */
  readonly skipped?: ((bytes: Uint8Array) => void) | undefined;
}

/** Chunks from `from` on; the same for the same text and settings, however the source portions its bytes. */
export async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  digest: Digest,
  { quoted, from, cut, chunkBytes = CHUNK_BYTES, skipped }: ChunkSettings,
): AsyncGenerator<ByteChunk> {
  let position = 0;
  const waiting = new Waiting();
  /** No line of what waits has ended. */
  let isOpen = false;
  const limit = (): number =>
    cut !== undefined && cut > position ? Math.min(chunkBytes, cut - position) : chunkBytes;
  const take = (isEnd: boolean): ByteChunk | undefined => {
    const all = waiting.bytes;
    const most = limit();
    const isCut = cut !== undefined && position + most === cut && all.length >= most;
    const isRest = isEnd && all.length <= most;
    let length = isRest ? all.length : isCut ? most : endOfLines(all, most, quoted);
    if ((length === 0 || length > MAX_LINE_BYTES) && all.length >= MAX_LINE_BYTES)
      length = all.lastIndexOf(NEWLINE, MAX_LINE_BYTES - 1) + 1 || MAX_LINE_BYTES;
    if (length === 0 && isEnd) length = all.length;
    if (length === 0) return undefined;
    const bytes = all.subarray(0, length);
    position += length;
    digest.update(bytes);
    return { bytes, end: position, digest: digest.current(), atEnd: isEnd && length === all.length };
  };

  for await (let bytes of source) {
    if (position < from) {
      const before = bytes.subarray(0, from - position);
      digest.update(before);
      skipped?.(before);
      position += before.length;
      bytes = bytes.subarray(before.length);
    }
    if (bytes.length === 0) continue;
    waiting.add(bytes);
    // Each look goes through all that waits, and finds nothing new before a line end or the limit.
    if (isOpen && waiting.length < MAX_LINE_BYTES && !bytes.includes(NEWLINE)) continue;
    // One byte more than a chunk: then the chunk is not the last.
    while (waiting.length > limit()) {
      const chunk = take(false);
      isOpen = chunk === undefined;
      if (!chunk) break;
      yield chunk;
      waiting.drop(chunk.bytes.length);
    }
  }
  while (waiting.length > 0) {
    const chunk = take(true)!;
    yield chunk;
    waiting.drop(chunk.bytes.length);
  }
}

/** Bytes read and not handed on yet, in one buffer for all of a text: each chunk in a buffer of its own was twice the file in garbage. */
class Waiting {
  #buffer = new Uint8Array(0);
  length = 0;

  /** Valid until the next `add` or `drop`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  add(part: Uint8Array): void {
    const length = this.length + part.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(part, this.length);
    this.length = length;
  }

  /** Forgets the first `count`. */
  drop(count: number): void {
    this.#buffer.copyWithin(0, count, this.length);
    this.length -= count;
  }
}

/** Digests of the text up to each of these positions, where it goes that far. */
export async function digestsAt(
  source: AsyncIterable<Uint8Array>,
  digest: Digest,
  positions: readonly number[],
): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const left = [...new Set(positions)].filter((position) => position > 0).sort((a, b) => a - b);
  let position = 0;
  for await (let bytes of source) {
    while (left.length > 0 && position + bytes.length >= left[0]!) {
      const part = bytes.subarray(0, left[0]! - position);
      digest.update(part);
      position += part.length;
      bytes = bytes.subarray(part.length);
      found.set(left.shift()!, digest.current());
    }
    if (left.length === 0) return found;
    digest.update(bytes);
    position += bytes.length;
  }
  return found;
}

/**
 * Bytes up to the last line end within `most`; 0 when there is none. Beyond `most`, the first line end after it, so that
 * a long line is a chunk of its own however much of the text has been read.
 */
function endOfLines(bytes: Uint8Array, most: number, quoted: boolean): number {
  if (!quoted) {
    const end = bytes.lastIndexOf(NEWLINE, Math.min(most, bytes.length) - 1) + 1;
    return end > 0 ? end : bytes.indexOf(NEWLINE, Math.max(0, most - 1)) + 1;
  }
  // Quotes inside quoted cells are doubled, so an even number of them means: outside.
  let end = 0;
  let isInside = false;
  for (let i = 0; i < bytes.length; i++) {
    if (i >= most && end > 0) return end;
    const byte = bytes[i];
    if (byte === QUOTE) isInside = !isInside;
    else if (byte === NEWLINE && !isInside) end = i + 1;
  }
  return end;
}
