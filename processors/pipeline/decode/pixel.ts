/** Decoder of the image that counts a page view without scripts, `GET /p.gif`; the edge wrote its query string as JSON. */
import { type Batch, LIMITS, PAGEVIEW, type Reject } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { base64Text } from "./base64.ts";
import { identifier, isObject, isReject, referrerText, reject } from "./checks.ts";
import { pageUrl } from "./url.ts";

/**
 * One page view, at the time it was received: an image knows no clock. `raw` holds base64 texts: `s64` site, `u64` URL
 * of the page, `r64` referrer, and `page64`, the header Referer of the request, which names the page where `u64` does not.
 */
export function decodePixel(raw: unknown, receivedAt: EpochMs): [Batch] | Reject {
  if (!isObject(raw)) return reject("malformed", "query: not an object");
  const texts: Partial<Record<"s" | "u" | "r" | "page", string>> = {};
  for (const key of ["s", "u", "r", "page"] as const) {
    const encoded = raw[`${key}64`];
    const text = typeof encoded === "string" ? base64Text(encoded) : "";
    if (text === undefined) return reject("malformed", `${key}: not UTF-8`);
    texts[key] = text;
  }
  const site = identifier(texts.s, "s", LIMITS.siteChars);
  if (isReject(site)) return site;
  if (site === "") return reject("malformed", "s: required");
  const shared = { site, id: "", visitor: "", screenWidth: 0, language: "" };
  const url = texts.u ? pageUrl(texts.u, "u") : pageUrl(texts.page, "Referer");
  const referrer = referrerText(texts.r, "r");
  const problem = isReject(url) ? url : isReject(referrer) ? referrer : undefined;
  if (problem !== undefined) return [{ ...shared, events: [], rejects: [problem] }];
  const event = {
    name: PAGEVIEW,
    at: receivedAt,
    url: url as Exclude<typeof url, Reject>,
    referrer: referrer as string,
    props: [],
    interactive: true,
  };
  return [{ ...shared, events: [event], rejects: [] }];
}
