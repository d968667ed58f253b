/**
 * Rows of many files in one order, without holding them: an external merge (Knuth, The Art of Computer Programming 3, 5.4).
 * A run is read when its first row is next. What of it comes later than the next run begins is held, and where that
 * becomes too much, written down as runs of few rows.
 */
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type CountedRow, compareRows } from "../model/archive.ts";

export type Identity = Parameters<typeof compareRows>[0];

/** Rows in the order of their identity. */
export interface Run {
  /** Of its first row, or before it. */
  readonly first: Identity;
  read(): Promise<CountedRow[]>;
}

/** Some 50 MB, and all of the rows that came late to their hour by days. */
const MAX_HELD = 100_000;
/** As many runs as this goes into MAX_HELD can lie side by side: those of thirty million rows in no order at all. */
const ROWS_A_RUN = 250;

/**
 * The rows of all runs and `held` ones, in order, each once, in portions. `folder` takes what cannot be held. Throws what
 * `read` throws.
 */
export async function* inOrder(
  runs: readonly Run[],
  held: CountedRow[],
  folder: string,
  maxHeld = MAX_HELD,
): AsyncGenerator<CountedRow[]> {
  const ahead = runs.toSorted(later);
  await using written = new WrittenRuns(folder);
  let last: Identity | undefined;
  let rows = held;
  do {
    const run = ahead.pop();
    if (run) rows = merged(rows, await run.read());
    const next = ahead.at(-1)?.first;
    const ready = next ? firstAtOrAfter(rows, next) : rows.length;
    const portion: CountedRow[] = [];
    for (let i = 0; i < ready; i++) {
      const row = rows[i]!;
      if (!last || compareRows(last, row) !== 0) portion.push(row);
      last = row;
    }
    yield portion;
    rows = rows.slice(ready);
    if (rows.length <= maxHeld) continue;
    // What comes soon is held on.
    for (const some of parts(rows.splice(maxHeld >> 2))) ahead.push(await written.write(some));
    ahead.sort(later);
  } while (ahead.length > 0);
}

const later = (a: Run, b: Run): number => compareRows(b.first, a.first);

function* parts(rows: readonly CountedRow[]): Generator<readonly CountedRow[]> {
  for (let from = 0; from < rows.length; from += ROWS_A_RUN) yield rows.slice(from, from + ROWS_A_RUN);
}

/** How many rows come before an identity. */
function firstAtOrAfter(rows: readonly CountedRow[], identity: Identity): number {
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareRows(rows[middle]!, identity) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

function merged(some: CountedRow[], others: CountedRow[]): CountedRow[] {
  if (some.length === 0) return others;
  const rows: CountedRow[] = [];
  let next = 0;
  for (const row of some) {
    while (next < others.length && compareRows(others[next]!, row) < 0) rows.push(others[next++]!);
    rows.push(row);
  }
  while (next < others.length) rows.push(others[next++]!);
  return rows;
}

/** Runs in a file that is made when there is one, and goes with the folder. */
class WrittenRuns {
  readonly #path: string;
  #file: ReturnType<typeof open> | undefined;
  #end = 0;

  constructor(folder: string) {
    this.#path = join(folder, `runs-${randomBytes(8).toString("hex")}`);
  }

  async write(rows: readonly CountedRow[]): Promise<Run> {
    this.#file ??= open(this.#path, "wx+", 0o600);
    const file = await this.#file;
    const bytes = zstdCompressSync(JSON.stringify(rows));
    const start = this.#end;
    this.#end += bytes.length;
    await file.write(bytes, 0, bytes.length, start);
    const read = async (): Promise<CountedRow[]> => {
      const { buffer } = await file.read(Buffer.allocUnsafe(bytes.length), 0, bytes.length, start);
      return JSON.parse(zstdDecompressSync(buffer).toString()) as CountedRow[];
    };
    return { first: rows[0]!, read };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#file)?.close();
  }
}
