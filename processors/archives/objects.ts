/** The ports of the archive on AWS: objects by key, and rows in some of them. All calls throw `unavailable` or `throttled` on an outage. */
import type { ArchiveRow } from "../model/archive.ts";

export interface BucketObjects {
  /** Below a prefix, by key. */
  list(prefix: string): Promise<{ readonly key: string; readonly bytes: number }[]>;
  /** The folders right below a prefix that ends with "/", each with its own "/" at the end, in their order. */
  folders(prefix: string): Promise<string[]>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Replaces what is there, whole or not at all. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** No error where there is none. */
  delete(keys: readonly string[]): Promise<void>;
}

export interface ArchiveObjects extends BucketObjects {
  /** Rows of a Parquet object in its order, repeats among them; `site` for files that have it in their path alone. */
  readRows(key: string, site: string): Promise<ArchiveRow[]>;
  writeRows(key: string, rows: readonly ArchiveRow[]): Promise<void>;
}
