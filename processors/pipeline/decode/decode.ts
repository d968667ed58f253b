/** Picks the decoder of a batch by the path that it was posted to. A new protocol is a new row here and a new file beside. */
import type { Envelope } from "../../model/envelope.ts";
import { type Batch, LIMITS, type Reject } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { base64Text } from "./base64.ts";
import { parseJson, reject } from "./checks.ts";
import { decodePixel } from "./pixel.ts";
import { decodePlausible } from "./plausible.ts";
import { decodeRivulet } from "./rivulet.ts";

/** Takes the parsed body and the time it was received; gives clean batches, at least one, or one reject for all of it. */
type Decoder = (body: unknown, receivedAt: EpochMs) => Batch[] | Reject;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ["/v1/events", decodeRivulet],
  ["/api/event", decodePlausible],
  ["/p.gif", decodePixel],
]);

/**
 * The batches in an envelope, one per site that the body counts for, or why none of it can be used. Never throws.
 * Events keep the order in which they were sent.
 */
export function decodeBatches(envelope: Envelope): Batch[] | Reject {
  const decoder = DECODERS.get(envelope.route);
  if (decoder === undefined) return reject("malformed", "envelope.route: no decoder for it");
  // Before decoding: what is far too large would be work for nothing.
  if (byteLength(envelope.body64) > LIMITS.bodyBytes) {
    return reject("too_large", `body: over ${LIMITS.bodyBytes} bytes`);
  }
  const text = base64Text(envelope.body64);
  if (text === undefined) return reject("malformed", "body: not base64 of UTF-8");
  const body = parseJson(text);
  if (body === undefined) return reject("malformed", "body: not JSON");
  return decoder(body, envelope.at);
}

/** Bytes that padded base64 stands for: 3 for every 4 characters. */
function byteLength(encoded: string): number {
  const padding = encoded.endsWith("==") ? 2 : encoded.endsWith("=") ? 1 : 0;
  return Math.floor((encoded.length * 3) / 4) - padding;
}
