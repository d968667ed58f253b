/** Locks between processes, and between threads of one, on a file. */
import { DatabaseSync } from "node:sqlite";
import { ClickstreamError } from "./errors.ts";

export interface Lock {
  /** May be called again. */
  release(): void;
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/**
 * Takes the lock at `path` if nobody has it, undefined when somebody has; the file is made if it does not exist. It is
 * SQLite's own: the system frees it however its process ends. A number of a process would prove nothing, since numbers
 * come again, and two containers have the same ones. Throws `unavailable` where no file can be made.
 */
export function takeLock(path: string): Lock | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0 });
    // Without a journal beside it: a full disk must not keep anybody from making room.
    db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    db?.close();
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw new ClickstreamError("unavailable", `${path}: cannot be locked`, { cause });
  }
  const held = db;
  return { release: () => void (held.isOpen && held.close()) };
}
