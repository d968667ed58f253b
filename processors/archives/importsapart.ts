/**
 * Keeps the rows of imports from a service that sorts rows into files. Firehose has a file under way for each site and
 * hour of the last five minutes, 500 at most, and an import tells of that many hours within seconds: rows of all others
 * would never come to the archive.
 * https://docs.aws.amazon.com/firehose/latest/dev/limits.html
 */
import type { ArchiveRow } from "../model/archive.ts";
import type { Archive } from "./archive.ts";

export function importsApart(live: Archive, imports: Archive): Archive {
  return {
    async write(rows) {
      const ofImports: ArchiveRow[] = [];
      const others: ArchiveRow[] = [];
      for (const row of rows) (row.imported ? ofImports : others).push(row);
      await Promise.all([
        others.length > 0 && live.write(others),
        ofImports.length > 0 && imports.write(ofImports),
      ]);
    },
    async close() {
      await Promise.all([live.close(), imports.close()]);
    },
  };
}
