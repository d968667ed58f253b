/**
 * DuckDB over the Parquet files of one machine: in this process, loaded when somebody first asks, gone when nobody has
 * asked for a while. It reads the archive's folder and nothing else, with bounded memory and time.
 */
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { ClickstreamError } from "../errors.ts";
import { LATER_COLUMNS } from "../model/archive.ts";
import { HOUR_MS } from "../model/time.ts";
import type { Explorer, Extent, Progress, ResultRow, Source, Statement } from "./explorer.ts";
import { badPattern, takesMore, tooLong } from "./limits.ts";

export interface DuckdbOptions {
  /** Where the archive's files are: `site=ID/dt=YYYY-MM-DD/hour=HH/*.parquet`. */
  readonly directory: string;
  /** Where a large sort may lay down what does not fit into memory. Default: nowhere. */
  readonly spillDirectory?: string;
  /** Of one question. Default 30 s. */
  readonly timeoutMs?: number;
  /** Default 256 MB. */
  readonly memoryMb?: number;
  /** After this long without a question it is closed. Default one minute. */
  readonly idleMs?: number;
  /** Name of a site's folder. */
  readonly folderOf?: (site: string) => string;
}

interface Opened {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
}

interface Run {
  readonly started: number;
  rows: Promise<readonly ResultRow[]>;
  /** While it is its turn. */
  connection: DuckDBConnection | undefined;
  /** Its answer is kept for whoever comes again. */
  isOver: boolean;
  kept?: NodeJS.Timeout;
}

/** What lies on disk for a sort; more is a question for a bigger machine. */
const MAX_SPILL = "2GB";

export function duckdbExplorer(options: DuckdbOptions): Explorer {
  const { directory, spillDirectory = "", timeoutMs = 30_000, memoryMb = 256, idleMs = 60_000 } = options;
  const folderOf = options.folderOf ?? ((site: string) => `site=${encodeURIComponent(site)}`);
  let opened: Promise<Opened> | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isClosing = false;
  let queue: Promise<unknown> = Promise.resolve();
  const runs = new Map<string, Run>();
  const looks = new Map<string, { readonly started: number; readonly source: Promise<Source | undefined> }>();
  const checked = new Map<string, { readonly files: string; readonly repeats: boolean }>();

  async function open(): Promise<Opened> {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:", {
      memory_limit: `${memoryMb}MB`,
      threads: "1",
      temp_directory: spillDirectory,
      max_temp_directory_size: spillDirectory === "" ? "0KB" : MAX_SPILL,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
      preserve_insertion_order: "false",
    });
    const connection = await instance.connect();
    // Text of ours; a path is the operator's, and quotes in it are doubled.
    const allowed = [directory, ...(spillDirectory === "" ? [] : [spillDirectory])].map((path) =>
      literal(join(path, "/")),
    );
    await connection.run(`SET allowed_directories = [${allowed.join(", ")}]`);
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
    return { instance, connection };
  }

  /**
   * Whether a row stands in these files twice. Both have the same event time, so they lie in the same hour; what was
   * found out of an hour holds as long as it has the same files.
   */
  async function repeats(files: readonly string[]): Promise<boolean> {
    const hours = Map.groupBy(files, dirname);
    const unknown = [...hours].filter(([hour, own]) => checked.get(hour)?.files !== own.join());
    for (let i = 0; i < unknown.length; i += HOURS_AT_ONCE) {
      const some = unknown.slice(i, i + HOURS_AT_ONCE);
      const values = [some.flatMap(([, own]) => own)];
      const [[count] = []] = await execute({ text: `SELECT count(*) FROM (${REPEATED})`, values }).rows;
      const found = count === "0" ? [] : await execute({ text: REPEATED, values }).rows;
      const repeated = new Set(found.map(([file]) => dirname(file ?? "")));
      for (const [hour, own] of some) checked.set(hour, { files: own.join(), repeats: repeated.has(hour) });
    }
    for (const oldest of checked.keys()) {
      if (checked.size <= MAX_CHECKED) break;
      checked.delete(oldest);
    }
    return [...hours.keys()].some((hour) => checked.get(hour)?.repeats ?? true);
  }

  async function find(extent: Extent): Promise<Source | undefined> {
    const files = await filesOf(join(directory, folderOf(extent.site)), extent);
    if (files.length === 0) return undefined;
    return { text: PARQUET, values: [files], mayRepeat: await repeats(files) };
  }

  function goOn(): void {
    if (isClosing) throw new ClickstreamError("unavailable", "DuckDB is being closed");
  }

  /** One after the other: a second at once would need as much memory again. */
  function execute(statement: Statement): Run {
    const run: Run = {
      started: performance.now(),
      rows: Promise.resolve([]),
      connection: undefined,
      isOver: false,
    };
    const turn = queue.then(async () => {
      goOn();
      clearTimeout(idle);
      opened ??= open().catch((cause: unknown) => {
        opened = undefined;
        throw new ClickstreamError("unavailable", "DuckDB cannot be started", { cause });
      });
      const { connection } = await opened;
      goOn(); // what is interrupted before it begins goes on
      run.connection = connection;
      const interrupt = setTimeout(() => connection.interrupt(), timeoutMs);
      try {
        return await query(connection, statement);
      } catch (cause) {
        throw translated(cause, { timeoutMs, memoryMb });
      } finally {
        clearTimeout(interrupt);
        run.connection = undefined;
        run.isOver = true;
        idle = setTimeout(() => void closeIdle(), idleMs);
        idle.unref();
      }
    });
    queue = turn.catch(() => undefined);
    run.rows = turn;
    return run;
  }

  /** Its files are part of a statement and never change, so neither does its answer: kept for as long as somebody comes for it. */
  function keep(key: string, run: Run): void {
    const forget = (): void => {
      if (runs.get(key) === run) runs.delete(key);
    };
    clearTimeout(run.kept);
    run.rows.then(() => {
      clearTimeout(run.kept);
      run.kept = setTimeout(forget, KEPT_MS).unref();
    }, forget);
  }

  /** Answers that are kept give way, the oldest first. */
  function makeRoom(): void {
    if (runs.size < MAX_RUNS) return;
    const over = [...runs].find(([, { isOver }]) => isOver);
    if (!over) throw tooMany();
    runs.delete(over[0]);
  }

  async function closeIdle(): Promise<void> {
    const closing = opened;
    opened = undefined;
    const open = await closing?.catch(() => undefined);
    open?.connection.closeSync();
    open?.instance.closeSync();
  }

  return {
    dialect: "duckdb",
    async source(extent, waitMs) {
      const key = JSON.stringify(extent);
      let look = looks.get(key);
      if (!look) {
        if (looks.size >= MAX_RUNS) throw tooMany();
        look = { started: performance.now(), source: find(extent) };
        looks.set(key, look);
        const forget = (): void => void looks.delete(key);
        look.source.then(forget, forget);
      }
      const { started, source } = look;
      const found = await within(
        source.then((one) => ({ source: one })),
        waitMs,
      );
      return found ?? { progress: { done: undefined, elapsedMs: Math.round(performance.now() - started) } };
    },
    async run(statement, waitMs) {
      const key = JSON.stringify(statement);
      let run = runs.get(key);
      if (!run) {
        makeRoom();
        run = execute(statement);
        runs.set(key, run);
      }
      keep(key, run);
      const rows = await within(run.rows, waitMs);
      return rows ? { rows } : { rows: undefined, progress: progressOf(run) };
    },
    async close() {
      // Those that wait for their turn would take their time one after the other.
      isClosing = true;
      clearTimeout(idle);
      const connection = (await opened?.catch(() => undefined))?.connection;
      connection?.interrupt();
      await queue;
      clearTimeout(idle);
      await closeIdle();
    },
  };
}

/** With the columns that all of the files may lack. */
const PARQUET = `(SELECT ${LATER_COLUMNS.map(({ name }) => `CAST(NULL AS VARCHAR) AS "${name}"`).join(", ")} WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(?, union_by_name = true, hive_partitioning = false))`;
/** A file of each row that stands there twice. A hash that two rows share by chance costs time, and nothing else. */
const REPEATED = `SELECT min("filename") FROM read_parquet(?, filename = true, hive_partitioning = false) GROUP BY hash("shard", "sequence", "index") HAVING count(*) > 1`;
/** A week: looking through more at once would need more memory than there is. */
const HOURS_AT_ONCE = 168;
/** Ten years of hours of one site. */
const MAX_CHECKED = 100_000;

/** Whoever was told to come again may take a quarter of a minute, and one of several statements may be over five seconds before. */
const KEPT_MS = 20_000;
/** Waiting, running or kept. */
const MAX_RUNS = 32;

const tooMany = (): ClickstreamError =>
  new ClickstreamError("throttled", `${MAX_RUNS} questions to the archive are being answered`);

/** Undefined when it takes longer. */
async function within<T>(work: Promise<T>, waitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function progressOf({ started, connection }: Run): Progress {
  const percentage = connection?.progress.percentage ?? -1;
  return {
    done: percentage >= 0 ? Math.min(1, percentage / 100) : undefined,
    elapsedMs: Math.round(performance.now() - started),
  };
}

async function query(connection: DuckDBConnection, { text, values }: Statement): Promise<ResultRow[]> {
  const { listValue, LIST, VARCHAR, BIGINT } = await import("@duckdb/node-api");
  const bound = values.map((value) =>
    typeof value === "string" ? value : typeof value === "number" ? BigInt(value) : listValue([...value]),
  );
  const types = values.map((value) =>
    typeof value === "string" ? VARCHAR : typeof value === "number" ? BIGINT : LIST(VARCHAR),
  );
  const reader = await connection.runAndReadAll(text, bound, types);
  return reader
    .getRowsJson()
    .map((row) =>
      row.map((value) => (value === null ? null : typeof value === "string" ? value : JSON.stringify(value))),
    );
}

/** Which limit was met, in words of the caller's; anything else that the engine refuses is a fault of ours. */
function translated(
  cause: unknown,
  { timeoutMs, memoryMb }: { timeoutMs: number; memoryMb: number },
): ClickstreamError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/interrupt/i.test(message)) return tooLong(timeoutMs);
  if (/out of memory/i.test(message)) return takesMore(`than ${memoryMb} MB of memory`);
  if (/^Invalid Input Error: .*(regexp|regex|RE2|missing|invalid escape|bad repetition)/i.test(message))
    return badPattern();
  // A file that was joined with others between listing and reading: the next try lists anew.
  if (/No such file|Could not open|Cannot open file/i.test(message))
    return new ClickstreamError("unavailable", "a file of the archive went away while it was read", {
      cause,
    });
  return new ClickstreamError("invariant", `DuckDB refused a statement: ${message.slice(0, 300)}`, { cause });
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The files of the hours that the extent touches, in a fixed order. */
async function filesOf(directory: string, { from, to }: Extent): Promise<string[]> {
  const days = await names(directory, "dt=");
  const first = new Date(Math.max(from, -8.64e15)).toISOString();
  const last = new Date(to - 1).toISOString();
  const wanted = days.filter(
    (day) => day.slice(3) >= first.slice(0, 10) && day.slice(3) <= last.slice(0, 10),
  );
  const files: string[] = [];
  for (const day of wanted) {
    for (const hour of await names(join(directory, day), "hour=")) {
      const start = Date.parse(`${day.slice(3)}T${hour.slice(5)}:00:00Z`);
      if (start + HOUR_MS <= from || start >= to) continue;
      for (const file of await names(join(directory, day, hour), ""))
        if (file.endsWith(".parquet")) files.push(join(directory, day, hour, file));
    }
  }
  return files;
}

async function names(directory: string, prefix: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.startsWith(prefix)).sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new ClickstreamError("unavailable", "the archive's folder cannot be read", { cause });
  }
}
