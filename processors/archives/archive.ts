/** The archive port: takes a row for every event that is counted, before it is counted. One conformance suite defines "correct". */
import type { ArchiveRow, CountedRow } from "../model/archive.ts";

/** Rows on their way, in the order of the fold. An array is such a list. */
export interface RowList extends Iterable<ArchiveRow> {
  readonly length: number;
  push(row: ArchiveRow): unknown;
}

export interface Archive {
  /**
   * Resolves when all rows are kept for good. The same rows may be written again, because whoever counts hands them over
   * before the commit that counts them, and folds again after a crash between; readers drop repeats by their identity.
   * Throws `unavailable` or `throttled` on an outage: some of the rows may be in.
   */
  write(rows: Pick<RowList, "length" | typeof Symbol.iterator>): Promise<void>;
  close(): Promise<void>;
}

/** An archive with a list of its own for rows that come by the thousand. */
export interface ManyRows {
  /** An empty one, to be filled and written. */
  manyRows(): RowList;
}

/** What was archived, for whoever folds it again. */
export interface ArchivedRows {
  /** What is counted of all rows of a site, in portions, each row once, by shard (as text), sequence number and index. Throws `unavailable` on an outage. */
  read(site: string): AsyncIterable<readonly CountedRow[]>;
}
