/** A file of lines as the importer reads it: its head tells the format, its bytes are cut into chunks. Knows no disk and no bucket. */
import { ClickstreamError } from "../../errors.ts";
import { FIELDS } from "./awslogs.ts";
import { type ByteChunk, chunksOf, type Digest, digestsAt } from "./chunks.ts";
import { detectFormat, isLog, parserOf, type TextFormat } from "./detect.ts";
import type { ImportChunk, ImportSource } from "./importer.ts";
import { LastHead } from "./lasthead.ts";
import { type ImportOptions, type RowSink, textChunk } from "./row.ts";
import type { Mapping } from "./table.ts";

export interface TextSettings extends ImportOptions {
  readonly name: string;
  /** The plain bytes from the beginning, as often as it is called. */
  readonly open: () => AsyncIterable<Uint8Array>;
  readonly newDigest: () => Digest;
  readonly format: TextFormat | "auto";
  readonly mapping?: Mapping | undefined;
}

const NEWLINE = 10;
/** What the format is told by. */
const HEAD_BYTES = 64 * 1024;

/** Reads the head. Throws `config` for what cannot be imported, with the reason. */
export async function textSource(
  settings: TextSettings,
): Promise<ImportSource & { readonly format: TextFormat }> {
  const { name, open, newDigest, mapping, all, hostname } = settings;
  const headBytes = await firstBytes(open());
  const head = new TextDecoder().decode(headBytes);
  if (head.trim() === "") throw new ClickstreamError("config", `${name}: it is empty`);
  const named = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ClickstreamError) || error.code !== "config") throw error;
      throw new ClickstreamError("config", `${name}: ${error.message}`);
    }
  };
  const format = named(() => (settings.format === "auto" ? detectFormat(head) : settings.format));
  const options = { all, hostname };
  const parse = named(() => parserOf(format, head, options, mapping));
  const firstLine = newDigest();
  const lineEnd = headBytes.indexOf(NEWLINE);
  firstLine.update(lineEnd < 0 ? headBytes : headBytes.subarray(0, lineEnd));
  return {
    name,
    format,
    head: firstLine.current().slice(0, 32),
    settings: JSON.stringify({ format, all, hostname, ...(mapping ? { mapping } : {}) }),
    libraries: !isLog(format, head, mapping),
    digestsAt: (positions) => digestsAt(open(), newDigest(), positions),
    async *chunks({ position, lines, cut, chunkBytes }) {
      let line = lines + 1;
      const head = format === "cloudfront" ? new LastHead(FIELDS) : undefined;
      const skipped = head && ((bytes: Uint8Array) => head.add(bytes));
      const cuts = { quoted: format === "csv", from: position, cut, chunkBytes, skipped };
      let isBegun = false;
      for await (const chunk of chunksOf(open(), newDigest(), cuts)) {
        // Whatever the run before was told last.
        if (!isBegun && head?.line) parse(textChunk(new TextEncoder().encode(head.line), 0), NOBODY);
        isBegun = true;
        const lineCount = newlines(chunk.bytes);
        yield partOf(chunk, { firstLine: line, lineCount }, parse);
        line += lineCount;
      }
    },
  };
}

/** A head has no rows. */
const NOBODY: RowSink = { row() {}, skip() {}, bad() {} };

const partOf = (
  { bytes, end, digest, atEnd }: ByteChunk,
  { firstLine, lineCount }: { readonly firstLine: number; readonly lineCount: number },
  parse: ReturnType<typeof parserOf>,
): ImportChunk => ({
  end,
  digest,
  atEnd,
  lines: lineCount,
  isInLine: bytes.at(-1) !== NEWLINE,
  parse: (sink) => parse(textChunk(bytes, firstLine), sink),
});

function newlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

async function firstBytes(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const head = new Uint8Array(HEAD_BYTES);
  let length = 0;
  for await (const bytes of source) {
    const part = bytes.subarray(0, HEAD_BYTES - length);
    head.set(part, length);
    length += part.length;
    if (length === HEAD_BYTES) break;
  }
  return head.subarray(0, length);
}
