/**
 * Lambda's event source mapping of a Kinesis stream, in this process and under a clock of the test's choice: batching
 * window, batch size, payload limit, parents before children, bisection, retries, record age, partial failures and the
 * on-failure destination. It reads any stream of the port and knows nothing of what the function does.
 * What AWS documents is followed; where it leaves room, the comment says what was chosen.
 */
import { randomUUID } from "node:crypto";
import type { KinesisStreamEvent } from "aws-lambda";
import type { Clock, EpochMs } from "../../../processors/model/time.ts";
import type { Shard, Stream, StreamRecord } from "../../../processors/streams/stream.ts";
import { fitting, lambdaEvent } from "./event.ts";
import {
  type Bucket,
  failureBody,
  failureKey,
  type GivenUpBecause,
  type MappingIdentity,
} from "./failure.ts";
import type { MappingSettings } from "./settings.ts";

export interface MappingOptions extends MappingIdentity {
  readonly settings: MappingSettings;
  readonly stream: Stream;
  readonly clock: Clock;
  /** One synchronous invocation; it rejects when the function throws, crashes or times out. */
  readonly invoke: (event: KinesisStreamEvent) => Promise<unknown>;
  /** Where payloads go that are given up; without one they are gone. */
  readonly failures?: Bucket;
  /** Default "text", as documented. */
  readonly payload?: "object" | "text";
}

/** A batch on its way: cut from the stream, or from a batch that failed. */
interface Batch {
  readonly records: readonly StreamRecord[];
  readonly retries: number;
  readonly invocations: number;
  readonly dueAt: EpochMs;
}

/** One shard: at most one batch of it is being invoked at any time. */
interface Lane {
  readonly shard: Shard;
  /** Last record that was read. */
  read: string;
  /** Last record that was handed over or given up. */
  checkpoint: string;
  /** Read and not cut into a batch yet. */
  readonly waiting: StreamRecord[];
  windowEndsAt: EpochMs;
  atEnd: boolean;
  /** First to be invoked first. */
  batches: Batch[];
}

export interface MappingReport {
  readonly invocations: number;
  readonly failures: number;
  /** Records that went to the destination. */
  readonly givenUp: number;
  /** Age of the last record of the newest batch when it was handed over, ms: Lambda's metric IteratorAge. */
  readonly iteratorAgeMs: number;
}

// AWS retries "with back-off" and does not say which: doubling from a second to a minute.
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

export class EventSourceMapping {
  readonly #options: MappingOptions;
  readonly #source: { readonly streamArn: string; readonly roleArn: string };
  readonly #lanes = new Map<string, Lane>();
  readonly #report = { invocations: 0, failures: 0, givenUp: 0, iteratorAgeMs: 0 };
  #paused = false;

  constructor(options: MappingOptions) {
    this.#options = options;
    const account = options.functionArn.split(":")[4] ?? "";
    this.#source = { streamArn: options.streamArn, roleArn: `arn:aws:iam::${account}:role/function` };
  }

  get report(): MappingReport {
    return { ...this.#report };
  }

  /** Stops polling and invoking, as disabling the mapping does; what was read stays where it is. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  /** Last record of each shard that was handed over or given up. */
  checkpoints(): Map<string, string> {
    return new Map([...this.#lanes.values()].map(({ shard, checkpoint }) => [shard.id, checkpoint]));
  }

  /**
   * One turn: every shard that may be read is polled, and its next batch invoked if it is due; shards at the same
   * time, as Lambda does. Resolves true when anything moved. Throws only what the stream or the destination throw.
   */
  async poll(): Promise<boolean> {
    if (this.#paused) return false;
    await this.#discover();
    const moved = await Promise.all(this.#readable().map((lane) => this.#turn(lane)));
    return moved.includes(true);
  }

  /** When the next batch is due that waits for its window or its retry; undefined when none does. */
  nextDueAt(): EpochMs | undefined {
    const due = this.#readable().flatMap(({ batches, waiting, windowEndsAt }) =>
      batches[0] ? [batches[0].dueAt] : waiting.length > 0 ? [windowEndsAt] : [],
    );
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /**
   * Turns until every record is handed over or given up. `wait` lets the time pass that a window or a retry needs: a
   * manual clock is advanced, a real one slept on.
   */
  async drain(wait: (ms: number) => unknown): Promise<void> {
    for (;;) {
      if (await this.poll()) continue;
      const dueAt = this.nextDueAt();
      if (dueAt === undefined || this.#paused) return;
      await wait(Math.max(0, dueAt - this.#options.clock.now()));
    }
  }

  async #discover(): Promise<void> {
    for (const shard of await this.#options.stream.shards()) {
      if (this.#lanes.has(shard.id)) continue;
      this.#lanes.set(shard.id, {
        shard,
        read: "",
        checkpoint: "",
        waiting: [],
        windowEndsAt: Number.POSITIVE_INFINITY,
        atEnd: false,
        batches: [],
      });
    }
  }

  /** Shards whose parents have been read to their end, and that are not at theirs. */
  #readable(): Lane[] {
    const isFinished = (id: string): boolean => {
      const lane = this.#lanes.get(id);
      return lane === undefined || (lane.atEnd && lane.waiting.length === 0 && lane.batches.length === 0);
    };
    return [...this.#lanes.values()].filter(
      ({ shard }) => shard.parents.every(isFinished) && !isFinished(shard.id),
    );
  }

  async #turn(lane: Lane): Promise<boolean> {
    const read = lane.batches.length === 0 && (await this.#fill(lane));
    const next = lane.batches[0];
    if (next === undefined || next.dueAt > this.#options.clock.now()) return read;
    lane.batches.shift();
    const live = await this.#withoutExpired(lane, next);
    if (live.records.length > 0) lane.batches.unshift(...(await this.#attempt(lane, live)));
    return true;
  }

  /** Reads on and cuts a batch when it is full, as large as an invocation may be, or its window is over. */
  async #fill(lane: Lane): Promise<boolean> {
    const { stream, settings, clock } = this.#options;
    const room = settings.batchSize - lane.waiting.length;
    const { records, atEnd } =
      room > 0 && !lane.atEnd
        ? await stream.read(lane.shard.id, lane.read, room)
        : { records: [], atEnd: lane.atEnd };
    const began = atEnd !== lane.atEnd || records.length > 0;
    lane.atEnd = atEnd;
    if (lane.waiting.length === 0 && records.length > 0) lane.windowEndsAt = clock.now() + settings.windowMs;
    lane.waiting.push(...records);
    lane.read = records.at(-1)?.sequence ?? lane.read;
    if (lane.waiting.length === 0) return began;
    const count = fitting(lane.shard.id, lane.waiting, this.#source);
    const isFull = count < lane.waiting.length || count >= settings.batchSize;
    if (!isFull && clock.now() < lane.windowEndsAt) return began;
    const batch = lane.waiting.splice(0, count);
    lane.batches.push({ records: batch, retries: 0, invocations: 0, dueAt: clock.now() });
    // What did not fit begins a window of its own.
    lane.windowEndsAt = clock.now() + settings.windowMs;
    return true;
  }

  /** Gives up the records at the front that are too old. */
  async #withoutExpired(lane: Lane, batch: Batch): Promise<Batch> {
    const oldest = this.#options.clock.now() - this.#options.settings.maxRecordAgeMs;
    const firstLive = batch.records.findIndex(({ arrivalAt }) => arrivalAt >= oldest);
    const expired = firstLive === -1 ? batch.records.length : firstLive;
    if (expired === 0) return batch;
    await this.#giveUp(
      lane,
      { ...batch, records: batch.records.slice(0, expired) },
      "RecordAgeExceeded",
      true,
    );
    return { ...batch, records: batch.records.slice(expired) };
  }

  /** Invokes the function; answers what is left to do. */
  async #attempt(lane: Lane, batch: Batch): Promise<Batch[]> {
    const { clock, settings, invoke } = this.#options;
    const { records } = batch;
    this.#report.invocations++;
    this.#report.iteratorAgeMs = Math.max(0, clock.now() - records.at(-1)!.arrivalAt);
    let failedFrom: number | undefined;
    let threw = false;
    try {
      // Cloned, because a function may do to its event what it likes.
      const answer = await invoke(structuredClone(lambdaEvent(lane.shard.id, records, this.#source)));
      failedFrom = settings.reportsItemFailures ? firstFailed(answer, records) : undefined;
    } catch {
      threw = true;
      failedFrom = 0;
    }
    if (failedFrom === undefined) {
      lane.checkpoint = records.at(-1)!.sequence;
      return [];
    }
    this.#report.failures++;
    if (failedFrom > 0) lane.checkpoint = records[failedFrom - 1]!.sequence;
    const left = { ...batch, records: records.slice(failedFrom), invocations: batch.invocations + 1 };
    if (threw && settings.bisects && records.length > 1) {
      // Splitting does not use up retries.
      const half = Math.ceil(records.length / 2);
      const part = { retries: batch.retries, invocations: left.invocations, dueAt: clock.now() };
      return [
        { ...part, records: records.slice(0, half) },
        { ...part, records: records.slice(half) },
      ];
    }
    if (batch.retries >= settings.maxRetries) {
      await this.#giveUp(lane, left, "RetryAttemptsExhausted", threw);
      return [];
    }
    const backOff = Math.min(FIRST_BACKOFF_MS * 2 ** batch.retries, MAX_BACKOFF_MS);
    return [{ ...left, retries: batch.retries + 1, dueAt: clock.now() + backOff }];
  }

  async #giveUp(lane: Lane, batch: Batch, condition: GivenUpBecause, threw: boolean): Promise<void> {
    const { failures, clock, payload = "text" } = this.#options;
    const { records, invocations } = batch;
    const event = lambdaEvent(lane.shard.id, records, this.#source);
    const failure = { at: clock.now(), condition, shard: lane.shard.id, records, event, invocations, threw };
    await failures?.put(
      failureKey(this.#options, failure, randomUUID()),
      failureBody(this.#options, failure, randomUUID(), payload),
    );
    this.#report.givenUp += records.length;
    lane.checkpoint = records.at(-1)!.sequence;
  }
}

/**
 * Index of the first record that the function says it did not do, 0 for an answer that makes no sense (then all of them
 * failed), undefined when all are done. https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
 */
function firstFailed(answer: unknown, records: readonly StreamRecord[]): number | undefined {
  if (answer === undefined || answer === null || answer === "") return undefined;
  if (typeof answer !== "object") return 0;
  const { batchItemFailures: failures } = answer as { batchItemFailures?: unknown };
  if (failures === undefined || failures === null) return undefined;
  if (!Array.isArray(failures)) return 0;
  if (failures.length === 0) return undefined;
  const places = failures.map((failure: { itemIdentifier?: unknown } | null) =>
    records.findIndex(({ sequence }) => sequence === failure?.itemIdentifier),
  );
  return Math.max(0, Math.min(...places));
}
