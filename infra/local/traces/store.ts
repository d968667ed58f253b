/** The newest traces, in bounded memory, put together from the segment documents that arrive in any order. Knows no socket. */

/** One bar of a waterfall: a segment or a subsegment. */
export interface Span {
  readonly id: string;
  /** Id of the caller's span; "" at the root. The parent may be unknown here: a browser sends none. */
  readonly parentId: string;
  readonly name: string;
  /** Epoch milliseconds, with fractions. */
  readonly startMs: number;
  /** Undefined while in progress. */
  readonly endMs: number | undefined;
  readonly outcome: "ok" | "error" | "throttle" | "fault";
  readonly http: { readonly method: string; readonly url: string; readonly status: number } | undefined;
  readonly annotations: ReadonlyMap<string, string>;
  /** First message of the cause, when it failed. */
  readonly message: string;
}

export interface Trace {
  readonly id: string;
  readonly spans: readonly Span[];
  /** Spans that were refused because the trace was full. */
  readonly dropped: number;
}

export interface TraceStore {
  /** Takes one segment or subsegment document, parsed or not; false, and no other effect, unless it is a valid one. */
  add(document: unknown): boolean;
  /** Traces, newest first. */
  latest(): readonly Trace[];
  get(id: string): Trace | undefined;
}

const TRACE_ID = /^1-[0-9a-f]{8}-[0-9a-f]{24}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;
// X-Ray's own limits (50 annotations, names of 200 characters) would let 200 traces hold far too much for a small site.
const MAX_ANNOTATIONS = 16;
const MAX_TEXT = 200;
const MAX_DEPTH = 8;

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === "string" ? value.slice(0, MAX_TEXT) : "");
const seconds = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value > 0 && value < 1e11 ? value * 1000 : undefined;

/** Keeps the newest `maxTraces` traces of at most `maxSpans` spans each; the defaults come to about 10 MB at worst. */
export function traceStore(limits: { maxTraces?: number; maxSpans?: number } = {}): TraceStore {
  const { maxTraces = 200, maxSpans = 100 } = limits;
  const traces = new Map<string, { spans: Map<string, Span>; dropped: number }>();

  const view = (id: string, { spans, dropped }: { spans: Map<string, Span>; dropped: number }): Trace => ({
    id,
    spans: [...spans.values()],
    dropped,
  });

  return {
    add(document) {
      if (!isObject(document)) return false;
      const id = document.trace_id;
      if (typeof id !== "string" || !TRACE_ID.test(id)) return false;
      const spans = flatten(document, "", MAX_DEPTH, maxSpans);
      if (spans.length === 0) return false;
      let trace = traces.get(id);
      if (trace === undefined) {
        trace = { spans: new Map(), dropped: 0 };
        traces.set(id, trace);
        if (traces.size > maxTraces) traces.delete(traces.keys().next().value!);
      }
      for (const span of spans) {
        const known = trace.spans.get(span.id);
        // UDP may turn the order round: what is complete stays so.
        if (known?.endMs !== undefined && span.endMs === undefined) continue;
        if (known === undefined && trace.spans.size >= maxSpans) trace.dropped += 1;
        else trace.spans.set(span.id, span);
      }
      return true;
    },
    latest: () => [...traces].map(([id, trace]) => view(id, trace)).reverse(),
    get(id) {
      const trace = traces.get(id);
      return trace && view(id, trace);
    },
  };
}

/** The document's own span, then those of its subsegments; none if the document itself is not valid. */
function flatten(document: Json, parentId: string, depth: number, room: number): Span[] {
  const { id, name, subsegments } = document;
  const startMs = seconds(document.start_time);
  const endMs = seconds(document.end_time);
  if (typeof id !== "string" || !SPAN_ID.test(id) || typeof name !== "string" || startMs === undefined)
    return [];
  if (endMs === undefined && document.in_progress !== true) return [];
  if (endMs !== undefined && endMs < startMs) return [];
  const given = text(document.parent_id);
  const spans: Span[] = [
    {
      id,
      parentId: parentId !== "" ? parentId : SPAN_ID.test(given) ? given : "",
      name: text(name),
      startMs,
      endMs,
      outcome: outcome(document),
      http: http(document.http),
      annotations: annotations(document.annotations),
      message: message(document.cause),
    },
  ];
  if (depth === 0 || !Array.isArray(subsegments)) return spans;
  for (const child of subsegments) {
    if (spans.length >= room) break;
    if (isObject(child)) spans.push(...flatten(child, id, depth - 1, room - spans.length));
  }
  return spans;
}

const outcome = (document: Json): Span["outcome"] => {
  if (document.throttle === true) return "throttle";
  if (document.fault === true) return "fault";
  return document.error === true ? "error" : "ok";
};

function http(value: unknown): Span["http"] {
  if (!isObject(value)) return undefined;
  const request = isObject(value.request) ? value.request : {};
  const response = isObject(value.response) ? value.response : {};
  const status = typeof response.status === "number" ? response.status : 0;
  return { method: text(request.method), url: text(request.url), status };
}

function annotations(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (!isObject(value)) return found;
  for (const [key, entry] of Object.entries(value).slice(0, MAX_ANNOTATIONS)) {
    if (typeof entry === "string" || typeof entry === "number" || typeof entry === "boolean")
      found.set(text(key), text(String(entry)));
  }
  return found;
}

function message(cause: unknown): string {
  const first = isObject(cause) && Array.isArray(cause.exceptions) ? cause.exceptions[0] : undefined;
  return isObject(first) ? text(first.message) : "";
}
