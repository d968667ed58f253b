/** Opens SQLite files the durable way and groups commits, for the SQLite drivers of both ports; knows none of their tables. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ClickstreamError } from "./errors.ts";

export interface SqliteKind {
  /** What the file is, for messages: "store", "stream". */
  readonly name: string;
  /** Marks the file (PRAGMA application_id), so that a store is never opened as a stream. 31 bits, not 0. */
  readonly applicationId: number;
  /** Raised when `schema` changes in a way that older code cannot read. */
  readonly version: number;
  /** Makes the tables of a new file. */
  readonly schema: string;
}

export interface SqliteFile {
  readonly db: DatabaseSync;
  /**
   * Runs `work` in a transaction shared with all other work given in this turn of the event loop, and resolves with
   * its result once that is committed and synced. `work` must be repeatable: it may run again after a rollback.
   * `shared` is what all work that names it has in common, done once a transaction.
   */
  write<T>(work: () => T, shared?: Shared): Promise<T>;
  /** Runs `work` at once, with SQLite's errors translated. */
  read<T>(work: () => T): T;
  /** Commits what is waiting, then closes. Calling it again does nothing. */
  close(): Promise<void>;
}

export interface Shared {
  /** Before the first piece of work of each transaction; the one before may have been rolled back. */
  begin(): void;
  /** After the last piece, before the commit. */
  end(): void;
}

/** How long a statement waits for another process's lock. It blocks the event loop, so it is short; the caller retries. */
const BUSY_TIMEOUT_MS = 2_000;
/** Turns of the event loop, each some tens of microseconds, that the first work of a transaction waits for company at most. */
const MAX_TURNS = 8;
/** Bounds one transaction, so that a flood of writes cannot hold the event loop for long. */
const MAX_WORKS_PER_COMMIT = 2_048;
/** After a burst the write-ahead log is cut back to this. */
const MAX_IDLE_WAL_BYTES = 32 * 1024 * 1024;

/**
 * Opens or creates a database file in write-ahead mode with full sync: what was committed survives kill -9 and power
 * loss. Missing directories are made; new files are readable by their owner only.
 * @throws ClickstreamError `config` when the file is not ours to use, `unavailable` when it is locked or cannot be opened.
 */
export function openSqlite(path: string, kind: SqliteKind): SqliteFile {
  const file = resolve(path);
  makePrivateFile(file, kind);
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    throw sqliteError(file, error);
  }
  try {
    prepareFile(db, file, kind);
  } catch (error) {
    db.close();
    throw error instanceof ClickstreamError ? error : sqliteError(file, error);
  }
  return groupCommits(db, file);
}

function makePrivateFile(file: string, kind: SqliteKind): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // SQLite gives its -wal and -shm files the mode of the main file.
    closeSync(openSync(file, "a", 0o600));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOSPC")
      throw new ClickstreamError("unavailable", `${file}: no space left on the disk`, { cause });
    throw new ClickstreamError(
      "config",
      `${file}: the ${kind.name} file cannot be written: let whoever runs this write to its folder and what is in it`,
      { cause },
    );
  }
}

function prepareFile(db: DatabaseSync, file: string, kind: SqliteKind): void {
  const pragma = (name: string): unknown => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const mode = pragma("journal_mode = WAL");
  if (mode !== "wal")
    throw new ClickstreamError(
      "config",
      `${file}: needs write-ahead logging, the file system gives "${mode}"`,
    );
  // Deleted rows are overwritten with zeros: streams hold addresses, and the store the salts that must be gone in time.
  db.exec("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF");
  db.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_WAL_BYTES}`);
  db.exec("BEGIN IMMEDIATE"); // two processes may open a new file at once
  const id = pragma("application_id");
  const version = pragma("user_version") as number;
  const tables = pragma("schema_version");
  if (tables === 0) {
    db.exec(kind.schema);
    db.exec(`PRAGMA application_id = ${kind.applicationId}; PRAGMA user_version = ${kind.version}`);
  } else if (id !== kind.applicationId) {
    throw new ClickstreamError("config", `${file} is not a Rivulet ${kind.name} file`);
  } else if (version !== kind.version) {
    const advice = version > kind.version ? "a newer Rivulet wrote it: update this one" : "it is too old";
    throw new ClickstreamError(
      "config",
      `${file}: ${kind.name} schema ${version}, this Rivulet knows ${kind.version}; ${advice}`,
    );
  }
  db.exec("COMMIT");
}

interface Pending {
  readonly shared: Shared | undefined;
  run(): void;
  done(): void;
  fail(error: unknown): void;
}

function groupCommits(db: DatabaseSync, file: string): SqliteFile {
  let waiting: Pending[] = [];
  let isScheduled = false;
  let isClosed = false;
  /** Works that waited a turn ago, and turns since the first of them came. */
  let waitingBefore = 0;
  let turns = 0;

  const commit = (batch: readonly Pending[]): void => {
    try {
      db.exec("BEGIN IMMEDIATE");
      const parties = new Set<Shared>();
      for (const one of batch) {
        if (one.shared && !parties.has(one.shared)) {
          parties.add(one.shared);
          one.shared.begin();
        }
        one.run();
      }
      for (const shared of parties) shared.end();
      db.exec("COMMIT");
    } catch (cause) {
      rollback(db);
      const error = sqliteError(file, cause);
      // A fault of one piece of work must not fail its neighbours; an outage is everybody's.
      if (batch.length > 1 && error.code !== "unavailable") for (const one of batch) commit([one]);
      else for (const one of batch) one.fail(error);
      return;
    }
    for (const one of batch) one.done();
  };

  /** One sync takes as long as some requests: while every turn brings more of them, they are let in. */
  const turn = (): void => {
    isScheduled = false;
    if (waiting.length > waitingBefore && ++turns <= MAX_TURNS && waiting.length < MAX_WORKS_PER_COMMIT) {
      waitingBefore = waiting.length;
      schedule();
      return;
    }
    flush();
  };

  const flush = (): void => {
    waitingBefore = 0;
    turns = 0;
    const batch = waiting.slice(0, MAX_WORKS_PER_COMMIT);
    waiting = waiting.slice(MAX_WORKS_PER_COMMIT);
    if (waiting.length > 0) schedule();
    if (batch.length > 0) commit(batch);
  };
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    // After the I/O callbacks of this turn, so that requests which arrived together are synced together.
    setImmediate(turn);
  };

  return {
    db,
    write<T>(work: () => T, shared?: Shared): Promise<T> {
      if (isClosed) return Promise.reject(new ClickstreamError("unavailable", `${file} is closed`));
      return new Promise<T>((done, fail) => {
        let result: T;
        const run = (): void => {
          result = work();
        };
        waiting.push({ shared, run, done: () => done(result), fail });
        schedule();
      });
    },
    read<T>(work: () => T): T {
      if (isClosed) throw new ClickstreamError("unavailable", `${file} is closed`);
      try {
        return work();
      } catch (error) {
        throw sqliteError(file, error);
      }
    },
    async close(): Promise<void> {
      if (isClosed) return;
      isClosed = true;
      while (waiting.length > 0) flush();
      db.close();
    },
  };
}

function rollback(db: DatabaseSync): void {
  // SQLite rolls back by itself on some errors (disk full, I/O); a second ROLLBACK would hide the first error.
  if (db.isTransaction) db.exec("ROLLBACK");
}

/** Primary result codes, https://www.sqlite.org/rescode.html */
const OUTAGES: Readonly<Record<number, string>> = {
  5: "is locked by another process",
  6: "is locked by another connection",
  8: "is read-only: check the permissions of the file and of its directory",
  10: "could not be read or written (disk error)",
  13: "could not grow: the disk is full",
  14: "could not be opened",
};
const NOT_A_DATABASE = 26;
/** Translates what node:sqlite throws: outages to `unavailable`, a foreign file to `config`, the rest to `invariant`. */
export function sqliteError(file: string, cause: unknown): ClickstreamError {
  if (cause instanceof ClickstreamError) return cause;
  const { errcode, message } = cause as { errcode?: number; message?: string };
  const primary = (errcode ?? 0) & 0xff; // extended codes keep the primary one in the low byte
  const outage = OUTAGES[primary];
  if (outage !== undefined) return new ClickstreamError("unavailable", `${file} ${outage}`, { cause });
  if (primary === NOT_A_DATABASE)
    return new ClickstreamError("config", `${file} is not a SQLite database`, { cause });
  return new ClickstreamError("invariant", `${file} failed: ${message}`, { cause });
}
