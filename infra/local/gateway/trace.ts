/** X-Amzn-Trace-Id at the door, as API Gateway handles it: a client's own trace is kept, otherwise one begins here. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../../processors/model/time.ts";
import { formatTraceHeader, parseTraceHeader, traceId } from "../../../processors/model/trace.ts";

export interface RequestTrace {
  /** The header's value for everything behind the gateway. */
  readonly header: string;
  /** Called once when the answer is decided. */
  end(outcome: { readonly method: string; readonly path: string; readonly status: number }): void;
}

/** Opens the trace of a request; the argument is the client's header, if it sent one. */
export type Trace = (header: string | undefined) => RequestTrace;

/** Names traces and decides on sampling but records no segment of its own. */
export function headerTrace(clock: Clock, sample: () => boolean): Trace {
  const end = (): void => {};
  return (header) => {
    const given = header === undefined ? undefined : parseTraceHeader(header);
    const root = given?.root ?? traceId(clock.now(), randomBytes(12));
    return {
      header: formatTraceHeader({ ...given, root, sampled: given?.sampled ?? sample() }),
      end,
    };
  };
}
