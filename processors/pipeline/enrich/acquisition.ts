/** How a visit began: its source, its channel and its campaign, from the landing URL and the referrer alone. */
import type { PageUrl } from "../../model/event.ts";
import { Recent } from "../../model/recent.ts";
import { isAdTag, type Source, type SourceKind, sourceOfHost, sourceOfTag } from "./sources.ts";

/** Plausible's name for "no source", so that its clients understand ours. */
export const DIRECT_NONE = "Direct / None";

export const CHANNELS = [
  "Cross-network",
  "Paid Shopping",
  "Paid Search",
  "Paid Social",
  "Paid Video",
  "Display",
  "Paid Other",
  "Organic Shopping",
  "Organic Social",
  "Organic Video",
  "AI Assistants",
  "Organic Search",
  "Email",
  "Affiliates",
  "Audio",
  "SMS",
  "Mobile Push Notifications",
  "Referral",
  "Direct",
] as const;
export type Channel = (typeof CHANNELS)[number];

/** Absent UTM values are "". */
export interface Acquisition {
  /** Name of the service, else the tag as written, else the referrer's host; DIRECT_NONE when there is none. */
  readonly source: string;
  readonly channel: Channel;
  /** Host and path of a foreign referrer, no query: DIRECT_NONE when there is none. */
  readonly referrer: string;
  readonly utmSource: string;
  readonly utmMedium: string;
  readonly utmCampaign: string;
  readonly utmTerm: string;
  readonly utmContent: string;
}

/** Ad networks' click ids, for visits whose referrer was stripped. fbclid is missing: it is on unpaid links too. */
const CLICK_ID_HOSTS: Readonly<Partial<Record<NonNullable<PageUrl["clickId"]>, string>>> = {
  gclid: "google.com",
  msclkid: "bing.com",
  ttclid: "tiktok.com",
  twclid: "x.com",
  li_fat_id: "linkedin.com",
};

/** A tag (utm_source, source, ref) beats the referrer; a referrer of the same site is none. */
export function acquire(url: PageUrl, referrer: string): Acquisition {
  const { query } = url;
  const from = foreignReferrer(url.hostname, referrer);
  const tag = query.utm_source ?? query.source ?? query.ref;
  const known =
    tag !== undefined ? sourceOfTag(tag) : from !== undefined ? sourceOfHost(from.host) : sourceOfClick(url);
  const source = known?.name ?? tag ?? from?.source ?? "";
  return {
    source: source || DIRECT_NONE,
    channel: channelOf(url, source, known),
    referrer: from?.address ?? DIRECT_NONE,
    utmSource: query.utm_source ?? "",
    utmMedium: query.utm_medium ?? "",
    utmCampaign: query.utm_campaign ?? "",
    utmTerm: query.utm_term ?? "",
    utmContent: query.utm_content ?? "",
  };
}

const sourceOfClick = ({ clickId }: PageUrl): Source | undefined => {
  const host = clickId && CLICK_ID_HOSTS[clickId];
  return host === undefined ? undefined : sourceOfHost(host);
};

interface Foreign {
  readonly host: string;
  readonly source: string;
  readonly address: string;
}

function foreignReferrer(ownHost: string, referrer: string): Foreign | undefined {
  if (referrer === "") return undefined;
  // Parsing an address takes longer than all the rest, and most visitors come from few.
  let known = referrers.get(referrer);
  if (known === undefined) {
    known = parseReferrer(referrer) ?? NOWHERE;
    if (referrer.length <= MAX_KEPT_CHARS) referrers.set(referrer, known);
  }
  return known === NOWHERE || isSameSite(known.host, withoutWww(ownHost)) ? undefined : known;
}

/** With what they are parsed into, these take about 2 MB. */
const MAX_KEPT = 2_048;
const MAX_KEPT_CHARS = 256;
const NOWHERE: Foreign = { host: "", source: "", address: "" };
const referrers = new Recent<string, Foreign>(MAX_KEPT);

function parseReferrer(referrer: string): Foreign | undefined {
  const url = URL.parse(referrer);
  if (url === null) return undefined;
  const isApp = url.protocol === "android-app:";
  if (!isApp && url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  const host = withoutWww(url.hostname.toLowerCase().replace(/\.$/, ""));
  if (host === "" || host === "localhost") return undefined;
  const source = isApp ? `android-app://${host}` : host;
  return { host, source, address: source + withoutSlashes(url.pathname) };
}

/** Not by a pattern, which begins anew at every slash of a path that is made of them. */
function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === "/") end--;
  return path.slice(0, end);
}

/** The same host, or one inside the other: shop.example.com and example.com are one site to its visitors. */
const isSameSite = (a: string, b: string): boolean => a === b || a.endsWith(`.${b}`) || b.endsWith(`.${a}`);

const withoutWww = (host: string): string => (host.startsWith("www.") ? host.slice(4) : host);

// The two patterns mean what Google's own do (support.google.com/analytics/answer/9756891), so that campaigns tagged for
// it work. Its `.*` before and after are left out: they find nothing more, and could take a time that grows with the square.
const PAID_MEDIUM = /cp|^(?:ppc|retargeting)$|^paid/;
const SHOPPING_CAMPAIGN = /(?:[^a-df-z]|^)shop|shopping/;
const DISPLAY_MEDIUMS = ["display", "banner", "expandable", "interstitial", "cpm"];
const SOCIAL_MEDIUMS = ["social", "social-network", "social-media", "sm", "social network", "social media"];
const EMAIL_WORDS = ["email", "e-mail", "e_mail", "e mail", "newsletter"];
const REFERRAL_MEDIUMS = ["referral", "app", "link"];
/** Click ids that only advertisements carry, by the kind of service that sets them. */
const PAID_CLICKS: Readonly<Partial<Record<SourceKind, readonly string[]>>> = {
  search: ["gclid", "msclkid"],
  social: ["twclid", "li_fat_id"],
  video: ["ttclid", "gclid"],
};

/**
 * The first rule that fits wins. Order and rules are those of Google Analytics' default channel group, as Plausible
 * extended them: AI assistants, ad tags, and paid clicks by click id.
 */
function channelOf(url: PageUrl, source: string, known: Source | undefined): Channel {
  const medium = (url.query.utm_medium ?? "").toLowerCase();
  const campaign = (url.query.utm_campaign ?? "").toLowerCase();
  const tag = (url.query.utm_source ?? "").toLowerCase();
  const kind = known?.kind;
  const isPaidMedium = PAID_MEDIUM.test(medium);
  const isPaid = isPaidMedium || isAdTag(tag) || isPaidClick(url, kind);
  const isShop = kind === "shopping" || SHOPPING_CAMPAIGN.test(campaign);
  const isEmailWord = (text: string): boolean => EMAIL_WORDS.some((word) => text.includes(word));

  if (campaign.includes("cross-network")) return "Cross-network";
  if (isShop && isPaidMedium) return "Paid Shopping";
  if (kind === "search" && isPaid) return "Paid Search";
  if (kind === "social" && isPaid) return "Paid Social";
  if (kind === "video" && isPaid) return "Paid Video";
  if (DISPLAY_MEDIUMS.includes(medium)) return "Display";
  if (isPaidMedium) return "Paid Other";
  if (isShop) return "Organic Shopping";
  if (kind === "social" || SOCIAL_MEDIUMS.includes(medium)) return "Organic Social";
  if (kind === "video" || medium.includes("video")) return "Organic Video";
  if (kind === "ai") return "AI Assistants";
  if (kind === "search" || medium === "organic") return "Organic Search";
  if (kind === "email" || isEmailWord(tag) || isEmailWord(medium)) return "Email";
  if (medium === "affiliate") return "Affiliates";
  if (medium === "audio") return "Audio";
  if (medium === "sms" || tag === "sms") return "SMS";
  const isPush = medium.endsWith("push") || medium.includes("mobile") || medium.includes("notification");
  if (isPush || source.toLowerCase() === "firebase") return "Mobile Push Notifications";
  return source !== "" || REFERRAL_MEDIUMS.includes(medium) ? "Referral" : "Direct";
}

const isPaidClick = ({ clickId }: PageUrl, kind: SourceKind | undefined): boolean =>
  clickId !== undefined && kind !== undefined && PAID_CLICKS[kind]?.includes(clickId) === true;
