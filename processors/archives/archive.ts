/** The archive port: takes a row for every event that is counted, before it is counted. One conformance suite defines "correct". */
import type { ArchiveRow, CountedRow } from "../model/archive.ts";

export interface Archive {
  /**
   * Resolves when all rows are kept for good. The same rows may be written again, because whoever counts hands them over
   * before the commit that counts them, and folds again after a crash between; readers drop repeats by their identity.
   * Throws `unavailable` or `throttled` on an outage: some of the rows may be in.
   */
  write(rows: readonly ArchiveRow[]): Promise<void>;
  close(): Promise<void>;
}

/** What was archived, for whoever folds it again. */
export interface ArchivedRows {
  /** What is counted of all rows of a site, in portions, each row once, by shard (as text), sequence number and index. Throws `unavailable` on an outage. */
  read(site: string): AsyncIterable<readonly CountedRow[]>;
}
