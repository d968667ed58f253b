/** Reads what the edge wrote around a batch. Trusts nothing: a stream is open to other writers too. */
import type { Envelope } from "../../model/envelope.ts";
import { MAX_SKEW_MS, type Reject } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { utf8Text } from "./base64.ts";
import { isObject, isReject, reject } from "./checks.ts";

/**
 * Epoch milliseconds have 13 digits from 2001 to 2286, and keys of windows rely on it. Seconds and microseconds have
 * not: taken for milliseconds they would open windows in 1970 or in the year 50,000.
 */
const MIN_EPOCH_MS = 1e12;
const MAX_EPOCH_MS = 1e13 - 1;

/**
 * The envelope in the bytes of one stream record, or why it is none. Never throws.
 * `route`, `at` and `body64` are required; what the edge may not know (`ip`, `country`...) is "" when absent. An edge
 * whose clock runs ahead of the stream's (`arrivedAt`) would open windows to come, and the watermark would pass them all.
 */
export function decodeEnvelope(
  data: Uint8Array,
  arrivedAt: EpochMs = Number.POSITIVE_INFINITY,
): Envelope | Reject {
  const text = utf8Text(data);
  if (text === undefined) return reject("malformed", "envelope: not UTF-8");
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return reject("malformed", "envelope: not JSON");
  }
  if (!isObject(raw)) return reject("malformed", "envelope: not an object");
  const at = raw.at;
  if (typeof at !== "number" || !isEpochMs(at)) {
    return reject("malformed", "envelope.at: not a time in epoch milliseconds");
  }
  if (isAhead(at, arrivedAt)) {
    return reject("from_future", `envelope.at: over ${MAX_SKEW_MS} ms later than the stream took it`);
  }
  const route = field(raw, "route");
  if (isReject(route)) return route;
  if (route === "") return reject("malformed", "envelope.route: required");
  const body64 = field(raw, "body64");
  if (isReject(body64)) return body64;
  if (body64 === "") return reject("malformed", "envelope.body64: required");
  const id = field(raw, "id");
  if (isReject(id)) return id;
  const ip = field(raw, "ip");
  if (isReject(ip)) return ip;
  const ua64 = field(raw, "ua64");
  if (isReject(ua64)) return ua64;
  const country = field(raw, "country");
  if (isReject(country)) return country;
  const trace64 = field(raw, "trace64");
  if (isReject(trace64)) return trace64;
  const origin64 = field(raw, "origin64");
  if (isReject(origin64)) return origin64;
  return { route, id, at: Math.floor(at), ip, ua64, country, trace64, origin64, body64 };
}

const isEpochMs = (at: EpochMs): boolean => at >= MIN_EPOCH_MS && at <= MAX_EPOCH_MS;
const isAhead = (at: EpochMs, arrivedAt: EpochMs): boolean => at > arrivedAt + MAX_SKEW_MS;

/** Whether an envelope that the stream took at `arrivedAt` may have been received at `at`. */
export const isEnvelopeTime = (at: EpochMs, arrivedAt: EpochMs): boolean =>
  isEpochMs(at) && !isAhead(at, arrivedAt);

function field(raw: Record<string, unknown>, key: keyof Envelope): string | Reject {
  const value = raw[key] ?? "";
  return typeof value === "string" ? value : reject("malformed", `envelope.${key}: not a string`);
}
