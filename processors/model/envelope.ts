/** What the edge puts around a batch before it enters the stream: one envelope is one record's data, UTF-8 JSON. */
import type { EpochMs } from "./time.ts";

/** Client-controlled text travels as base64 (suffix 64), so that no quoting rule of any template engine matters. */
export interface Envelope {
  /** The path that was posted to; it picks the decoder. */
  readonly route: string;
  /** The edge's own id of the request (extendedRequestId). */
  readonly id: string;
  /** When the edge received it. */
  readonly at: EpochMs;
  /** Source address. Lives in the stream only; hashed with the daily salt, never stored or logged. */
  readonly ip: string;
  readonly ua64: string;
  /** ISO 3166-1 alpha-2 from the CDN; "" when the edge does not know. */
  readonly country: string;
  /** X-Amzn-Trace-Id. */
  readonly trace64: string;
  readonly origin64: string;
  readonly body64: string;
}
