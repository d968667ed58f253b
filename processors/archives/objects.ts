/** The port of a rebuild on AWS: objects by key, and the archive's rows in some of them. */
import type { ArchiveRow } from "../model/archive.ts";

/** All throw `unavailable` or `throttled` on an outage. A put replaces what is there, whole or not at all. */
export interface ArchiveObjects {
  /** Below a prefix, by key. */
  list(prefix: string): Promise<{ readonly key: string; readonly bytes: number }[]>;
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Rows of a Parquet object in its order, repeats among them; `site` for files that have it in their path alone. */
  readRows(key: string, site: string): Promise<ArchiveRow[]>;
  writeRows(key: string, rows: readonly ArchiveRow[]): Promise<void>;
}
