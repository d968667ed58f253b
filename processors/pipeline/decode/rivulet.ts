/** Decoder of Rivulet's own protocol, `POST /v1/events`: one batch, one site, many events (model/event.ts lists every key). */
import {
  type Batch,
  type ClickEvent,
  ENGAGEMENT,
  LIMITS,
  type PageUrl,
  type Reject,
  WEB_VITALS,
} from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import {
  clientTime,
  engagedTime,
  eventName,
  eventTime,
  identifier,
  isObject,
  isReject,
  languageTag,
  properties,
  referrerText,
  reject,
  screenPixels,
  scrollPercent,
  vitals,
} from "./checks.ts";
import { revenue } from "./revenue.ts";
import { pageUrl } from "./url.ts";

/** The batch in `raw`, or why none of it can be used. A bad event costs itself only. Unknown keys are ignored. */
export function decodeRivulet(raw: unknown, receivedAt: EpochMs): [Batch] | Reject {
  if (!isObject(raw)) return reject("malformed", "body: not an object");
  const site = identifier(raw.s, "s", LIMITS.siteChars);
  if (isReject(site)) return site;
  if (site === "") return reject("malformed", "s: required");
  const id = identifier(raw.b, "b", LIMITS.idChars);
  if (isReject(id)) return id;
  const visitor = identifier(raw.v, "v", LIMITS.idChars);
  if (isReject(visitor)) return visitor;
  const sentAt = clientTime(raw.t, "t");
  if (isReject(sentAt)) return sentAt;
  const context = raw.c ?? {};
  if (!isObject(context)) return reject("malformed", "c: not an object");
  if (!Array.isArray(raw.e)) return reject("malformed", "e: not a list");
  if (raw.e.length === 0) return reject("malformed", "e: empty");
  if (raw.e.length > LIMITS.eventsPerBatch) {
    return reject("too_large", `e: over ${LIMITS.eventsPerBatch} events`);
  }

  const shared: Shared = { context, sentAt, receivedAt, urls: new Map() };
  const events: ClickEvent[] = [];
  const rejects: Reject[] = [];
  for (let i = 0; i < raw.e.length; i++) {
    const event = decodeEvent(raw.e[i], `e[${i}]`, shared);
    if (isReject(event)) rejects.push(event);
    else events.push(event);
  }
  const screenWidth = screenPixels(context.w);
  return [{ site, id, visitor, screenWidth, language: languageTag(context.l), events, rejects }];
}

interface Shared {
  readonly context: Record<string, unknown>;
  readonly sentAt: EpochMs | undefined;
  readonly receivedAt: EpochMs;
  /** Most events of a batch are of one page: parse its URL once. */
  readonly urls: Map<unknown, PageUrl | Reject>;
}

function decodeEvent(raw: unknown, field: string, shared: Shared): ClickEvent | Reject {
  if (!isObject(raw)) return reject("malformed", `${field}: not an object`);
  const name = eventName(raw.n, `${field}.n`);
  if (isReject(name)) return name;
  const clientAt = clientTime(raw.t, `${field}.t`);
  if (isReject(clientAt)) return clientAt;
  const at = eventTime(clientAt, shared.sentAt, shared.receivedAt, `${field}.t`);
  if (isReject(at)) return at;
  const url = eventUrl(raw, field, shared);
  if (isReject(url)) return url;
  const ownReferrer = raw.r ?? undefined;
  const referrer =
    ownReferrer === undefined
      ? referrerText(shared.context.r, "c.r")
      : referrerText(ownReferrer, `${field}.r`);
  if (isReject(referrer)) return referrer;
  const props = properties(raw.p, `${field}.p`, "reject");
  if (isReject(props)) return props;
  const money = raw.$ === undefined || raw.$ === null ? undefined : revenue(raw.$, `${field}.$`);
  if (isReject(money)) return money;
  const isReport = name === ENGAGEMENT || name === WEB_VITALS;
  const interactive = raw.i ?? !isReport;
  if (typeof interactive !== "boolean") return reject("malformed", `${field}.i: not a boolean`);
  const engagement = name === ENGAGEMENT ? decodeEngagement(raw, field) : undefined;
  if (isReject(engagement)) return engagement;
  const measured = name === WEB_VITALS ? vitals(raw.m, `${field}.m`) : undefined;
  if (isReject(measured)) return measured;
  return {
    name,
    at,
    url,
    referrer,
    props,
    interactive: interactive && !isReport,
    ...(money && { revenue: money }),
    ...engagement,
    ...(measured && { vitals: measured }),
  };
}

function eventUrl(raw: Record<string, unknown>, field: string, shared: Shared): PageUrl | Reject {
  const own = raw.u ?? undefined;
  const text = own ?? shared.context.u;
  const known = shared.urls.get(text);
  // A reject names its own field, so only good URLs are shared.
  if (known !== undefined) return known;
  const url = pageUrl(text, own === undefined && shared.context.u != null ? "c.u" : `${field}.u`);
  if (!isReject(url)) shared.urls.set(text, url);
  return url;
}

function decodeEngagement(
  raw: Record<string, unknown>,
  field: string,
): Pick<ClickEvent, "engagedMs" | "scrollDepth"> | Reject {
  const engagedMs = engagedTime(raw.ms, `${field}.ms`);
  if (isReject(engagedMs)) return engagedMs;
  const scrollDepth = scrollPercent(raw.sd, `${field}.sd`);
  if (isReject(scrollDepth)) return scrollDepth;
  if (engagedMs === undefined && scrollDepth === undefined) {
    return reject("malformed", `${field}.ms: required, or sd`);
  }
  return { ...(engagedMs !== undefined && { engagedMs }), ...(scrollDepth !== undefined && { scrollDepth }) };
}
