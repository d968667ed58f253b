/** The tracing port: what the pipeline may tell about the work on one batch. Pure types and a silent tracer; knows no vendor. */
import type { EpochMs } from "./model/time.ts";

/** The stations of a batch; each becomes one bar of the waterfall. */
export type StepName = "decode" | "enrich" | "fold" | "archive" | "commit";

export interface BatchInfo {
  readonly shard: string;
  /** Records read from the stream, before anything was rejected. */
  readonly records: number;
  /** How long the oldest record of the batch has been waiting in the stream. */
  readonly lagMs: number;
}

export interface BatchTrace {
  /**
   * Joins the trace of one envelope, named by its X-Amzn-Trace-Id value. Call it for every envelope: a header that is
   * malformed, not sampled, or one too many is ignored. The batch may be joined at any time before `end`.
   */
  join(header: string, about?: { readonly receivedAt?: EpochMs; readonly site?: string }): void;
  /**
   * Runs `work`, synchronous or not, and remembers when; returns or throws exactly what it does. Several calls with
   * one name make one bar, from the first start to the last end.
   */
  step<T>(name: StepName, work: () => T): T;
  /** Marks the batch as failed; the error itself goes on to the caller. */
  fail(error: unknown): void;
  /** Closes the batch and sends it off, never throwing and never waiting. Call once, in a `finally`. */
  end(): void;
}

export interface Tracer {
  /** Call when the batch begins: its bar starts here. */
  batch(info: BatchInfo): BatchTrace;
}

const silentBatch: BatchTrace = {
  join: () => {},
  step: (_name, work) => work(),
  fail: () => {},
  end: () => {},
};

/** Traces nothing, at no cost. */
export const noTracer: Tracer = { batch: () => silentBatch };
