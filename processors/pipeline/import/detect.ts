/** Tells what a file is by how it begins. Never by its name: logs are called anything. */
import { ClickstreamError } from "../../errors.ts";
import { accessLogParser } from "./accesslog.ts";
import { albParser, cloudfrontParser, FIELDS, s3Parser } from "./awslogs.ts";
import { csvParser, csvShape } from "./csv.ts";
import { areJsonRequests, ndjsonParser } from "./ndjson.ts";
import type { ChunkParser, ImportOptions } from "./row.ts";
import { areRequests, columnsOf, type Mapping } from "./table.ts";

export const FORMATS = ["combined", "csv", "ndjson", "parquet", "cloudfront", "s3", "alb"] as const;
export type ImportFormat = (typeof FORMATS)[number];
export type TextFormat = Exclude<ImportFormat, "parquet">;

/** Lines looked at: the first ones may be broken or comments. */
const LINES = 20;

const LOG_TIME = /\[\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\]/;
/** Each says what a line of it looks like; the more particular come first. */
const LOOKS: ReadonlyArray<readonly [TextFormat, (line: string) => boolean]> = [
  ["cloudfront", (line) => line.startsWith(FIELDS) || /^\d{4}-\d{2}-\d{2}\t\d{2}:\d{2}:\d{2}\t/.test(line)],
  ["alb", (line) => /^(?:https?|h2|grpcs|wss?) \d{4}-\d{2}-\d{2}T\S+ \S+ /.test(line)],
  [
    "s3",
    (line) =>
      /^\S+ \S+ \[/.test(line) && LOG_TIME.test(line) && /\] \S+ \S+ \S+ [A-Z]+\.[A-Z0-9_.]+ /.test(line),
  ],
  ["combined", (line) => LOG_TIME.test(line) && /\] "/.test(line)],
  ["ndjson", (line) => line.trimStart().startsWith("{")],
];

/** `head`: the first 64 KiB or so. Throws `config` when it looks like nothing that is known. */
export function detectFormat(head: string): TextFormat {
  const lines = head.split(/\r?\n/, LINES).filter((line) => line.trim() !== "");
  for (const [format, looks] of LOOKS) if (lines.some(looks)) return format;
  const first = lines.find((line) => !line.startsWith("#"));
  if (first !== undefined && csvShape(first).names.length > 1) return "csv";
  throw new ClickstreamError(
    "config",
    `its first lines are of no known format: name it with --format (${FORMATS.join(", ")})`,
  );
}

/** Throws `config` for what the format cannot be read by: totals, or columns that nothing is known of. */
export function parserOf(
  format: TextFormat,
  head: string,
  options: ImportOptions,
  mapping?: Mapping,
): ChunkParser {
  switch (format) {
    case "combined":
      return accessLogParser(options);
    case "cloudfront":
      return cloudfrontParser(options, new RegExp(`^${FIELDS}(.*)$`, "m").exec(head)?.[1]);
    case "s3":
      return s3Parser(options);
    case "alb":
      return albParser(options);
    case "csv":
      return csvParser(head, options, mapping);
    case "ndjson":
      return ndjsonParser(options, mapping);
  }
}

/** In a log, tools and libraries are robots; in somebody's own events, they are servers that report for people. */
export function isLog(format: TextFormat, head: string, mapping?: Mapping): boolean {
  if (format === "csv") return areRequests(columnsOf(csvShape(head).names, mapping));
  return format !== "ndjson" || areJsonRequests(head, mapping);
}
