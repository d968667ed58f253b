/** Takes a page's URL apart into what is counted, and forgets the rest: query strings hold names, tokens and mail addresses. */
import { LIMITS, type PageUrl, QUERY_KEYS, type QueryKey, type Reject } from "../../model/event.ts";
import { Recent } from "../../model/recent.ts";
import { reject } from "./checks.ts";

/** In order of certainty where a URL carries several: the search engines' ids first. */
const CLICK_IDS = ["gclid", "msclkid", "fbclid", "ttclid", "twclid", "li_fat_id"] as const;
/** Names that mean the same campaign: Google writes these three for iOS and web-to-app clicks instead of gclid. */
const GCLID_ALIASES = ["gbraid", "wbraid"] as const;

/** Longer than web servers take a request line (8 to 16 KB), so no page was ever served from it; parsing it would be work for nothing. */
const MAX_RAW_CHARS = 16_384;

/** With what they are parsed into, these URLs take 4 MB. Addresses with campaigns or click ids are longer, and few come twice. */
const MAX_KEPT = 4_096;
const MAX_KEPT_CHARS = 256;
const parsed = new Recent<string, PageUrl>(MAX_KEPT);

const CONTROL = /\p{Cc}/u;
const CONTROLS = /\p{Cc}/gu;

/**
 * An http(s) URL as counted: host in lower case, path readable. `withFragment` keeps `#/route` as part of the path, for
 * sites whose router lives there; a query in it is treated as the address's own, and only where that has none.
 */
export function pageUrl(raw: unknown, field: string, withFragment = false): PageUrl | Reject {
  // A site's pages are few, and parsing one takes longer than all the rest of its event.
  const isKept = typeof raw === "string" && !withFragment && raw.length <= MAX_KEPT_CHARS;
  const known = isKept ? parsed.get(raw) : undefined;
  if (known !== undefined) return known;
  const url = parsePageUrl(raw, field, withFragment);
  if (isKept && !("reason" in url)) parsed.set(raw, url);
  return url;
}

function parsePageUrl(raw: unknown, field: string, withFragment: boolean): PageUrl | Reject {
  if (raw === undefined || raw === null || raw === "") return reject("invalid_url", `${field}: required`);
  if (typeof raw !== "string") return reject("malformed", `${field}: not a string`);
  if (raw.length > MAX_RAW_CHARS) return reject("too_large", `${field}: over ${MAX_RAW_CHARS} characters`);
  const url = URL.parse(raw);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return reject("invalid_url", `${field}: not an http(s) URL`);
  }
  const [route = "", inner = ""] = withFragment ? url.hash.split(/\?(.*)/s) : [];
  const path = readable(url.pathname) + readable(route);
  if (path.length > LIMITS.urlChars)
    return reject("too_large", `${field}: path over ${LIMITS.urlChars} characters`);
  // A name that no resolver takes; the trailing dot of a fully qualified name is the same host.
  const hostname = url.hostname.endsWith(".") ? url.hostname.slice(0, -1) : url.hostname;
  if (hostname === "" || hostname.length > LIMITS.siteChars) {
    return reject("invalid_url", `${field}: host name of no possible length`);
  }
  const search = url.search || inner;
  if (search === "") return { hostname, path, query: {} };
  const parameters = new URLSearchParams(search);
  const query: Partial<Record<QueryKey, string>> = {};
  for (const key of QUERY_KEYS) {
    const value = parameters.get(key)?.replace(CONTROLS, "").trim();
    if (!value) continue;
    if (value.length > LIMITS.urlChars) {
      return reject("too_large", `${field}: ${key} over ${LIMITS.urlChars} characters`);
    }
    query[key] = value;
  }
  const clickId =
    CLICK_IDS.find((id) => parameters.get(id)) ??
    (GCLID_ALIASES.some((id) => parameters.get(id)) ? "gclid" : undefined);
  return clickId === undefined ? { hostname, path, query } : { hostname, path, query, clickId };
}

/**
 * Percent-decoded where that cannot change the meaning: `%2F` stays, `%ED%95%9C` becomes a letter. What does not decode,
 * or would decode to control characters, stays as sent.
 */
function readable(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  try {
    const decoded = decodeURI(encoded);
    return CONTROL.test(decoded) ? encoded : decoded.trimEnd();
  } catch {
    return encoded;
  }
}
