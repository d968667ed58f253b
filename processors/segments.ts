/** X-Ray's segments as aws-xray-sdk-core makes and sends them, and whose trace an invocation of Lambda belongs to (docs/decisions/0008). */
import type { Segment, Subsegment } from "aws-xray-sdk-core";
import { type EpochMs, SECOND_MS } from "./model/time.ts";
import { parseTraceHeader } from "./model/trace.ts";

/**
 * The SDK's segments and the socket they leave by. Not its entry: that switches async_hooks on for good, which taxes every
 * promise of the process, and is four fifths of what there is to load.
 */
export interface Sdk {
  readonly Segment: typeof Segment;
  readonly Subsegment: typeof Subsegment;
  readonly emitter: typeof import("aws-xray-sdk-core/dist/lib/segment_emitter.js");
}

export const inLambda = (): boolean => process.env.LAMBDA_TASK_ROOT !== undefined;

/** The place of a subsegment, as documents name it. */
export interface Place {
  readonly trace_id: string;
  readonly parent_id: string;
}

/** Where what the running invocation does belongs, if it is traced: Lambda says it anew for each, and few are. */
export function tracedInvocation(): Place | undefined {
  if (!inLambda()) return undefined;
  const header = parseTraceHeader(process.env._X_AMZN_TRACE_ID ?? "");
  return header?.sampled && header.parent ? { trace_id: header.root, parent_id: header.parent } : undefined;
}

// The SDK's settings (logger, daemon) are global to the process, and so is this promise.
let loading: Promise<Sdk> | undefined;
let sdk: Sdk | undefined;

/** The SDK where it has been loaded: most batches and calls need none. */
export const loadedSdk = (): Sdk | undefined => sdk;

/** Loads it with the first that is traced. */
export function loadSdk(): Promise<Sdk> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Sdk> {
  const [logger, emitter, segment, subsegment] = await Promise.all([
    import("aws-xray-sdk-core/dist/lib/logger.js"),
    import("aws-xray-sdk-core/dist/lib/segment_emitter.js"),
    import("aws-xray-sdk-core/dist/lib/segments/segment.js"),
    import("aws-xray-sdk-core/dist/lib/segments/attributes/subsegment.js"),
  ]);
  const ignore = (): void => {};
  logger.default.setLogger({ debug: ignore, info: ignore, warn: ignore, error: ignore });
  // A socket that was frozen with its container may be of no use afterwards.
  if (inLambda()) emitter.default.disableReusableSocket();
  sdk = { Segment: segment.default, Subsegment: subsegment.default, emitter: emitter.default };
  return sdk;
}

/** A piece of work that is over. */
export function endedSubsegment(loaded: Sdk, name: string, startMs: EpochMs, endMs: EpochMs): Subsegment {
  const child: Subsegment & { end_time?: number } = new loaded.Subsegment(name);
  child.start_time = startMs / SECOND_MS;
  // Set before it gets a parent: the SDK then neither counts nor streams it, it travels inside its parent's document.
  child.end_time = Math.max(startMs, endMs) / SECOND_MS;
  delete child.in_progress;
  return child;
}

/** Sends a subsegment of a segment that somebody else writes. */
export function sendAt(loaded: Sdk, place: Place, subsegment: Subsegment): void {
  subsegment.addAttribute("trace_id", place.trace_id);
  subsegment.addAttribute("parent_id", place.parent_id);
  // Declared for segments only; it formats and names whatever it is given.
  loaded.emitter.send(subsegment as unknown as Segment);
}

/** Marks what an HTTP status says of the work. */
export function addOutcome(target: Segment | Subsegment, status: number): void {
  if (status === 429) target.addThrottleFlag();
  if (status >= 500) target.addFaultFlag();
  else if (status >= 400) target.addErrorFlag();
}
