/** The X-Amzn-Trace-Id header as data: strict reading, writing, and the choice of which requests are traced. Knows no tracer. */
import { type Clock, type EpochMs, SECOND_MS } from "./time.ts";

export interface TraceHeader {
  /** Trace id: `1-<8 hex>-<24 hex>`. */
  readonly root: string;
  /** Id of the segment that called: 16 hex. */
  readonly parent?: string;
  /** Whether this trace is kept; absent while nobody has decided. */
  readonly sampled?: boolean;
}

/** Longest header worth reading: Root, Parent, Sampled, Self and Lineage together stay well below. */
const MAX_HEADER_LENGTH = 512;
const TRACE_ID = /^1-[0-9a-f]{8}-[0-9a-f]{24}$/;
const SEGMENT_ID = /^[0-9a-f]{16}$/;

/**
 * Reads a header value. Browsers can forge it, so anything but the documented form gives undefined: unknown keys
 * (Self, Lineage) are skipped, while a key given twice or a value of the wrong form spoils the whole header.
 */
export function parseTraceHeader(text: string): TraceHeader | undefined {
  if (text.length === 0 || text.length > MAX_HEADER_LENGTH) return undefined;
  const fields = new Map<string, string>();
  for (const part of text.split(";")) {
    const field = part.trim();
    if (field === "") continue;
    const equals = field.indexOf("=");
    if (equals < 1) return undefined;
    const key = field.slice(0, equals).toLowerCase();
    if (fields.has(key)) return undefined;
    fields.set(key, field.slice(equals + 1));
  }
  const root = fields.get("root");
  const parent = fields.get("parent");
  const sampled = fields.get("sampled");
  if (root === undefined || !TRACE_ID.test(root)) return undefined;
  if (parent !== undefined && !SEGMENT_ID.test(parent)) return undefined;
  if (sampled !== undefined && sampled !== "0" && sampled !== "1" && sampled !== "?") return undefined;
  return {
    root,
    ...(parent === undefined ? {} : { parent }),
    ...(sampled === "0" || sampled === "1" ? { sampled: sampled === "1" } : {}),
  };
}

/** Writes a header value; the inverse of `parseTraceHeader`. */
export function formatTraceHeader(header: TraceHeader): string {
  const parent = header.parent === undefined ? "" : `;Parent=${header.parent}`;
  const sampled = header.sampled === undefined ? "" : `;Sampled=${header.sampled ? 1 : 0}`;
  return `Root=${header.root}${parent}${sampled}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** A new trace id: the second in which the trace began, and 12 random bytes. */
export const traceId = (now: EpochMs, random: Uint8Array): string =>
  `1-${Math.floor(now / SECOND_MS)
    .toString(16)
    .padStart(8, "0")}-${hex(random.subarray(0, 12))}`;

/** A new segment id from 8 random bytes. */
export const segmentId = (random: Uint8Array): string => hex(random.subarray(0, 8));

export interface SamplerOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Requests of each second that are traced for sure. Default 1, as at API Gateway. */
  readonly perSecond?: number;
  /** Share of the others that is traced. Default 0.05, as at API Gateway. */
  readonly ratio?: number;
  /** Of those at most so many a second. Default: any number. */
  readonly sharedPerSecond?: number;
  /** Requests per second whose own Sampled=1 is honoured, so that nobody can make us trace everything. Default 10. */
  readonly askedPerSecond?: number;
}

/**
 * Decides per request whether it is traced. `wish` is what the caller's header says: false is always granted, true
 * up to `askedPerSecond`, and undefined leaves the choice to the reservoir and the ratio.
 */
export function sampler(options: SamplerOptions): (wish?: boolean) => boolean {
  const { clock, random, perSecond = 1, ratio = 0.05, askedPerSecond = 10 } = options;
  const { sharedPerSecond = Number.POSITIVE_INFINITY } = options;
  let second = Number.NEGATIVE_INFINITY;
  let taken = 0;
  let shared = 0;
  let asked = 0;
  return (wish) => {
    if (wish === false) return false;
    const now = Math.floor(clock.now() / SECOND_MS);
    if (now !== second) {
      second = now;
      taken = 0;
      shared = 0;
      asked = 0;
    }
    if (wish === true) return ++asked <= askedPerSecond;
    if (++taken <= perSecond) return true;
    if (shared >= sharedPerSecond || random() >= ratio) return false;
    shared++;
    return true;
  };
}
