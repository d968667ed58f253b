/** Hand-written stream lines: a batch as a browser posts it, with only what a test is about spelled out. */
import type { WireBatch, WireEvent } from "../../../processors/model/event.ts";
import type { StreamLine } from "../../../processors/model/streamfile.ts";

export const SITE = "example.com";
/** A Thursday noon in UTC, at a full minute. */
export const NOON = Date.UTC(2026, 0, 15, 12);
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const CHROME =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";

export interface Post {
  /** When the edge received it; events without a time of their own happened then. */
  readonly at: number;
  readonly e: readonly WireEvent[];
  readonly site?: string;
  /** Client batch id; none by default. */
  readonly b?: string;
  readonly v?: string;
  readonly ip?: string;
  readonly agent?: string;
  /** The edge's id of the request; by default each line has its own. */
  readonly id?: string;
  readonly referrer?: string;
  /** The body itself, instead of a batch. */
  readonly body?: unknown;
  readonly route?: string;
}

let made = 0;

export function post({
  at,
  e,
  site = SITE,
  b,
  v,
  ip = "203.0.113.7",
  agent = CHROME,
  ...rest
}: Post): StreamLine {
  const batch: WireBatch = {
    s: site,
    ...(b === undefined ? {} : { b }),
    ...(v === undefined ? {} : { v }),
    c: { u: `https://${SITE}/`, ...(rest.referrer ? { r: rest.referrer } : {}) },
    e: [...e],
  };
  const text = typeof rest.body === "string" ? rest.body : JSON.stringify(rest.body ?? batch);
  return {
    arrival: at,
    envelope: {
      route: rest.route ?? "/v1/events",
      id: rest.id ?? `request-${made++}`,
      at,
      ip,
      ua64: Buffer.from(agent).toString("base64"),
      country: "KR",
      trace64: "",
      origin64: "",
      body64: Buffer.from(text).toString("base64"),
    },
  };
}

/** A page view of `path`, received when it happened unless `t` says otherwise. */
export const view = (path: string, t?: number): WireEvent => ({
  n: "pageview",
  u: `https://${SITE}${path}`,
  ...(t === undefined ? {} : { t }),
});
