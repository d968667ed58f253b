/** What every format is read into: one event with its sender, or why a line gives none. Knows no format. */
import type { EpochMs } from "../../model/time.ts";
import type { ImportExtra, ImportKind } from "../decode/imported.ts";

/** One event of a file. Texts are as the file has them; "" where it does not say. */
export interface ImportRow {
  readonly at: EpochMs;
  readonly ip: string;
  readonly agent: string;
  /** Absolute http(s) URL. */
  readonly url: string;
  readonly referrer: string;
  readonly kind: ImportKind;
  readonly visitor?: string | undefined;
  readonly country?: string | undefined;
  readonly language?: string | undefined;
  readonly width?: number | undefined;
  readonly extra?: ImportExtra | undefined;
}

/** Why a sound line is no event. Closed: summaries and docs list exactly these. */
export const SKIP_REASONS = [
  "asset", // a file that pages load: style, script, image, font, sound, video
  "method", // not GET
  "status", // answered neither 2xx nor 304
  "bookkeeping", // what another product writes for itself, such as GA4's session_start
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** Takes what a parser finds, in the order of the file. */
export interface RowSink {
  row(line: number, row: ImportRow): void;
  skip(reason: SkipReason): void;
  /** `reason` names the field and what is wrong with it; it never holds the value. */
  bad(line: number, reason: string): void;
}

/** Part of a file that ends where a line (of CSV: a row) ends. */
export interface TextChunk {
  readonly bytes: Uint8Array;
  /** The same decoded. */
  readonly text: string;
  /** Number of its first line in the file, from 1. */
  readonly firstLine: number;
}

/** Decodes UTF-8 when somebody asks, once. */
export function textChunk(bytes: Uint8Array, firstLine: number): TextChunk {
  let text: string | undefined;
  return {
    bytes,
    firstLine,
    get text() {
      text ??= new TextDecoder().decode(bytes);
      return text;
    },
  };
}

export type ChunkParser = (chunk: TextChunk, sink: RowSink) => void;

/** How a file is read; the same for all of it, or its records could not be recognised when they come again. */
export interface ImportOptions {
  /** Every request of a log counts, whatever its method, status and path. */
  readonly all: boolean;
  /** Host name of pages whose lines name none. */
  readonly hostname: string;
}

/** Calls `visit` with each line that is not empty, without its line break. */
export function eachLine(
  { text, firstLine }: TextChunk,
  visit: (line: string, number: number) => void,
): void {
  let number = firstLine;
  for (let from = 0; from < text.length; number++) {
    const newline = text.indexOf("\n", from);
    const end = newline < 0 ? text.length : newline;
    const line = text.charCodeAt(end - 1) === 13 ? text.slice(from, end - 1) : text.slice(from, end);
    if (line !== "") visit(line, number);
    from = end + 1;
  }
}
