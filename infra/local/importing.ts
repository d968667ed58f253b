/**
 * Puts a file's records into the stream of a running or a stopped server, no faster than they are counted: so live events
 * wait for a few chunks at most, and memory stays small. Without a server it has them counted itself.
 */
import { EventEmitter } from "node:events";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../processors/clock.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import type { CommitPosition } from "../../processors/pipeline/aggregate.ts";
import { committedTo, listShards, logEnd } from "../../processors/pipeline/commit.ts";
import { compactAll } from "../../processors/pipeline/compact.ts";
import { type ImportResult, importFile } from "../../processors/pipeline/import/importer.ts";
import type { ImportEntry } from "../../processors/pipeline/import/ledger.ts";
import type { ImportRecord } from "../../processors/pipeline/import/record.ts";
import type { Store } from "../../processors/stores/store.ts";
import { compareSequences, type Stream } from "../../processors/streams/stream.ts";
import { keepHouse } from "./counting.ts";
import { keepLaterThreadsSmall, keepRoomForYoung, makeRoomForYoung } from "./heap.ts";
import type { CounterMessage } from "./importcounter.ts";
import { type FileSettings, fileReport, fileSource, writeSummary } from "./importfile.ts";
import { lockCounting } from "./lock.ts";
import { openStore, openStream } from "./opening.ts";
import { patiently, patientStore } from "./patient.ts";

export interface ImportingOptions extends FileSettings {
  readonly site: string;
  readonly dataDirectory: string;
  /** `kinesis:NAME` and `dynamodb:TABLE` instead of files. */
  readonly stream?: string | undefined;
  readonly store?: string | undefined;
  /** Keeps its events in the archive, where no server counts. */
  readonly keepsArchive: boolean;
  /** File of a table of regions and cities, where no server counts; default: they are not known. */
  readonly places?: string | undefined;
  readonly log: (line: string) => void;
  readonly onProgress?: (entry: ImportEntry) => void;
}

/** Chunks put and not counted yet. Beside live traffic, what waits is what a live event may have to wait for. */
const CHUNKS_AHEAD = 2;
/** Beside live traffic a chunk is counted in a quarter of the time, during which nothing else is; alone, larger ones cost less an event. */
const CHUNK_BYTES = { beside: 128 * 1024, alone: 2560 * 1024 };
/** So that a chunk is one commit: what commits share, visits under way and rows of the same hour, is written less often. */
const COMMIT_BYTES_ALONE = 1_700_000;
/** A snapshot for every ten commits was a tenth of counting. After a crash whoever starts next reads this much of the log, a second or two. */
const LOG_BYTES_ALONE = 16 << 20;
/** With one shard all go there; with more, a chunk is spread over so many records. */
const LANES = 8;
const LOOK_MS = { beside: 10, alone: 100 };
/** Compacting and recounting come in small portions: so the thread that counts need not wait for chunks, and little is left for the end. */
const HOUSE_EVERY_MS = 3_000;
/**
 * Of the thread that counts: what it makes for one chunk lives until its commit, and the more of that is young, the less
 * is moved. What grows old has no bound of its own: a server's visitors are in it too, and they must fit.
 */
const COUNTER_HEAP = { maxYoungGenerationSizeMb: 48 };
/** The thread that counts says how far it is. When it has said nothing for so long, the log tells whether somebody else counts. */
const ASK_MS = 1_000;
/** Whoever counts has died or been stopped when nothing moves for so long. */
const STILL_MS = 3_000;
/** After so long without a move whoever waits is told why. */
const TELL_STILL_MS = 10_000;

/** Resolves when all of the file is counted. Throws `config` for what the caller can mend; running it again goes on where it stopped. */
export async function runImport(path: string, options: ImportingOptions): Promise<ImportResult> {
  makeRoomForYoung();
  const source = await fileSource(path, options);
  const { dataDirectory, log } = options;
  const places = {
    dataDirectory,
    log,
    ...(options.stream ? { stream: options.stream } : {}),
    ...(options.store ? { store: options.store } : {}),
  };
  await using opened = new AsyncDisposableStack();
  const store = await openStore(places, systemClock, { mayCreateTable: false });
  opened.defer(() => store.close());
  const stream = await openStream(places, store, systemClock);
  opened.defer(() => stream.close());
  const shards = (await stream.shards()).filter(({ closed }) => !closed).length;
  const counter = new Counter(options, store, stream);
  opened.defer(() => counter.close());
  await counter.countIfNobodyDoes();
  const ahead = new Ahead(store, stream, counter, log);
  const report = fileReport(path);
  opened.defer(() => report.close());
  const result = await importFile(
    {
      store: patientStore(store),
      clock: systemClock,
      report,
      put(records) {
        keepRoomForYoung();
        return ahead.put(records);
      },
      progress: (entry) => options.onProgress?.(entry),
    },
    source,
    {
      site: options.site,
      lanes: shards === 1 ? 1 : LANES,
      chunkBytes: counter.isAlone ? CHUNK_BYTES.alone : CHUNK_BYTES.beside,
    },
  );
  await ahead.settle(0);
  const { settings, counts, startedAt, updatedAt, lines } = result.entry;
  await writeSummary(path, {
    file: source.name,
    site: options.site,
    settings: JSON.parse(settings) as unknown,
    from: new Date(startedAt).toISOString(),
    to: new Date(updatedAt).toISOString(),
    lines,
    ...counts,
    report: counts.bad > 0 ? `${source.name}.report.ndjson` : null,
  }).catch((cause: unknown) => log(`${path}.report.json: cannot be written (${String(cause)})`));
  return result;
}

/** An error of another thread has lost its class on the way, but not what it says. */
const asOurs = (error: Error): Error =>
  error.name === "ClickstreamError"
    ? new ClickstreamError((error as ClickstreamError).code, error.message, { cause: error })
    : error;

/**
 * Has the stream counted in a thread, where no other process does. Compacting and recounting go on in this thread
 * meanwhile: reading the file leaves it half idle, and the one that counts is the slowest.
 */
class Counter {
  readonly #options: ImportingOptions;
  readonly #store: Store;
  readonly #stream: Stream;
  #worker: Worker | undefined;
  /** What the thread said last of each shard. */
  readonly #told = new Map<string, CommitPosition>();
  readonly #commits = new EventEmitter();
  #house = new AsyncDisposableStack();

  constructor(options: ImportingOptions, store: Store, stream: Stream) {
    this.#options = options;
    this.#store = store;
    this.#stream = stream;
  }

  get isAlone(): boolean {
    return this.#worker !== undefined;
  }

  /** On AWS the functions count. */
  async countIfNobodyDoes(): Promise<void> {
    const { dataDirectory, stream, store, keepsArchive, places, log } = this.#options;
    if (this.#worker || stream || store) return;
    const lock = lockCounting(dataDirectory);
    if (!lock) return;
    lock.release();
    await this.#house.disposeAsync();
    const url = new URL(`importcounter.${import.meta.url.split(".").at(-1)}`, import.meta.url);
    const worker = new Worker(url, {
      workerData: {
        dataDirectory,
        sites: [],
        keepsArchive,
        places,
        maxCommitBytes: COMMIT_BYTES_ALONE,
        maxLogBytes: LOG_BYTES_ALONE,
        // Records are chunks: there is nothing to gather.
        maxGatherMs: 0,
      },
      resourceLimits: COUNTER_HEAP,
    });
    this.#worker = worker;
    await new Promise<void>((resolve, reject) => {
      worker.once("error", (error) => reject(asOurs(error)));
      worker.on("message", (message: CounterMessage) => {
        if (message === "ready") resolve();
        else if ("log" in message) log(message.log);
        else {
          this.#told.set(message.commit.shard, message.commit);
          this.#commits.emit("commit");
        }
      });
    });
    // The one that keeps the archive's files holds few rows at a time.
    keepLaterThreadsSmall();
    worker.removeAllListeners("error");
    worker.on("error", (error) => log(`counting stopped: ${error.message}`));
    worker.once("exit", () => {
      this.#worker = undefined;
      this.#told.clear();
    });
    this.#house = new AsyncDisposableStack();
    const consumer = { commits: () => this.#commitCount(), counted: () => this.#counted() };
    await keepHouse(
      {
        store: this.#store,
        stream: this.#stream,
        consumer,
        log,
        leavesChanged: true,
        everyMs: HOUSE_EVERY_MS,
      },
      this.#house,
    );
  }

  /** The last sequence number counted, as the thread said; undefined before it has said anything. */
  toldOf(shard: string): string | undefined {
    return this.#told.get(shard)?.to;
  }

  /** Resolves when the thread says something, or after this time. */
  saysMore(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#commits.off("commit", done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#commits.once("commit", done);
    });
  }

  /** Commits so far, all shards together. */
  async #commitCount(): Promise<number> {
    let commits = 0;
    for (const { id } of await listShards(this.#store))
      commits += this.#told.get(id)?.n ?? (await logEnd(this.#store, id))?.n ?? 0;
    return commits;
  }

  /** Last sequence number that is counted, by shard. */
  async #counted(): Promise<Map<string, string>> {
    const counted = new Map<string, string>();
    for (const { id } of await listShards(this.#store))
      counted.set(id, this.toldOf(id) ?? (await committedTo(this.#store, id)));
    return counted;
  }

  /** Ends the thread, and then folds all that is counted into rollups, so that the next reader need not. */
  async close(): Promise<void> {
    await this.#house.disposeAsync();
    const worker = this.#worker;
    if (!worker) return;
    const gone = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage("close");
    await gone;
    await compactAll({ store: this.#store, clock: systemClock });
  }
}

/** What is put and not counted yet. */
class Ahead {
  readonly #store: Store;
  readonly #stream: Stream;
  readonly #counter: Counter;
  readonly #log: (line: string) => void;
  /** Last sequence number of each chunk by shard, oldest first. */
  #chunks: Map<string, string>[] = [];

  constructor(store: Store, stream: Stream, counter: Counter, log: (line: string) => void) {
    this.#store = store;
    this.#stream = stream;
    this.#counter = counter;
    this.#log = log;
  }

  async put(records: readonly ImportRecord[]): Promise<void> {
    const last = new Map<string, string>();
    for (const { shard, sequence } of await Promise.all(
      records.map((record) => patiently(() => this.#stream.put(record))),
    ))
      if (compareSequences(sequence, last.get(shard) ?? "") > 0) last.set(shard, sequence);
    this.#chunks.push(last);
    await this.settle(CHUNKS_AHEAD - 1);
  }

  /** Waits until at most `most` chunks are not counted. */
  async settle(most: number): Promise<void> {
    let movedAt = performance.now();
    let triedAt = movedAt;
    let isTold = false;
    while (this.#chunks.length > most) {
      const shards = new Set(this.#chunks.flatMap((chunk) => [...chunk.keys()]));
      const counted = new Map<string, string>();
      const stillMs = performance.now() - triedAt;
      for (const shard of shards) {
        const told = stillMs < ASK_MS ? this.#counter.toldOf(shard) : undefined;
        counted.set(shard, told ?? (await committedTo(this.#store, shard)));
      }
      const left = this.#chunks.filter((chunk) =>
        [...chunk].some(([shard, sequence]) => compareSequences(sequence, counted.get(shard) ?? "") > 0),
      );
      if (left.length < this.#chunks.length) movedAt = triedAt = performance.now();
      this.#chunks = left;
      if (left.length <= most) return;
      if (stillMs > STILL_MS) {
        await this.#counter.countIfNobodyDoes();
        triedAt = performance.now();
      }
      if (!isTold && performance.now() - movedAt > TELL_STILL_MS) {
        isTold = true;
        this.#log(
          `nothing has been counted for ${TELL_STILL_MS / 1_000} s: whoever counts is busy, or counts other data than these`,
        );
      }
      await this.#counter.saysMore(this.#counter.isAlone ? LOOK_MS.alone : LOOK_MS.beside);
    }
  }
}
