/**
 * What a browser reports: the wire form, its limits and the closed list of reasons to refuse it.
 * Every key that travels is documented here and nowhere else.
 */
import { DAY_MS, type EpochMs, MINUTE_MS } from "./time.ts";

/** One batch as the collector posts it to `/v1/events` (design: short keys, because they travel with every click). */
export interface WireBatch {
  /**
   * Version of the collector's wire form: 2 may have `q`, 1 has not. Absent from other senders. Old versions are read for
   * as long as pages may hold them.
   */
  k?: number;
  /** Site id, as registered. */
  s: string;
  /** Batch id, made once by the client; the same on every retry, so that a repeat is recognised. */
  b?: string;
  /** Client clock when this attempt was sent, epoch ms; the difference to our clock corrects every event. */
  t?: EpochMs;
  /** Visitor id, only where the site owner chose storage; absent means cookieless. */
  v?: string;
  /** What all events of the batch share. */
  c?: WireContext;
  /** Events that the sender gave up since its last batch: its offline queue was full, or the page reported faster than its limit. */
  d?: number;
  e: WireEvent[];
  /**
   * An earlier batch that waited in the browser and goes along, as the JSON text that was kept, without `t`: it was sent
   * when this one was. It has an id of its own, under which it is sent again alone if nobody answers.
   */
  q?: string;
}

export interface WireContext {
  /** URL of the page. */
  u?: string;
  /** Referrer URL. */
  r?: string;
  /** Viewport width and height, CSS pixels. */
  w?: number;
  h?: number;
  /** Language tag, as `navigator.language`. */
  l?: string;
  /** IANA time zone of the browser. */
  z?: string;
}

export interface WireEvent {
  /** Name: `pageview`, `engagement`, `vitals`, or any custom name. */
  n: string;
  /** Client clock when it happened, epoch ms. */
  t?: EpochMs;
  /** URL and referrer, where they differ from the batch's. */
  u?: string;
  r?: string;
  /** Properties of a custom event or page view: flat, string | number | boolean values. */
  p?: Record<string, string | number | boolean>;
  /** Revenue, in major units of an ISO 4217 currency. */
  $?: { amount: number | string; currency: string };
  /** false: the event does not end a bounce (default true; page views and custom events are interactive). */
  i?: boolean;
  /** engagement: milliseconds (fractions are rounded) of visible, active time since the last report. */
  ms?: number;
  /** engagement: deepest scroll so far on this page view, percent (fractions are rounded) 0-100. */
  sd?: number;
  /** vitals: lcp, inp, fcp, ttfb in milliseconds; cls unitless. */
  m?: Partial<Record<Vital, number>>;
}

export const VITALS = ["lcp", "inp", "cls", "fcp", "ttfb"] as const;
export type Vital = (typeof VITALS)[number];

/** Names with a meaning of their own; every other name is a custom event (a goal). */
export const PAGEVIEW = "pageview";
export const ENGAGEMENT = "engagement";
export const WEB_VITALS = "vitals";

/** Whether an event of this name tells about a page view after it, and counts as no event. */
export const isReport = (name: string): boolean => name === ENGAGEMENT || name === WEB_VITALS;

/** Why input was refused. Closed: metrics, rollups, tests and docs list exactly these. */
export const REJECT_REASONS = [
  "malformed", // not JSON, not an object, not UTF-8, or a required field is missing or wrongly typed
  "unknown_site", // the site id is not registered
  "too_large", // a body, string, list or number over its limit
  "too_old", // happened longer ago than MAX_EVENT_AGE_MS
  "from_future", // later than it was sent, or than we received it, by more than MAX_SKEW_MS
  "bot", // the agent says it is a robot
  "invalid_url", // no http(s) URL
  "invalid_name", // an empty event name, one with control characters, or a report's where the protocol has none
  "invalid_props", // properties that are not flat scalars
  "invalid_revenue", // amount or currency that cannot be read
  "duplicate", // this batch id has been counted already
  "dropped", // the sender gave it up: its offline queue was full, or its page reported faster than its limit
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** Limits of the door. Sizes in bytes of UTF-8, counts and characters as named. */
export const LIMITS = {
  /** API Gateway takes 10 MB and Kinesis 1 MiB a record; base64 in base64 of 256 KiB is 467 KiB. */
  bodyBytes: 256 * 1024,
  eventsPerBatch: 1_000,
  /** The name limits follow the Plausible Events API, so that what fits there fits here. */
  nameChars: 120,
  urlChars: 2_000,
  props: 30,
  propKeyChars: 300,
  propValueChars: 2_000,
  idChars: 128,
  siteChars: 253,
  /** One report of engaged time; collectors report at least once an hour. */
  engagedMs: DAY_MS,
} as const;

/** Events from an offline queue may be days old; beyond a week they are refused with a reason. */
export const MAX_EVENT_AGE_MS = 7 * DAY_MS;
/** Clocks drift within a batch by at most a minute; more means that the times cannot be trusted. */
export const MAX_SKEW_MS = MINUTE_MS;

/** One thing a browser reported, decoded, checked and with its time corrected. Never edited afterwards. */
export interface ClickEvent {
  readonly name: string;
  /** Event time: client time corrected by (received - sent), clamped to received. */
  readonly at: EpochMs;
  readonly url: PageUrl;
  /** Referrer as sent; "" when absent. */
  readonly referrer: string;
  readonly props: ReadonlyArray<readonly [key: string, value: string]>;
  readonly revenue?: Revenue;
  readonly interactive: boolean;
  readonly engagedMs?: number;
  readonly scrollDepth?: number;
  readonly vitals?: Partial<Record<Vital, number>>;
}

/** The parts of a page's URL that are counted. Everything else of the query string is dropped at decode. */
export interface PageUrl {
  readonly hostname: string;
  /** Path as the site shows it, without query or fragment; at least "/". */
  readonly path: string;
  /** Decoded values of utm_source, utm_medium, utm_campaign, utm_term, utm_content, ref, source; absent when empty. */
  readonly query: Readonly<Partial<Record<QueryKey, string>>>;
  /** A paid click id (gclid, msclkid, fbclid...) is present; its value never leaves the decoder. */
  readonly clickId?: "gclid" | "msclkid" | "fbclid" | "ttclid" | "twclid" | "li_fat_id";
}
export const QUERY_KEYS = [
  "utm_source",
  "utm_medium",
  "utm_campaign",
  "utm_term",
  "utm_content",
  "ref",
  "source",
] as const;
export type QueryKey = (typeof QUERY_KEYS)[number];

/** An amount of money as an integer, so that the order of adding cannot show. */
export interface Revenue {
  readonly currency: string;
  /** Minor units (cents, won, fils) as ISO 4217 counts them. */
  readonly minor: number;
}

/** A decoded batch: the events that passed, and a reason for each that did not. */
export interface Batch {
  readonly site: string;
  /** Client batch id; "" when the protocol has none, and then repeats cannot be recognised. */
  readonly id: string;
  /** Visitor id chosen by the site owner; "" means cookieless. */
  readonly visitor: string;
  /** Viewport width in CSS pixels; 0 when unknown. */
  readonly screenWidth: number;
  /** Language tag; "" when unknown. */
  readonly language: string;
  readonly events: readonly ClickEvent[];
  readonly rejects: readonly Reject[];
  /** Events that the sender says it gave up; absent where the protocol cannot say so. */
  readonly dropped?: number;
}

export interface Reject {
  readonly reason: RejectReason;
  /** The field and what is wrong with it, e.g. `e[3].u: not an http(s) URL`. Never holds the value sent. */
  readonly message: string;
}
