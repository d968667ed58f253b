/** Opens any file as an import reads it: how it begins tells whether it is packed, Parquet, or text. Knows no disk and no bucket. */
import { ClickstreamError } from "../../errors.ts";
import type { RawFile } from "../../imports/rawfile.ts";
import type { Digest } from "./chunks.ts";
import type { ImportFormat } from "./detect.ts";
import type { ImportSource } from "./importer.ts";
import { parquetSource } from "./parquetsource.ts";
import type { ImportOptions } from "./row.ts";
import type { Mapping } from "./table.ts";
import { textSource } from "./textsource.ts";

export type Packing = "gzip" | "zstd";

export interface SourceSettings extends ImportOptions {
  readonly format: ImportFormat | "auto";
  readonly mapping?: Mapping | undefined;
}

/** What pure code cannot do by itself. */
export interface ByteTools {
  readonly newDigest: () => Digest;
  readonly unpacked: (
    bytes: AsyncIterable<Uint8Array>,
    packing: Packing,
    name: string,
  ) => AsyncIterable<Uint8Array>;
}

const MAGIC = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  /** A frame that holds nothing to unpack; pzstd begins with one. */
  skippable: [0x50, 0x2a, 0x4d, 0x18],
  parquet: [0x50, 0x41, 0x52, 0x31],
  /** Its footer is encrypted. https://github.com/apache/parquet-format/blob/master/Encryption.md */
  sealed: [0x50, 0x41, 0x52, 0x45],
  utf16le: [0xff, 0xfe],
  utf16be: [0xfe, 0xff],
} as const;
/** What says more: of a zip archive, the name of its first file, and where that is not packed what is in it. */
const HEAD_BYTES = 128;
const ZIP = "PK\u0003\u0004";
/** Where a zip archive names its first file: those of Excel and LibreOffice. */
const NAME_AT = 30;
const SPREADSHEET = /^(?:\[Content_Types\]\.xml|_rels\/|docProps\/|xl\/|mimetypeapplication\/vnd\.oasis\.)/;
const REFUSED: readonly (readonly [is: (text: string) => boolean, reason: string])[] = [
  [(text) => /^BZh[1-9]1AY&SY/.test(text), "packed by bzip2: unpack it first"],
  [(text) => text.startsWith("\xfd7zXZ\0"), "packed by xz: unpack it first"],
  [(text) => text.startsWith("\xd0\xcf\x11\xe0"), "a spreadsheet: save it as CSV"],
  [(text) => text.startsWith(ZIP) && SPREADSHEET.test(text.slice(NAME_AT)), "a spreadsheet: save it as CSV"],
  [(text) => text.startsWith(ZIP), "a zip archive: unpack it and import the files in it"],
];

/** Throws `config` for what cannot be imported, with the reason, and what the file throws. */
export async function importSource(
  file: RawFile,
  { newDigest, unpacked }: ByteTools,
  { format, mapping, all, hostname }: SourceSettings,
): Promise<ImportSource> {
  const { name } = file;
  const first = new Uint8Array(await file.slice(0, Math.min(HEAD_BYTES, file.byteLength)));
  const begins = (kind: keyof typeof MAGIC): boolean => beginsAs(kind, first);
  const text = new TextDecoder("latin1").decode(first);
  const refused = REFUSED.find(([is]) => is(text));
  if (refused) throw new ClickstreamError("config", `${name}: ${refused[1]}`);
  if (begins("sealed"))
    throw new ClickstreamError("config", `${name}: encrypted Parquet: write it anew without encryption`);
  refuseUtf16(name, first);
  if (format === "parquet" || (format === "auto" && begins("parquet")))
    return parquetSource({ name, file, newDigest, mapping, all, hostname });
  const packing = begins("gzip") ? "gzip" : begins("zstd") || begins("skippable") ? "zstd" : undefined;
  const open = () => (packing ? unpacked(file.stream(), packing, name) : file.stream());
  return textSource({ name, open, newDigest, format, mapping, all, hostname });
}

/** Throws `config` for text in UTF-16, which spreadsheets write. `first`: the first bytes of it, or more. */
export function refuseUtf16(name: string, first: Uint8Array): void {
  if (beginsAs("utf16le", first) || beginsAs("utf16be", first))
    throw new ClickstreamError("config", `${name}: text in UTF-16: save it as UTF-8`);
}

const beginsAs = (kind: keyof typeof MAGIC, bytes: Uint8Array): boolean =>
  MAGIC[kind].every((byte, i) => bytes[i] === byte);

/** A site is often called like its host; where it is called otherwise, the name still has to stand in a URL. */
export const hostOf = (site: string): string =>
  URL.canParse(`https://${site}/`) && !/[/?#@]/.test(site) ? site : "localhost";
