/** What becomes of an error on its way to a client: the caller's own mistakes are named, ours only numbered. */
import {
  ClickstreamError,
  type ErrorCode,
  isOurFault,
  isOutage,
  toldOf,
} from "../../../processors/errors.ts";
import { type HttpResponse, jsonResponse } from "./http.ts";

/** Takes one line for the operator. It never holds client data: an operation, an id and what went wrong. */
export type Log = (line: string) => void;

const told: Partial<
  Record<ErrorCode, { readonly status: number; readonly headers?: Record<string, string> }>
> = {
  bad_request: { status: 400 },
  no_archive: { status: 400 },
  unauthorized: { status: 401, headers: { "WWW-Authenticate": "Bearer" } },
  forbidden: { status: 403 },
  not_found: { status: 404 },
};
const retried: Partial<Record<ErrorCode, string>> = { throttled: "1", unavailable: "2" };

/** The answer to an error that a handler threw. `id` finds it in the log again. */
export function failure(error: unknown, operation: string, id: string, log: Log): HttpResponse {
  if (error instanceof ClickstreamError) {
    const known = isOurFault(error) ? undefined : told[error.code];
    if (known !== undefined) return jsonResponse(known.status, toldOf(error), known.headers);
    const seconds = retried[error.code];
    if (seconds !== undefined) {
      if (error.code === "unavailable") logFault(error, operation, id, log);
      return jsonResponse(503, { error: "try again later", id }, { "Retry-After": seconds });
    }
  }
  logFault(error, operation, id, log);
  return jsonResponse(500, { error: "internal error", id });
}

/** One JSON line with the whole chain of causes; with stacks where the fault may be in the code, not for an outage. */
export function logFault(error: unknown, operation: string, id: string, log: Log): void {
  const hasStack = !isOutage(error);
  const chain: string[] = [];
  for (
    let at = error;
    at !== undefined && chain.length < 5;
    at = at instanceof Error ? at.cause : undefined
  ) {
    if (at instanceof Error) chain.push(hasStack ? (at.stack ?? at.message) : at.message);
    else chain.push(String(at));
  }
  log(JSON.stringify({ level: "error", operation, id, error: chain }));
}
