/** Checks that every protocol shares: each takes a raw JSON value and gives the clean one, or a reject that names the field. */
import {
  LIMITS,
  MAX_EVENT_AGE_MS,
  MAX_SKEW_MS,
  type Reject,
  type RejectReason,
  VITALS,
  type Vital,
} from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";

/** Raw JSON: `null` counts as absent everywhere, because trackers write it for "none". */
export type Json = unknown;

export const reject = (reason: RejectReason, message: string): Reject => ({ reason, message });

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isReject = (value: unknown): value is Reject =>
  typeof value === "object" && value !== null && "reason" in value;

// The characters of \p{Cc}, which a pattern by code point would test at three times the time.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;
/** Longest vital that a browser could mean: an hour, and a layout that shifted a thousand screens. */
const MAX_VITAL: Readonly<Record<Vital, number>> = {
  lcp: 3_600_000,
  inp: 3_600_000,
  fcp: 3_600_000,
  ttfb: 3_600_000,
  cls: 1_000,
};
const MAX_SCREEN_PIXELS = 100_000;

/** The JSON value in `text`, or undefined when it is not JSON (`undefined` itself is no JSON value). */
export function parseJson(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A short opaque text (site, batch id, visitor id); "" when absent. Lone surrogates become U+FFFD. */
export function identifier(raw: Json, field: string, maxChars: number): string | Reject {
  if (raw === undefined || raw === null) return "";
  if (typeof raw !== "string") return reject("malformed", `${field}: not a string`);
  if (raw.length > maxChars) return reject("too_large", `${field}: over ${maxChars} characters`);
  if (CONTROL.test(raw)) return reject("malformed", `${field}: control characters`);
  return raw.toWellFormed();
}

/** An event name: 1 to LIMITS.nameChars characters without control characters, spaces around it removed. */
export function eventName(raw: Json, field: string): string | Reject {
  if (raw === undefined || raw === null) return reject("malformed", `${field}: required`);
  if (typeof raw !== "string") return reject("malformed", `${field}: not a string`);
  const name = raw.trim();
  if (name === "") return reject("invalid_name", `${field}: empty`);
  if (name.length > LIMITS.nameChars) {
    return reject("too_large", `${field}: over ${LIMITS.nameChars} characters`);
  }
  if (CONTROL.test(name)) return reject("invalid_name", `${field}: control characters`);
  return name.toWellFormed();
}

/** A client clock reading in epoch ms; undefined when absent. */
export function clientTime(raw: Json, field: string): EpochMs | undefined | Reject {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== "number" || !(Math.abs(raw) <= 8.64e15)) {
    return reject("malformed", `${field}: not a time in epoch milliseconds`);
  }
  return Math.floor(raw);
}

/**
 * Event time by the server's clock. With `sentAt`, the client's clock is corrected by (received - sent), so a clock that
 * is years off costs nothing; without it the client's clock is taken as right. Never later than `receivedAt`.
 */
export function eventTime(
  at: EpochMs | undefined,
  sentAt: EpochMs | undefined,
  receivedAt: EpochMs,
  field: string,
): EpochMs | Reject {
  if (at === undefined) return receivedAt;
  if (at > (sentAt ?? receivedAt) + MAX_SKEW_MS) {
    return reject(
      "from_future",
      `${field}: later than it was ${sentAt === undefined ? "received" : "sent"}, by over ${MAX_SKEW_MS} ms`,
    );
  }
  const corrected = Math.min(sentAt === undefined ? at : at + (receivedAt - sentAt), receivedAt);
  if (corrected < receivedAt - MAX_EVENT_AGE_MS) {
    return reject("too_old", `${field}: over ${MAX_EVENT_AGE_MS} ms before it was received`);
  }
  return corrected;
}

/**
 * Referrer as sent; "" when absent. One over the limit loses its query and fragment, which nothing counts: search engines
 * and sign-in pages put whole documents there.
 */
export function referrerText(raw: Json, field: string): string | Reject {
  if (raw === undefined || raw === null) return "";
  if (typeof raw !== "string") return reject("malformed", `${field}: not a string`);
  if (raw.length <= LIMITS.urlChars) return raw.toWellFormed();
  const cut = raw.slice(0, LIMITS.urlChars + 1).split(/[?#]/, 1)[0]!;
  if (cut.length > LIMITS.urlChars)
    return reject("too_large", `${field}: over ${LIMITS.urlChars} characters`);
  return cut.toWellFormed();
}

/**
 * Properties as pairs sorted by key, so that equal properties are equal bytes. Empty and null values count as absent.
 * Nested values refuse the event, or are left out where a protocol's own server does so (`nested: "drop"`).
 */
export function properties(
  raw: Json,
  field: string,
  nested: "reject" | "drop",
): ReadonlyArray<readonly [string, string]> | Reject {
  if (raw === undefined || raw === null) return [];
  if (!isObject(raw)) return reject("invalid_props", `${field}: not an object`);
  const pairs = new Map<string, string>();
  for (const key of Object.keys(raw)) {
    const value = scalarText(raw[key]);
    if (value === undefined) {
      if (nested === "drop") continue;
      return reject("invalid_props", `${field}: a value is not a string, number or boolean`);
    }
    if (value === "") continue;
    if (key === "" || CONTROL.test(key)) {
      return reject("invalid_props", `${field}: a key is empty or has control characters`);
    }
    if (key.length > LIMITS.propKeyChars) {
      return reject("too_large", `${field}: a key over ${LIMITS.propKeyChars} characters`);
    }
    if (value.length > LIMITS.propValueChars) {
      return reject("too_large", `${field}: a value over ${LIMITS.propValueChars} characters`);
    }
    pairs.set(key.toWellFormed(), value.toWellFormed());
    if (pairs.size > LIMITS.props) return reject("too_large", `${field}: over ${LIMITS.props} properties`);
  }
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** "" for absent, undefined for what is no finite scalar. */
function scalarText(value: Json): string | undefined {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "true" : "false";
  // JSON.parse reads 1e400 as Infinity.
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return undefined;
}

/** Engaged milliseconds of one report, whole; undefined when absent. */
export function engagedTime(raw: Json, field: string): number | undefined | Reject {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== "number" || !(raw >= 0)) return reject("malformed", `${field}: not a duration in ms`);
  if (raw > LIMITS.engagedMs) return reject("too_large", `${field}: over ${LIMITS.engagedMs} ms`);
  return Math.round(raw);
}

/** Percent scrolled, whole, clamped to 0-100: overscroll and rounding pass both ends in real browsers. */
export function scrollPercent(raw: Json, field: string): number | undefined | Reject {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== "number") return reject("malformed", `${field}: not a percentage`);
  return Math.round(Math.min(Math.max(raw, 0), 100));
}

/** Web vitals that are known here; others are left for the version that knows them. */
export function vitals(raw: Json, field: string): Partial<Record<Vital, number>> | Reject {
  if (!isObject(raw)) return reject("malformed", `${field}: not an object`);
  const clean: Partial<Record<Vital, number>> = {};
  let isEmpty = true;
  for (const vital of VITALS) {
    const value = raw[vital];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number" || !(value >= 0)) {
      return reject("malformed", `${field}.${vital}: not a number from 0`);
    }
    if (value > MAX_VITAL[vital]) return reject("too_large", `${field}.${vital}: over ${MAX_VITAL[vital]}`);
    clean[vital] = value;
    isEmpty = false;
  }
  return isEmpty ? reject("malformed", `${field}: no known vital`) : clean;
}

/** Viewport width in whole pixels; what makes no sense is 0, because it only describes and must not cost the batch. */
export function screenPixels(raw: Json): number {
  return typeof raw === "number" && raw >= 1 && raw <= MAX_SCREEN_PIXELS ? Math.round(raw) : 0;
}

/** A BCP 47 language tag; what does not look like one is "", because it only describes. */
export function languageTag(raw: Json): string {
  return typeof raw === "string" && /^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,8}$/.test(raw) ? raw : "";
}
