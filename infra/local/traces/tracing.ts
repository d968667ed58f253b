/** Everything that one machine needs to trace itself: receiver, store, tracer and the gateway's part, put together. */
import { randomFillSync } from "node:crypto";
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

const SAMPLED_PER_SECOND = 4;

/**
 * Starts receiving at UDP `port` (default 2000, a free one if taken). Where AWS_XRAY_DAEMON_ADDRESS is set, our own
 * segments go to that daemon instead, and the pages show only what others send here.
 */
export async function startTracing(options: { readonly port?: number } = {}): Promise<LocalTracing> {
  const store = traceStore();
  const receiver = await startTraceReceiver({ store, ...options });
  const tracer = xrayTracer({ name: "aggregate", daemonAddress: receiver.address });
  const clock = preciseClock();
  // The pages show the newest few hundred; to make and receive one takes as long as to count ten clicks.
  const sample = sampler({ clock, random: Math.random, sharedPerSecond: SAMPLED_PER_SECOND });
  return {
    tracer,
    edge: edgeTracing({ tracer, sample, clock, randomBytes: pooled(randomFillSync) }),
    store,
    address: receiver.address,
    close: () => receiver.close(),
  };
}

/** Random bytes out of a stock: each call to the source costs more than some hundred bytes. No byte is given out twice. */
function pooled(fill: (bytes: Uint8Array) => unknown): (length: number) => Uint8Array {
  const stock = new Uint8Array(4_096);
  let at = stock.length;
  return (length) => {
    if (at + length > stock.length) {
      fill(stock);
      at = 0;
    }
    at += length;
    return stock.subarray(at - length, at);
  };
}
