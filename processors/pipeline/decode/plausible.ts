/**
 * Decoder of the Plausible Events API, `POST /api/event`: one event for one or several sites, short or long keys.
 * Follows that API where it is lenient, so that its trackers and server libraries can point here unchanged.
 */
import {
  type Batch,
  type ClickEvent,
  ENGAGEMENT,
  LIMITS,
  type Reject,
  WEB_VITALS,
} from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import {
  engagedTime,
  eventName,
  identifier,
  isObject,
  isReject,
  parseJson,
  properties,
  referrerText,
  reject,
  screenPixels,
  scrollPercent,
} from "./checks.ts";
import { revenue } from "./revenue.ts";
import { pageUrl } from "./url.ts";

/** One event may count for a few roll-up sites; more would let one small body cost hundreds of writes. */
const MAX_SITES = 10;

/**
 * One batch per site named in `domain` ("a.com,b.com" counts in both), each with the one event or its reject.
 * The protocol has no batch id, client clock or visitor id: its `v` is the version of the script.
 */
export function decodePlausible(raw: unknown, receivedAt: EpochMs): Batch[] | Reject {
  if (!isObject(raw)) return reject("malformed", "body: not an object");
  const event = decodeEvent(raw, receivedAt);
  const sites = decodeSites(raw.d ?? raw.domain, isReject(event) ? "" : event.url.hostname);
  if (isReject(sites)) return isReject(event) ? event : sites;
  const shared = {
    id: "",
    visitor: "",
    screenWidth: screenPixels(raw.w ?? raw.screen_width),
    language: "",
    events: isReject(event) ? [] : [event],
    rejects: isReject(event) ? [event] : [],
  };
  return sites.map((site) => ({ site, ...shared }));
}

/** Without a domain the page's host is the site, as that API has it. */
function decodeSites(raw: unknown, hostname: string): string[] | Reject {
  if (raw === undefined || raw === null) {
    return hostname === "" ? reject("malformed", "d: required") : [hostname.replace(/^www\./, "")];
  }
  if (typeof raw !== "string") return reject("malformed", "d: not a string");
  const sites = new Set<string>();
  for (const part of raw.split(",", MAX_SITES + 1)) {
    const site = identifier(part.trim(), "d", LIMITS.siteChars);
    if (isReject(site)) return site;
    if (site !== "") sites.add(site);
    if (sites.size > MAX_SITES) return reject("too_large", `d: over ${MAX_SITES} sites`);
  }
  return sites.size === 0 ? reject("malformed", "d: empty") : [...sites];
}

function decodeEvent(raw: Record<string, unknown>, at: EpochMs): ClickEvent | Reject {
  const name = eventName(raw.n ?? raw.name, "n");
  if (isReject(name)) return name;
  // A report of Rivulet's own, whose measurements this protocol has no key for.
  if (name === WEB_VITALS) return reject("invalid_name", `n: ${WEB_VITALS} is no event`);
  const hashMode = raw.h ?? raw.hashMode;
  const url = pageUrl(raw.u ?? raw.url, "u", hashMode === 1 || hashMode === true);
  if (isReject(url)) return url;
  const referrer = referrerText(raw.r ?? raw.referrer, "r");
  if (isReject(referrer)) return referrer;
  const props = properties(embedded(raw.m ?? raw.meta ?? raw.p ?? raw.props), "p", "drop");
  if (isReject(props)) return props;
  const money = decodeRevenue(embedded(raw.$ ?? raw.revenue));
  if (isReject(money)) return money;
  const engagement = name === ENGAGEMENT ? decodeEngagement(raw) : undefined;
  if (isReject(engagement)) return engagement;
  const interactive = name !== ENGAGEMENT && (raw.i ?? raw.interactive) !== false;
  return { name, at, url, referrer, props, interactive, ...(money && { revenue: money }), ...engagement };
}

/** Older trackers put JSON text into JSON. */
const embedded = (raw: unknown): unknown => (typeof raw === "string" ? parseJson(raw) : raw);

/** The npm tracker sends `{}` with every tagged click that has no revenue. */
function decodeRevenue(raw: unknown): ReturnType<typeof revenue> | undefined {
  const isNone = raw === undefined || raw === null || (isObject(raw) && Object.keys(raw).length === 0);
  return isNone ? undefined : revenue(raw, "$");
}

function decodeEngagement(
  raw: Record<string, unknown>,
): Pick<ClickEvent, "engagedMs" | "scrollDepth"> | Reject {
  const engagedMs = engagedTime(raw.e, "e");
  if (isReject(engagedMs)) return engagedMs;
  // A page of no height makes the tracker send null.
  const scrollDepth = scrollPercent(raw.sd, "sd");
  if (isReject(scrollDepth)) return scrollDepth;
  return { ...(engagedMs !== undefined && { engagedMs }), ...(scrollDepth !== undefined && { scrollDepth }) };
}
