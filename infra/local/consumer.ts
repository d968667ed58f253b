/** Reads every shard of a stream in order, parents before children, and hands the records to its worker until closed. */
import { setTimeout as timeout } from "node:timers/promises";
import { describe, isOutage } from "../../processors/errors.ts";
import type { Clock, EpochMs } from "../../processors/model/time.ts";
import { type AggregateDeps, ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { type Counters, newCounters } from "../../processors/pipeline/state.ts";
import type { Shard, Stream } from "../../processors/streams/stream.ts";

export interface ConsumerOptions {
  readonly stream: Stream;
  readonly aggregate: AggregateDeps;
  readonly clock: Clock;
  /** How often to look for records that nobody announced by `wake`. */
  readonly pollMs: number;
  /** After a commit nothing is read for as long as that took, at most this. Default 25. */
  readonly maxGatherMs?: number | undefined;
  readonly log: (line: string) => void;
  /** Resolves after `ms`, or rejects at the signal. Default: a timer. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Records read at once: folding them takes some tens of milliseconds, during which nothing else is answered. */
const BATCH_RECORDS = 250;
/**
 * Records that come one by one gather while nothing is read, and commits, each with a sync and with work for everybody who
 * reads it, take half of the time at most. What comes after a pause is counted at once.
 */
const MAX_GATHER_MS = 25;
/** How often to look while another process puts records and announces none, as an import does, and for how long after its last. */
const BUSY_POLL_MS = 10;
const BUSY_FOR_MS = 1_000;
/** How often to look for new shards. */
const HOUSEKEEPING_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

/** How far a shard is counted. */
interface Standing {
  readonly counters: Counters;
  readonly sequence: string;
  readonly commits: number;
}

interface Reader {
  readonly worker: ShardWorker;
  /** Since when something has been waiting to be counted; undefined when all is. */
  pendingSince: EpochMs | undefined;
  /** Goes up with every announcement, so that an empty read that began before it proves nothing. */
  announced: number;
  wake: () => void;
}

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #readers = new Map<string, Reader>();
  /** Closed shards that were read to their end. Their workers are gone, with all that these remember of visitors. */
  readonly #finished = new Map<string, Standing>();
  readonly #loops: Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** Resolves when all shards are being read. Throws when the stream cannot be listed. */
  async start(): Promise<void> {
    await this.#discover();
    this.#loops.push(this.#keepHouse());
  }

  /** Says that a record was put. */
  wake(): void {
    const now = this.#options.clock.now();
    for (const reader of this.#readers.values()) {
      reader.announced++;
      reader.pendingSince ??= now;
      reader.wake();
    }
  }

  /** How long the oldest record that is not counted yet has been waiting, ms; 0 when all are counted. */
  lagMs(): number {
    const now = this.#options.clock.now();
    return Math.max(
      0,
      ...[...this.#readers.values()].map(({ pendingSince }) =>
        pendingSince === undefined ? 0 : now - pendingSince,
      ),
    );
  }

  /** Running totals of all shards, and how many commits hold them. */
  async counters(): Promise<Counters> {
    const total = newCounters();
    for (const { counters } of (await this.#standings()).values()) {
      total.records += counters.records;
      total.batches += counters.batches;
      total.events += counters.events;
      total.late += counters.late;
      for (const [reason, count] of Object.entries(counters.rejects))
        total.rejects[reason] = (total.rejects[reason] ?? 0) + count;
    }
    return total;
  }

  /** Last sequence number that is counted, by shard. */
  async counted(): Promise<Map<string, string>> {
    return new Map([...(await this.#standings())].map(([id, { sequence }]) => [id, sequence]));
  }

  async commits(): Promise<number> {
    return [...(await this.#standings()).values()].reduce((sum, { commits }) => sum + commits, 0);
  }

  async #standings(): Promise<Map<string, Standing>> {
    const standings = new Map(this.#finished);
    // All at once: one that finishes meanwhile must not be missed.
    for (const [id, { worker }] of [...this.#readers]) standings.set(id, await standingOf(worker));
    return standings;
  }

  /** Finishes the batch in hand and stops; records not read yet stay in the stream. */
  async close(): Promise<void> {
    this.#stopping.abort();
    for (const reader of this.#readers.values()) reader.wake();
    await Promise.all(this.#loops);
    // What it would have saved the next start is in the log.
    for (const [id, { worker }] of this.#readers)
      await worker.rest().catch((error: unknown) => this.#options.log(`shard ${id}: ${describe(error)}`));
  }

  async #discover(): Promise<void> {
    const shards = await this.#options.stream.shards();
    const ids = new Set(shards.map(({ id }) => id));
    for (const shard of shards) {
      if (this.#readers.has(shard.id) || this.#finished.has(shard.id)) continue;
      const waits = shard.parents.some((parent) => ids.has(parent) && !this.#finished.has(parent));
      if (!waits) this.#loops.push(this.#read(shard));
    }
  }

  async #read({ id, parents }: Shard): Promise<void> {
    const { stream, aggregate, clock, log, pollMs, maxGatherMs = MAX_GATHER_MS } = this.#options;
    const worker = new ShardWorker(aggregate, { id, parents });
    const reader: Reader = { worker, pendingSince: clock.now(), announced: 0, wake: () => {} };
    this.#readers.set(id, reader);
    let retryMs = FIRST_RETRY_MS;
    let isWoken = false;
    let unannouncedAt = Number.NEGATIVE_INFINITY;
    while (!this.#stopping.signal.aborted) {
      try {
        const announced = reader.announced;
        const { records, atEnd, caughtUp } = await stream.read(
          id,
          await worker.lastSequence(),
          BATCH_RECORDS,
        );
        if (records[0]) {
          reader.pendingSince = Math.min(
            reader.pendingSince ?? Number.POSITIVE_INFINITY,
            records[0].arrivalAt,
          );
          const startedAt = clock.now();
          if (!isWoken) unannouncedAt = startedAt;
          await worker.process(records);
          const tookMs = clock.now() - startedAt;
          // What waits now, if anything, was announced after this batch was read.
          reader.pendingSince = caughtUp && announced === reader.announced ? undefined : clock.now();
          const gatherMs = Math.min(tookMs, maxGatherMs);
          if (caughtUp && gatherMs > 0) await this.#rest(undefined, gatherMs);
        } else if (atEnd) {
          await this.#finish(id, worker);
          return await this.#discover();
        } else if (caughtUp && announced === reader.announced) {
          reader.pendingSince = undefined;
          const isBusy = clock.now() - unannouncedAt < BUSY_FOR_MS;
          isWoken = await this.#rest(reader, isBusy ? Math.min(BUSY_POLL_MS, pollMs) : pollMs);
        }
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        if (!isOutage(error)) throw error;
        log(`shard ${id}: ${describe(error)}; again in ${retryMs} ms`);
        await this.#rest(undefined, retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  async #finish(id: string, worker: ShardWorker): Promise<void> {
    const standing = await standingOf(worker);
    await worker.rest();
    this.#finished.set(id, standing);
    this.#readers.delete(id);
  }

  /** Waits for an announcement, the time, or the end; answers whether it was an announcement. */
  async #rest(reader: Reader | undefined, ms: number): Promise<boolean> {
    const waiting = new AbortController();
    if (reader) reader.wake = () => waiting.abort();
    const signal = AbortSignal.any([waiting.signal, this.#stopping.signal]);
    const { sleep = timer } = this.#options;
    await sleep(ms, signal).catch(() => {});
    if (reader) reader.wake = () => {};
    return waiting.signal.aborted;
  }

  async #keepHouse(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#rest(undefined, HOUSEKEEPING_MS);
      if (this.#stopping.signal.aborted) return;
      try {
        await this.#discover();
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.#options.log(`housekeeping: ${describe(error)}`);
      }
    }
  }
}

const standingOf = async (worker: ShardWorker): Promise<Standing> => ({
  counters: await worker.counters(),
  sequence: await worker.lastSequence(),
  commits: await worker.commits(),
});

const timer = (ms: number, signal: AbortSignal): Promise<unknown> => timeout(ms, undefined, { signal });
