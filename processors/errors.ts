/** The one error class. Outages carry their cause and are retried; broken invariants carry both values and are not. */

export type ErrorCode =
  | "throttled" // the service asked us to slow down: retry later
  | "unavailable" // outage: retry
  | "invariant" // a bug or corrupt data: never retry, both values are in the message
  | "bad_request" // the caller can mend it: the message names the field
  | "no_archive" // the same, where only single events could tell and none are kept
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "config"; // the operator can mend it: a flag, a variable, a file

export class ClickstreamError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ClickstreamError";
    this.code = code;
  }
}

/** What a caller is told of a mistake of their own: with its code where a page has better words for it. */
export const toldOf = ({ code, message }: ClickstreamError): { error: string; code?: ErrorCode } =>
  code === "no_archive" ? { error: message, code } : { error: message };

/** Throws an `invariant` error unless `condition` holds. The message must hold both values. */
export function invariant(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new ClickstreamError("invariant", message());
}

/** Whether a service is away or overloaded: what asked it may be tried again. */
export const isOutage = (error: unknown): boolean =>
  error instanceof ClickstreamError && (error.code === "unavailable" || error.code === "throttled");

/** An error with its causes, on one line. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`;
}

/**
 * Whether an error is ours although its code blames the caller: a driver that does not find its table or stream says
 * `not_found` as well, with the service's answer as cause.
 */
export const isOurFault = ({ code, cause }: ClickstreamError): boolean =>
  code === "not_found" && cause !== undefined;
