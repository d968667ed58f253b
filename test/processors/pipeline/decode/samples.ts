/** Envelopes around given bodies, for the decoder's tests. */
import type { Envelope } from "../../../../processors/model/envelope.ts";
import type { Batch, ClickEvent, Reject } from "../../../../processors/model/event.ts";
import { decodeBatches } from "../../../../processors/pipeline/decode/decode.ts";

export const RECEIVED = Date.UTC(2025, 10, 22, 12);

export const base64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString("base64");

export const envelopeOf = (route: string, body: string | Uint8Array): Envelope => ({
  route,
  id: "request-1",
  at: RECEIVED,
  ip: "192.0.2.1",
  ua64: base64("Mozilla/5.0"),
  country: "",
  trace64: "",
  origin64: "",
  body64: base64(body),
});

/** What `/v1/events` makes of a body that is given as a value. */
export const decodeV1 = (body: unknown): Batch[] | Reject =>
  decodeBatches(envelopeOf("/v1/events", JSON.stringify(body)));

/** What `/api/event` makes of a body that is given as a value. */
export const decodeApi = (body: unknown): Batch[] | Reject =>
  decodeBatches(envelopeOf("/api/event", JSON.stringify(body)));

/** A batch of one event at the time it was received. */
export const batchOf = (event: unknown, more: object = {}): Record<string, unknown> => ({
  s: "example.com",
  c: { u: "https://example.com/" },
  e: [event],
  ...more,
});

/** The one event of the one batch; throws what happened instead. */
export function onlyEvent(result: Batch[] | Reject): ClickEvent {
  if ("reason" in result) throw new Error(`whole batch refused: ${result.reason} ${result.message}`);
  const [batch] = result;
  const event = batch?.events[0];
  if (!event || batch.events.length !== 1) throw new Error(`not one event: ${JSON.stringify(batch)}`);
  return event;
}

/** The one reject, be it of the batch or of its one event. */
export function onlyReject(result: Batch[] | Reject): Reject {
  if ("reason" in result) return result;
  const rejects = result[0]?.rejects ?? [];
  if (rejects.length !== 1 || result[0]?.events.length !== 0)
    throw new Error(`not one reject: ${JSON.stringify(result)}`);
  return rejects[0]!;
}
