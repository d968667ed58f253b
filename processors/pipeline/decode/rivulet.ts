/**
 * Decoder of Rivulet's own protocol, `POST /v1/events`: one site, many events, and perhaps a batch that an earlier page
 * left (model/event.ts lists every key).
 */
import {
  type Batch,
  type ClickEvent,
  ENGAGEMENT,
  isReport,
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
  parseJson,
  properties,
  referrerText,
  reject,
  screenPixels,
  scrollPercent,
  vitals,
} from "./checks.ts";
import { revenue } from "./revenue.ts";
import { pageUrl } from "./url.ts";

/**
 * The batch in `raw` and before it the one that it carries, or why none of it can be used. A bad event, and what is
 * carried and cannot be read, cost themselves only. Unknown keys are ignored.
 */
export function decodeRivulet(raw: unknown, receivedAt: EpochMs): Batch[] | Reject {
  if (!isObject(raw)) return reject("malformed", "body: not an object");
  const batch = decodeBatch(raw, receivedAt);
  if (isReject(batch)) return batch;
  if (raw.q == null) return [batch];
  const carried = decodeCarried(raw.q, raw.t, receivedAt);
  if (!isReject(carried)) return [carried, batch];
  const refused = { ...carried, message: `q: ${carried.message}` };
  return [{ ...batch, rejects: [...batch.rejects, refused] }];
}

/** It was written down before it was sent, hence it is a text; and it has no time of sending but that of what carries it. */
function decodeCarried(text: unknown, sentAt: unknown, receivedAt: EpochMs): Batch | Reject {
  const raw = typeof text === "string" ? parseJson(text) : undefined;
  if (!isObject(raw)) return reject("malformed", "not the text of a batch");
  return decodeBatch({ ...raw, t: sentAt }, receivedAt);
}

function decodeBatch(raw: Record<string, unknown>, receivedAt: EpochMs): Batch | Reject {
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

  // Once for all events: a batch may hold a thousand, and a URL of thousands of characters.
  const url = context.u == null ? undefined : pageUrl(context.u, "c.u");
  const referrer = referrerText(context.r, "c.r");
  const shared: Shared = { url, referrer, sentAt, receivedAt };
  const events: ClickEvent[] = [];
  const rejects: Reject[] = [];
  for (let i = 0; i < raw.e.length; i++) {
    const event = decodeEvent(raw.e[i], `e[${i}]`, shared);
    if (isReject(event)) rejects.push(event);
    else events.push(event);
  }
  const screenWidth = screenPixels(context.w);
  const language = languageTag(context.l);
  const dropped = droppedEvents(raw.d);
  return { site, id, visitor, screenWidth, language, events, rejects, ...(dropped > 0 && { dropped }) };
}

/** More than a full queue of full batches could hold is no count of a collector's; what is no count says nothing. */
const MAX_DROPPED = 1_000_000;

export const droppedEvents = (raw: unknown): number =>
  typeof raw === "number" && Number.isInteger(raw) && raw > 0 ? Math.min(raw, MAX_DROPPED) : 0;

interface Shared {
  readonly url: PageUrl | Reject | undefined;
  readonly referrer: string | Reject;
  readonly sentAt: EpochMs | undefined;
  readonly receivedAt: EpochMs;
}

function decodeEvent(raw: unknown, field: string, shared: Shared): ClickEvent | Reject {
  if (!isObject(raw)) return reject("malformed", `${field}: not an object`);
  const name = eventName(raw.n, `${field}.n`);
  if (isReject(name)) return name;
  const clientAt = clientTime(raw.t, `${field}.t`);
  if (isReject(clientAt)) return clientAt;
  const at = eventTime(clientAt, shared.sentAt, shared.receivedAt, `${field}.t`);
  if (isReject(at)) return at;
  const url = raw.u == null && shared.url !== undefined ? shared.url : pageUrl(raw.u, `${field}.u`);
  if (isReject(url)) return url;
  const referrer = raw.r == null ? shared.referrer : referrerText(raw.r, `${field}.r`);
  if (isReject(referrer)) return referrer;
  const props = properties(raw.p, `${field}.p`, "reject");
  if (isReject(props)) return props;
  const money = raw.$ == null ? undefined : revenue(raw.$, `${field}.$`);
  if (isReject(money)) return money;
  const interactive = raw.i ?? true;
  if (typeof interactive !== "boolean") return reject("malformed", `${field}.i: not a boolean`);
  const engagement = name === ENGAGEMENT ? decodeEngagement(raw, field) : undefined;
  if (isReject(engagement)) return engagement;
  const measured = name === WEB_VITALS ? vitals(raw.m, `${field}.m`) : undefined;
  if (isReject(measured)) return measured;
  const event: { -readonly [Key in keyof ClickEvent]: ClickEvent[Key] } = {
    name,
    at,
    url,
    referrer,
    props,
    interactive: interactive && !isReport(name),
  };
  if (money) event.revenue = money;
  if (engagement) Object.assign(event, engagement);
  if (measured) event.vitals = measured;
  return event;
}

export function decodeEngagement(
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
