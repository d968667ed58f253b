/**
 * What has been imported into each site, kept in the store: for each file how far, and by which digest its beginning is
 * known again. So the same file, or the same file grown, adds only what is new, weeks later too.
 */
import { ClickstreamError } from "../../errors.ts";
import type { RejectReason } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import { decodeJson, encodeJson } from "../json.ts";
import type { SkipReason } from "./row.ts";

/** What came of a file so far. */
export interface ImportCounts {
  /** Events put on the stream, robots' among them. */
  readonly events: number;
  readonly bots: number;
  /** Events from before what the site keeps: nobody is shown them, and they are deleted again. Absent: none. */
  readonly unkept?: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Lines that could not be used. */
  readonly bad: number;
  /** Of those, by reason, where they were read but cannot be counted. */
  readonly rejects: Readonly<Partial<Record<RejectReason, number>>>;
}

export const NO_COUNTS: ImportCounts = { events: 0, bots: 0, skipped: {}, bad: 0, rejects: {} };

export interface ImportEntry {
  readonly name: string;
  /** Format and options, as text that is equal where they are. */
  readonly settings: string;
  readonly lanes: number;
  /** Of which length its chunks are; absent: CHUNK_BYTES. */
  readonly chunkBytes?: number | undefined;
  /** Everything before is put; bytes of text, or rows of Parquet. */
  readonly position: number;
  /** Digest of everything before. */
  readonly digest: string;
  /** Lines before it, also the one that it is in the middle of. */
  readonly lines: number;
  /** It is in the middle of a line: the file ended there without a line break. */
  readonly isInLine?: boolean | undefined;
  /** A last chunk that may have been put ends here. */
  readonly tail?: number | undefined;
  readonly isDone: boolean;
  readonly counts: ImportCounts;
  /** Length of the report of bad lines that belongs to it. */
  readonly reportBytes: number;
  readonly startedAt: EpochMs;
  readonly updatedAt: EpochMs;
}

const partition = (site: string): string => `import/${site}`;
const keyOf = (head: string, first: string): string => `${head}/${first}`;

export interface KeptEntry {
  readonly entry: ImportEntry;
  readonly first: string;
  readonly version: number;
}

/** The imports of files that begin with the same line. `first` tells those apart that begin differently after it. */
export async function entriesOf(store: Store, site: string, head: string): Promise<KeptEntry[]> {
  const items = await store.list(partition(site), { from: `${head}/`, to: `${head}0` });
  return items.map(({ sk, value, version }) => ({
    entry: decodeJson<ImportEntry>(value),
    first: sk.slice(head.length + 1),
    version,
  }));
}

/** Writes under the version that was read. Throws `unavailable` when somebody else imports the same file: it goes on there. */
export async function keepEntry(
  store: Store,
  site: string,
  head: string,
  { entry, first, version }: KeptEntry,
): Promise<KeptEntry> {
  const value = encodeJson(entry);
  if (!(await store.put({ pk: partition(site), sk: keyOf(head, first), value }, version)))
    throw new ClickstreamError("unavailable", `${entry.name}: somebody else is importing it into ${site}`);
  return { entry, first, version: version + 1 };
}
