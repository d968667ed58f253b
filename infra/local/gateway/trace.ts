/** What the gateway asks of tracing: an id for what is behind it, and somebody to tell what became of the request. Types only. */

export interface RequestTrace {
  /** X-Amzn-Trace-Id for everything behind the gateway. */
  readonly header: string;
  /** Called once when the answer is decided. */
  end(outcome: { readonly method: string; readonly path: string; readonly status: number }): void;
}

/** Opens the trace of a request; the argument is the client's header, if it sent one. */
export type Trace = (header: string | undefined) => RequestTrace;
