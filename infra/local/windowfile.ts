/** Windows that are being folded again, in a file: a year of them does not fit in memory. Nothing in it outlives the rebuild. */
import { DatabaseSync } from "node:sqlite";
import type { EpochMs } from "../../processors/model/time.ts";
import type { FoldedWindows } from "../../processors/pipeline/rebuild/foldrows.ts";
import type { Shelf } from "../../processors/pipeline/rebuild/rowfold.ts";

const GRANULARITIES = ["hours", "minutes"] as const;
/** Of SQLite's own. What was written last is asked for next, as rows come in the order of time mostly. */
const CACHE_KIB = 4 * 1024;

export type WindowFile = Readonly<Record<(typeof GRANULARITIES)[number], Shelf & FoldedWindows>> & Disposable;

/** Opens the file at `path`, or makes it. */
export function windowFile(path: string): WindowFile {
  const db = new DatabaseSync(path);
  // Windows of tens of kilobytes; whoever dies begins anew, so nothing has to be durable.
  db.exec("PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  const shelf = (name: string): Shelf & FoldedWindows => {
    db.exec(`CREATE TABLE IF NOT EXISTS ${name} (start INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT`);
    const read = db.prepare(`SELECT bytes FROM ${name} WHERE start = ?`);
    const write = db.prepare(`INSERT OR REPLACE INTO ${name} (start, bytes) VALUES (?, ?)`);
    const starts = db.prepare(`SELECT start FROM ${name} ORDER BY start`);
    return {
      get: (start) => (read.get(start) as { bytes: Uint8Array } | undefined)?.bytes,
      set: (start, bytes) => write.run(start, bytes),
      keys: () => (starts.all() as { start: EpochMs }[]).map(({ start }) => start).values(),
    };
  };
  const [hours, minutes] = GRANULARITIES.map(shelf);
  return { hours: hours!, minutes: minutes!, [Symbol.dispose]: () => db.close() };
}
