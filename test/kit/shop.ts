/** The made-up shop that generated visitors walk through: its pages, its visitors' countries, how they found it, what they do. */
import type { WireEvent } from "../../processors/model/event.ts";
import type { Random } from "./random.ts";

export interface Country {
  readonly code: string;
  readonly weight: number;
  readonly zones: readonly string[];
  readonly languages: readonly string[];
  /** First half of IPv4 addresses that registries give to this country. */
  readonly prefixes: readonly string[];
  readonly currency: string;
  /** A plausible price in major units, as a shop would write it. */
  readonly price: (random: Random) => number;
}

const cents =
  (low: number, high: number) =>
  (random: Random): number =>
    random.between(low * 100, high * 100) / 100;
const hundreds =
  (low: number, high: number) =>
  (random: Random): number =>
    random.between(low, high) * 100;

const country = (
  code: string,
  weight: number,
  zones: string,
  languages: string,
  prefixes: string,
  currency: string,
  price: (random: Random) => number,
): Country => ({
  code,
  weight,
  zones: zones.split(" "),
  languages: languages.split(" "),
  prefixes: prefixes.split(" "),
  currency,
  price,
});

export const COUNTRIES: readonly Country[] = [
  country(
    "US",
    26,
    "America/New_York America/Chicago America/Denver America/Los_Angeles",
    "en-US en-US es-US",
    "2.0 2.1",
    "USD",
    cents(5, 240),
  ),
  country("KR", 18, "Asia/Seoul", "ko-KR ko", "1.11 1.16", "KRW", hundreds(50, 3_000)),
  country("JP", 8, "Asia/Tokyo", "ja-JP ja", "1.5 1.33", "JPY", hundreds(5, 300)),
  country("DE", 7, "Europe/Berlin", "de-DE de", "2.28 2.30", "EUR", cents(5, 220)),
  country("GB", 6, "Europe/London", "en-GB", "1.186 2.96", "GBP", cents(5, 200)),
  country("IN", 6, "Asia/Kolkata", "en-IN hi-IN", "1.6 1.7", "INR", hundreds(2, 150)),
  country("FR", 5, "Europe/Paris", "fr-FR fr", "2.3 2.4", "EUR", cents(5, 220)),
  country("BR", 4, "America/Sao_Paulo", "pt-BR", "4.160 4.169", "BRL", cents(20, 900)),
  country("CA", 3, "America/Toronto America/Vancouver", "en-CA fr-CA", "3.96 3.97", "CAD", cents(5, 260)),
  country("AU", 2.5, "Australia/Sydney Australia/Perth", "en-AU", "1.40 1.41", "AUD", cents(5, 280)),
  country("NL", 2, "Europe/Amsterdam", "nl-NL en-NL", "2.153 4.175", "EUR", cents(5, 220)),
  country("ES", 2, "Europe/Madrid", "es-ES ca-ES", "2.136 2.137", "EUR", cents(5, 180)),
  country("IT", 2, "Europe/Rome", "it-IT", "2.32 2.33", "EUR", cents(5, 180)),
  country("TW", 1.5, "Asia/Taipei", "zh-TW", "1.34 1.35", "TWD", hundreds(2, 80)),
  country("VN", 1.5, "Asia/Ho_Chi_Minh", "vi-VN", "1.52 1.53", "VND", hundreds(500, 30_000)),
  country("PL", 1, "Europe/Warsaw", "pl-PL", "5.173 5.184", "PLN", cents(20, 900)),
  country("SE", 1, "Europe/Stockholm", "sv-SE", "2.64 2.65", "SEK", cents(50, 2_400)),
  country("TR", 1, "Europe/Istanbul", "tr-TR", "5.24 5.25", "TRY", cents(100, 6_000)),
  country("ID", 1, "Asia/Jakarta", "id-ID", "9.154 15.232", "IDR", hundreds(300, 30_000)),
  country("MX", 1, "America/Mexico_City", "es-MX", "68.155 78.12", "MXN", cents(80, 4_000)),
  country("SG", 0.8, "Asia/Singapore", "en-SG zh-SG", "3.0 3.1", "SGD", cents(5, 300)),
  country("CH", 0.7, "Europe/Zurich", "de-CH fr-CH", "4.163 4.164", "CHF", cents(5, 260)),
];

export interface Landing {
  readonly weight: number;
  /** "" for none. */
  readonly referrer: string;
  /** Query string of the landing URL, without "?". */
  readonly query: string;
}

const landing = (weight: number, referrer: string, query = ""): Landing => ({ weight, referrer, query });

export const LANDINGS: readonly Landing[] = [
  landing(300, ""),
  landing(220, "https://www.google.com/"),
  landing(25, "https://www.google.co.kr/"),
  landing(60, "https://search.naver.com/search.naver?query=rivulet"),
  landing(30, "https://www.bing.com/"),
  landing(18, "https://duckduckgo.com/"),
  landing(8, "https://search.yahoo.co.jp/search?p=rivulet"),
  landing(6, "https://yandex.ru/"),
  landing(45, "https://news.ycombinator.com/"),
  landing(30, "https://www.reddit.com/r/webdev/comments/1ab2cd/"),
  landing(28, "https://t.co/AbCdEf123"),
  landing(24, "https://l.instagram.com/", "utm_source=ig&utm_medium=social"),
  landing(22, "https://lm.facebook.com/", "fbclid=IwAR0abc"),
  landing(20, "https://www.linkedin.com/feed/"),
  landing(18, "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
  landing(14, "https://github.com/example/rivulet"),
  landing(22, "https://chatgpt.com/", "utm_source=chatgpt.com"),
  landing(8, "https://claude.ai/"),
  landing(7, "https://www.perplexity.ai/"),
  landing(12, "https://blog.naver.com/flowers/223001"),
  landing(6, "https://news.hada.io/topic?id=1"),
  landing(10, "https://en.wikipedia.org/wiki/Clickstream"),
  landing(
    34,
    "https://www.google.com/",
    "utm_source=google&utm_medium=cpc&utm_campaign=spring&utm_term=tea&gclid=Cj0KCQ",
  ),
  landing(14, "https://www.bing.com/", "utm_source=bing&utm_medium=cpc&utm_campaign=spring&msclkid=1f2e3d"),
  landing(
    16,
    "https://www.instagram.com/",
    "utm_source=instagram&utm_medium=paid_social&utm_campaign=launch&utm_content=video-a",
  ),
  landing(26, "", "utm_source=newsletter&utm_medium=email&utm_campaign=autumn-2025"),
  landing(8, "https://mail.google.com/", "utm_source=newsletter&utm_medium=email&utm_campaign=welcome"),
  landing(9, "https://partner.example.net/reviews/tea", "utm_source=partner&utm_medium=affiliate"),
  landing(7, "https://ads.example.org/slot", "utm_source=adnet&utm_medium=display&utm_campaign=retarget"),
  landing(12, "https://teablog.example.org/best-of-2025"),
  landing(6, "android-app://com.google.android.gm/"),
];

export interface Goal {
  readonly name: string;
  /** Chance on each page. */
  readonly chance: number;
  readonly props?: (random: Random) => NonNullable<WireEvent["p"]>;
  readonly revenue?: boolean;
}

const TEAS = [
  "sencha",
  "gyokuro",
  "oolong",
  "darjeeling",
  "assam",
  "pu-erh",
  "jasmine",
  "rooibos",
  "녹차",
  "홍차",
];

export const GOALS: readonly Goal[] = [
  {
    name: "signup",
    chance: 0.02,
    props: (random) => ({ plan: random.pick(["free", "free", "pro", "team"]) }),
  },
  {
    name: "add_to_cart",
    chance: 0.06,
    props: (random) => ({ item: random.pick(TEAS), quantity: random.between(1, 4) }),
  },
  {
    name: "purchase",
    chance: 0.015,
    props: (random) => ({ item: random.pick(TEAS), gift: random.chance(0.2) }),
    revenue: true,
  },
  {
    name: "search",
    chance: 0.04,
    props: (random) => ({ term: random.pick(TEAS), results: random.below(30) }),
  },
  {
    name: "Outbound Link: Click",
    chance: 0.02,
    props: (random) => ({ url: `https://example.org/${random.pick(TEAS.slice(0, 8))}` }),
  },
];

const SECTIONS = ["products", "blog", "collections", "guides", "help"];

/** Paths of the shop, the most visited first; some hold letters that URLs must encode. */
export function pagesOf(count: number): string[] {
  const pages = ["/", "/pricing", "/products", "/cart", "/blog", "/about", encodeURI("/차/녹차")];
  for (let i = 0; pages.length < count; i++) {
    const section = SECTIONS[i % SECTIONS.length]!;
    pages.push(`/${section}/${encodeURI(TEAS[i % TEAS.length]!)}-${i}`);
  }
  return pages.slice(0, Math.max(1, count));
}
