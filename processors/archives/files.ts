/**
 * The archive on a local disk. Rows are durable when `write` resolves: few in a journal, which a thread of its own turns
 * into Parquet files now and then, so that neither counting nor answering waits for it; many of an hour in such a file at
 * once, which takes less than writing them twice.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ClickstreamError } from "../errors.ts";
import type { ArchiveRow } from "../model/archive.ts";
import { type Clock, type EpochMs, MINUTE_MS } from "../model/time.ts";
import type { Archive, ManyRows } from "./archive.ts";
import { closedJournals, newName } from "./journals.ts";
import { Keeper } from "./keeper.ts";
import type { KeepingOrder, KeepingReport } from "./keeping.ts";
import { journalFolder } from "./layout.ts";
import { encodeColumns } from "./parquet.ts";
import { RowColumns } from "./rowcolumns.ts";
import type { Range } from "./runs.ts";
import { valuesOf } from "./values.ts";
import { syncFolder, writeWhole } from "./wholefile.ts";

export interface FileArchiveOptions {
  /** Made if it does not exist; readable by its owner only. */
  readonly directory: string;
  readonly clock: Clock;
  /** A journal is turned into Parquet when it is this long, or a minute old. Default: 8 MiB. */
  readonly rollBytes?: number;
}

export interface FileArchive extends Archive, ManyRows {
  /** Whether a journal is old or long enough to be rolled. */
  isDue(): boolean;
  /** Turns all rows written so far into Parquet files. Safe to abandon anywhere: what is left is done next time. */
  roll(): Promise<KeepingReport>;
  /** The same, merges the small files of hours that are over, and deletes the hours of sites that end before `neededFrom`. */
  compact(neededFrom?: ReadonlyMap<string, EpochMs>): Promise<KeepingReport>;
}

const ROLL_MS = MINUTE_MS;
const ROLL_BYTES = 8 << 20;
/** So many rows at once come of an import alone, and of so many of an hour a file is worth making. */
const MANY_ROWS = 1_000;
const MANY_ROWS_AN_HOUR = 500;

interface Journal {
  readonly file: number;
  readonly openedAt: EpochMs;
  bytes: number;
}

interface Waiting {
  readonly rows: Iterable<ArchiveRow>;
  done(): void;
  fail(error: unknown): void;
}

/** Throws `config` when the directory cannot be made. */
export async function fileArchive(options: FileArchiveOptions): Promise<FileArchive> {
  const { directory, clock, rollBytes = ROLL_BYTES } = options;
  try {
    await mkdir(journalFolder(directory), { recursive: true, mode: 0o700 });
    for (const folder of [directory, dirname(directory)]) await syncFolder(folder);
  } catch (cause) {
    throw new ClickstreamError("config", `archive ${directory}: cannot be made or written`, { cause });
  }
  let journal: Journal | undefined;
  /** A journal was closed that no roll has taken yet, by this process or one before. */
  let hasClosed = true;
  let waiting: Waiting[] = [];
  let turn: Promise<void> = Promise.resolve();
  let keeping: Promise<unknown> = Promise.resolve();
  const keeper = new Keeper();
  const lines = new Lines();

  const openJournal = async (): Promise<Journal> => {
    const now = clock.now();
    const folder = journalFolder(directory);
    const file = openSync(join(folder, `${newName(directory, now)}.ndjson`), "ax", 0o600);
    // Its rows are durable with the file, its name with the folder.
    await syncFolder(folder).catch((error: unknown) => {
      closeSync(file);
      throw error;
    });
    return { file, openedAt: now, bytes: 0 };
  };

  const closeJournal = (): void => {
    const closing = journal;
    journal = undefined;
    if (!closing) return;
    hasClosed = true;
    closeSync(closing.file);
  };

  /**
   * Everything that waits goes out with one sync. On this thread, as SQLite's commits are: to hand a few kilobytes to
   * others and back, twice, takes twice the processor time, and on a busy machine four times as long.
   */
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    try {
      journal ??= await openJournal();
      const bytes = lines.of(batch);
      for (let at = 0; at < bytes.length; ) at += writeSync(journal.file, bytes, at);
      fdatasyncSync(journal.file);
      journal.bytes += bytes.length;
      if (journal.bytes >= rollBytes) closeJournal();
    } catch (cause) {
      // What stands in it may end in half a line: nothing may follow.
      try {
        closeJournal();
      } catch {} // the first error tells
      const error = new ClickstreamError("unavailable", `archive ${directory}: rows could not be written`, {
        cause,
      });
      for (const { fail } of batch) fail(error);
      return;
    }
    for (const { done } of batch) done();
  };

  const writeFiles = async (
    rows: RowColumns,
    hours: ReadonlyMap<string, readonly Range[]>,
  ): Promise<void> => {
    const name = `${newName(directory, clock.now())}.parquet`;
    const written = [...hours].map(([folder, own]) =>
      writeWhole(directory, join(directory, folder, name), encodeColumns(rows.columns(own))),
    );
    await Promise.all(written).catch((cause: unknown) => {
      throw new ClickstreamError("unavailable", `archive ${directory}: rows could not be written`, { cause });
    });
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.then(
      () => {},
      () => {},
    );
    return result;
  };

  const keep = (order: Pick<KeepingOrder, "compact" | "now" | "neededFrom">): Promise<KeepingReport> => {
    const run = keeping.then(async () => {
      // Listed before the next write can open another: the thread must not take away what is written to.
      const journals = await inTurn(async () => {
        closeJournal();
        hasClosed = false;
        return closedJournals(directory);
      });
      if (journals.length === 0 && !order.compact) return { files: 0, rows: 0 };
      return keeper.keep({ directory, journals, ...order }).catch((error: unknown) => {
        hasClosed = true;
        throw error;
      });
    });
    keeping = run.catch(() => {});
    return run;
  };

  return {
    manyRows: () => new RowColumns(),
    write(rows) {
      if (rows.length === 0) return Promise.resolve();
      if (rows.length >= MANY_ROWS) {
        const many = rows instanceof RowColumns ? rows : asColumns(rows);
        const hours = many.byFolder();
        if (rows.length >= MANY_ROWS_AN_HOUR * hours.size) return writeFiles(many, hours);
      }
      const written = new Promise<void>((done, fail) => {
        waiting.push({ rows, done, fail });
      });
      void inTurn(flush);
      return written;
    },
    isDue() {
      if (hasClosed) return true;
      return journal !== undefined && clock.now() - journal.openedAt >= ROLL_MS;
    },
    roll: () => keep({ compact: false }),
    compact: (neededFrom = new Map()) => keep({ compact: true, now: clock.now(), neededFrom }),
    async close() {
      await inTurn(async () => closeJournal());
      await keeping;
      await keeper.close();
    },
  };
}

function asColumns(rows: Iterable<ArchiveRow>): RowColumns {
  const columns = new RowColumns();
  for (const row of rows) columns.push(row);
  return columns;
}

/** Rows as lines of JSON, in a buffer that is used again: texts that are joined first would be copied three times more. */
class Lines {
  #bytes = Buffer.allocUnsafe(FIRST_LINES_BYTES);

  /** Good until the next call. */
  of(batch: readonly Pick<Waiting, "rows">[]): Uint8Array {
    // What a large commit took is not kept for the small ones after it.
    if (this.#bytes.length > MAX_LINES_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_LINES_BYTES);
    let length = 0;
    for (const { rows } of batch)
      for (const row of rows) {
        const text = JSON.stringify(valuesOf(row));
        // A unit of UTF-16 takes three bytes of UTF-8 at most.
        const most = length + 3 * text.length + 1;
        if (most > this.#bytes.length) this.#bytes = grown(this.#bytes, length, most);
        length += this.#bytes.write(text, length);
        this.#bytes[length++] = NEWLINE;
      }
    return this.#bytes.subarray(0, length);
  }
}

const NEWLINE = 10;
const FIRST_LINES_BYTES = 64 << 10;
const MAX_LINES_BYTES = 4 << 20;

function grown(bytes: Buffer<ArrayBuffer>, length: number, least: number): Buffer<ArrayBuffer> {
  const more = Buffer.allocUnsafe(Math.max(least, bytes.length * 2));
  bytes.copy(more, 0, 0, length);
  return more;
}
