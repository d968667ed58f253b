/** Traces to AWS X-Ray, in Lambda and on one machine alike (docs/decisions/0008). */
import type { Segment, SegmentLike } from "aws-xray-sdk-core";
import { ClickstreamError } from "./errors.ts";
import { type Clock, type EpochMs, SECOND_MS } from "./model/time.ts";
import { parseTraceHeader, type TraceHeader } from "./model/trace.ts";
import {
  addOutcome,
  endedSubsegment,
  loadedSdk,
  loadSdk,
  type Place,
  type Sdk,
  sendAt,
  tracedInvocation,
} from "./segments.ts";
import type { BatchInfo, BatchTrace, StepName, Tracer } from "./tracer.ts";

export interface XrayOptions {
  /** Name of the segments of `batch`: the service that the trace map shows. */
  readonly name: string;
  /** `host:port` of the daemon (UDP). Default: AWS_XRAY_DAEMON_ADDRESS, which also overrules this, else 127.0.0.1:2000. */
  readonly daemonAddress?: string;
  /** The service that takes the commit, as the trace map shows it, e.g. `DynamoDB`. Default: none of its own. */
  readonly commitsTo?: string;
  /** Traces that one batch may join; the rest of the batch shares their timings anyway. Default 5. */
  readonly perBatch?: number;
  readonly clock?: Clock;
  /**
   * Takes the documents of the segments that joined other traces, in place of the daemon. Awaited by `flushed`, which
   * throws what it throws.
   */
  readonly put?: (documents: readonly string[]) => Promise<void>;
}

/** A piece of work that is over, told from outside: who did it, when, in whose trace. */
export interface FinishedSegment {
  readonly name: string;
  readonly id: string;
  readonly traceId: string;
  readonly parentId?: string;
  readonly startMs: EpochMs;
  readonly endMs: EpochMs;
  readonly http?: { readonly method: string; readonly url: string; readonly status: number };
  readonly annotations?: Readonly<Record<string, string | number | boolean>>;
}

export interface XrayTracer extends Tracer {
  /** Sends one segment, never throwing and never waiting. */
  segment(finished: FinishedSegment): void;
  /**
   * Resolves when all that ended before has been handed to the socket, or to `put`. The first sampled batch, which loads
   * the SDK, takes a while; a Lambda handler awaits it at its end, because its container may be frozen afterwards.
   */
  flushed(): Promise<void>;
}

/**
 * Wall-clock time with fractions of a millisecond, because most steps of a batch are shorter than one. For traces only:
 * stored times are whole milliseconds.
 */
export function preciseClock(): Clock {
  const first = bothClocks();
  let offset = first.wall - first.elapsed;
  return {
    now: () => {
      const { wall, elapsed } = bothClocks();
      // Date.now() is cut to whole milliseconds; more than two apart means that somebody has set the clock.
      if (Math.abs(offset + elapsed - wall) > 2) offset = wall - elapsed;
      return offset + elapsed;
    },
  };
}

/** Of one moment: read again when the processor was given to others in between, which would look like a clock that was set. */
function bothClocks(): { readonly wall: EpochMs; readonly elapsed: number } {
  for (;;) {
    const before = performance.now();
    const wall = Date.now();
    const elapsed = performance.now();
    if (elapsed - before < 1) return { wall, elapsed };
  }
}

/** Spares the unsampled majority the parsing. */
const SAMPLED = /sampled=1/i;

interface Span {
  startMs: EpochMs;
  endMs: EpochMs;
  calls: number;
}

interface Joined {
  readonly header: TraceHeader;
  readonly waitMs: number | undefined;
  readonly site: string | undefined;
}

/** A tracer whose batches become X-Ray segments: one per joined trace, and one subsegment of the invocation in Lambda. */
export function xrayTracer(options: XrayOptions): XrayTracer {
  const { name, commitsTo, daemonAddress, perBatch = 5, clock = preciseClock(), put } = options;
  const documents: string[] = [];
  const leave = put && ((segment: Segment): unknown => documents.push(documentOf(segment)));
  let isAddressed = daemonAddress === undefined;
  let pending: Promise<unknown> = Promise.resolve();

  /** Sends now if the SDK is there, else when it is. */
  const withSdk = (send: (sdk: Sdk) => void): void => {
    const guarded = (loaded: Sdk): void => {
      if (!isAddressed) loaded.emitter.setDaemonAddress(daemonAddress!);
      isAddressed = true;
      send(loaded);
    };
    // A trace is a courtesy: whatever goes wrong in sending it must not fail the batch that it describes.
    try {
      const loaded = loadedSdk();
      if (loaded !== undefined) guarded(loaded);
      else pending = Promise.all([pending, loadSdk().then(guarded)]).catch(() => {});
    } catch {}
  };

  return {
    batch: (info) => openBatch({ name, commitsTo, perBatch, clock, withSdk, leave }, info),
    segment: (finished) => withSdk((loaded) => sendFinished(loaded, finished)),
    async flushed() {
      await pending;
      const ready = documents.splice(0);
      if (ready.length > 0) await put?.(ready);
    },
  };
}

interface BatchDeps extends Pick<XrayOptions, "commitsTo"> {
  readonly name: string;
  readonly perBatch: number;
  readonly clock: Clock;
  readonly withSdk: (send: (sdk: Sdk) => void) => void;
  readonly leave: ((segment: Segment) => void) | undefined;
}

/** Only collects while the batch runs and sends at its end: an unsampled batch costs a few clock readings. */
function openBatch(deps: BatchDeps, info: BatchInfo): BatchTrace {
  const { name, commitsTo, perBatch, clock, withSdk, leave = sendToDaemon } = deps;
  const startMs = clock.now();
  const spans = new Map<StepName, Span>();
  const joined: Joined[] = [];
  let failure: Error | undefined;

  const mark = (step: StepName, from: EpochMs): void => {
    const to = clock.now();
    const span = spans.get(step);
    if (span === undefined) spans.set(step, { startMs: from, endMs: to, calls: 1 });
    else {
      span.endMs = to;
      span.calls += 1;
    }
  };

  return {
    join(text, about) {
      if (joined.length >= perBatch || !SAMPLED.test(text)) return;
      const header = parseTraceHeader(text);
      if (header?.sampled !== true || joined.some((other) => other.header.root === header.root)) return;
      const waitMs = about?.receivedAt === undefined ? undefined : Math.max(0, startMs - about.receivedAt);
      joined.push({ header, waitMs, site: about?.site?.slice(0, 200) });
    },
    step(step, work) {
      const from = clock.now();
      let result: ReturnType<typeof work>;
      try {
        result = work();
      } catch (error) {
        mark(step, from);
        throw error;
      }
      if (!(result instanceof Promise)) {
        mark(step, from);
        return result;
      }
      return result.finally(() => mark(step, from)) as typeof result;
    },
    fail(error) {
      failure = error instanceof Error ? error : new Error(String(error));
    },
    end() {
      const invocation = tracedInvocation();
      if (joined.length === 0 && !invocation) return;
      const batch: EndedBatch = { name, commitsTo, info, startMs, endMs: clock.now(), spans, failure };
      withSdk((loaded) => {
        if (invocation) sendInvocation(loaded, batch, invocation);
        for (const one of joined) leave(joinedSegment(loaded, batch, one));
      });
    },
  };
}

interface EndedBatch {
  readonly name: string;
  readonly commitsTo: string | undefined;
  readonly info: BatchInfo;
  readonly startMs: EpochMs;
  readonly endMs: EpochMs;
  readonly spans: ReadonlyMap<StepName, Span>;
  readonly failure: Error | undefined;
}

/** The consumer's segment in the trace of one click. */
function joinedSegment(loaded: Sdk, batch: EndedBatch, { header, waitMs, site }: Joined): Segment {
  const segment = new loaded.Segment(batch.name, header.root, header.parent ?? null);
  segment.start_time = batch.startMs / SECOND_MS;
  segment.end_time = batch.endMs / SECOND_MS;
  if (waitMs !== undefined) segment.addAnnotation("wait_ms", Math.round(waitMs));
  if (site !== undefined) segment.addAnnotation("site", site);
  describe(loaded, segment, batch, batch.commitsTo);
  return segment;
}

const sendToDaemon = (segment: Segment): void => segment.close();

/** As `close` would send it. */
function documentOf(segment: Segment): string {
  delete segment.in_progress;
  return segment.format();
}

/** The same batch in the trace of the Lambda invocation, whose own segment Lambda writes. */
function sendInvocation(loaded: Sdk, batch: EndedBatch, place: Place): void {
  const bar = endedSubsegment(loaded, batch.name, batch.startMs, batch.endMs);
  describe(loaded, bar, batch);
  sendAt(loaded, place, bar);
}

/** `commitsTo`: in an invocation's own trace the client's calls tell of the service. */
function describe(
  loaded: Sdk,
  target: SegmentLike,
  { info, spans, failure }: EndedBatch,
  commitsTo?: string,
): void {
  target.addAnnotation("shard", info.shard);
  target.addAnnotation("batch_size", info.records);
  target.addAnnotation("lag_ms", Math.round(info.lagMs));
  for (const [step, span] of spans) {
    const child = endedSubsegment(loaded, step, span.startMs, span.endMs);
    if (span.calls > 1) child.addMetadata("calls", span.calls);
    if (step === "commit" && commitsTo) {
      const service = endedSubsegment(loaded, commitsTo, span.startMs, span.endMs);
      service.addAttribute("namespace", "aws"); // what makes it a service of its own on the map
      child.addSubsegment(service);
    }
    target.addSubsegment(child);
  }
  if (failure === undefined) return;
  if (failure instanceof ClickstreamError && failure.code === "throttled") target.addThrottleFlag();
  target.addError(failure);
}

function sendFinished(loaded: Sdk, finished: FinishedSegment): void {
  const segment: Segment & { http?: object } = new loaded.Segment(
    finished.name,
    finished.traceId,
    finished.parentId ?? null,
  );
  segment.id = finished.id;
  segment.start_time = finished.startMs / SECOND_MS;
  segment.end_time = Math.max(finished.startMs, finished.endMs) / SECOND_MS;
  for (const [key, value] of Object.entries(finished.annotations ?? {})) segment.addAnnotation(key, value);
  if (finished.http !== undefined) {
    const { method, url, status } = finished.http;
    // Neither address nor agent: a trace is kept for weeks, and nothing in it may point to a person.
    segment.http = { request: { method, url }, response: { status } };
    addOutcome(segment, status);
  }
  segment.close();
}
