/** Everything that one machine needs to trace itself: receiver, store, tracer and the gateway's part, put together. */
import { randomBytes } from "node:crypto";
import { sampler } from "../../../processors/model/trace.ts";
import { preciseClock, type XrayTracer, xrayTracer } from "../../../processors/tracing.ts";
import type { Trace } from "../gateway/trace.ts";
import { edgeTracing } from "./edge.ts";
import { startTraceReceiver } from "./receiver.ts";
import { type TraceStore, traceStore } from "./store.ts";

export interface LocalTracing {
  /** For the workers. */
  readonly tracer: XrayTracer;
  /** For the gateway: opens the trace of one request. */
  readonly edge: Trace;
  /** For the pages. */
  readonly store: TraceStore;
  /** Where segments are received: `127.0.0.1:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Starts receiving at UDP `port` (default 2000, a free one if taken). Where AWS_XRAY_DAEMON_ADDRESS is set, our own
 * segments go to that daemon instead, and the pages show only what others send here.
 */
export async function startTracing(options: { readonly port?: number } = {}): Promise<LocalTracing> {
  const store = traceStore();
  const receiver = await startTraceReceiver({ store, ...options });
  const tracer = xrayTracer({ name: "aggregate", daemonAddress: receiver.address });
  const clock = preciseClock();
  const sample = sampler({ clock, random: Math.random });
  return {
    tracer,
    edge: edgeTracing({ tracer, sample, clock, randomBytes }),
    store,
    address: receiver.address,
    close: () => receiver.close(),
  };
}
