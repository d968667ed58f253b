/** X-Amzn-Trace-Id at the door, as API Gateway handles it: a client's own trace is kept, otherwise one begins here. */
import { randomUUID } from "node:crypto";
import { type Clock, type EpochMs, SECOND_MS } from "../../../processors/model/time.ts";
import { formatTraceHeader, parseTraceHeader } from "../../../processors/model/trace.ts";

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
    const root = given?.root ?? newRoot(clock.now());
    return {
      header: formatTraceHeader({ ...given, root, sampled: given?.sampled ?? sample() }),
      end,
    };
  };
}

/** The second in which the trace began, and 24 random hex digits; a UUID, because Node draws those from a stock. */
const newRoot = (now: EpochMs): string =>
  `1-${Math.floor(now / SECOND_MS)
    .toString(16)
    .padStart(8, "0")}-${randomUUID().replaceAll("-", "").slice(8)}`;
