/** The local gateway's part in tracing: what API Gateway does with X-Amzn-Trace-Id. Knows requests only by path and status. */
import type { Clock } from "../../../processors/model/time.ts";
import { formatTraceHeader, parseTraceHeader, segmentId, traceId } from "../../../processors/model/trace.ts";
import type { XrayTracer } from "../../../processors/tracing.ts";
import type { Trace } from "../gateway/trace.ts";

/**
 * Opens a trace per request. `header` is the client's X-Amzn-Trace-Id, if any: its trace id and its wish are honoured
 * when well-formed, like at API Gateway, and ignored otherwise. `sample` comes from `sampler()`.
 */
export function edgeTracing(deps: {
  readonly tracer: Pick<XrayTracer, "segment">;
  readonly sample: (wish?: boolean) => boolean;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}): Trace {
  const { tracer, sample, clock, randomBytes } = deps;
  return (header) => {
    const startMs = clock.now();
    const given = header === undefined ? undefined : parseTraceHeader(header);
    const random = randomBytes(20);
    const id = segmentId(random.subarray(0, 8));
    const root = given?.root ?? traceId(startMs, random.subarray(8));
    const sampled = sample(given?.sampled);
    return {
      header: formatTraceHeader({ root, parent: id, sampled }),
      end({ method, path, status }) {
        if (!sampled) return;
        tracer.segment({
          name: "gateway",
          id,
          traceId: root,
          parentId: given?.parent,
          startMs,
          endMs: clock.now(),
          http: { method, url: path, status },
        });
      },
    };
  };
}
