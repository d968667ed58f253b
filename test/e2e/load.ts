/**
 * A load with known contents: a few hundred visitors with one or two visits each, every one with an agent, a way in, a
 * screen, a language and an address of its own. Tables say by hand what each of them should be counted as.
 */
import type { WireBatch, WireEvent } from "../../processors/model/event.ts";
import type { Post } from "../kit/client.ts";
import { Random } from "../kit/random.ts";

/** What the attributes of a visit should be counted as, by dimension; "" is not counted. */
export type Attributes = Readonly<Record<string, string>>;

/** One event as the oracle sees it: absolute time, no wire form. */
export interface Happening {
  readonly visitor: number;
  readonly visit: string;
  readonly at: number;
  readonly name: string;
  readonly hostname: string;
  readonly page: string;
  readonly props: Readonly<Record<string, string | number | boolean>>;
  readonly revenue?: { readonly currency: string; readonly cents: number };
  readonly engagedMs?: number;
  readonly scroll?: number;
  readonly interactive: boolean;
  readonly attributes: Attributes;
}

export interface LoadBatch extends Post {
  readonly id: string;
  readonly happenings: readonly Happening[];
  /** Sent a second time, on the same connection, a little later. */
  readonly isRepeat: boolean;
}

export interface Load {
  /** One list a connection; a visitor's batches are all in one, in order. */
  readonly lanes: readonly (readonly LoadBatch[])[];
  readonly happenings: readonly Happening[];
  readonly batches: number;
}

const AGENTS = [
  {
    text: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    counted: { "visit:browser": "Chrome", "visit:os": "Windows", "visit:device": "Desktop" },
  },
  {
    text: "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    counted: { "visit:browser": "Safari", "visit:os": "macOS", "visit:device": "Desktop" },
  },
  {
    text: "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    counted: { "visit:browser": "Firefox", "visit:os": "Linux", "visit:device": "Desktop" },
  },
  {
    text: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    counted: { "visit:browser": "Safari", "visit:os": "iOS", "visit:device": "Mobile" },
  },
  {
    text: "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
    counted: { "visit:browser": "Samsung Internet", "visit:os": "Android", "visit:device": "Mobile" },
  },
  {
    text: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    counted: { "visit:browser": "Microsoft Edge", "visit:os": "Windows", "visit:device": "Desktop" },
  },
] as const;

const WAYS_IN = [
  {
    referrer: "",
    query: "",
    counted: {
      "visit:source": "Direct / None",
      "visit:channel": "Direct",
      "visit:referrer": "Direct / None",
    },
  },
  {
    referrer: "https://www.google.com/",
    query: "",
    counted: { "visit:source": "Google", "visit:channel": "Organic Search", "visit:referrer": "google.com" },
  },
  {
    referrer: "https://news.ycombinator.com/item?id=1",
    query: "",
    counted: {
      "visit:source": "Hacker News",
      "visit:channel": "Organic Social",
      "visit:referrer": "news.ycombinator.com/item",
    },
  },
  {
    referrer: "https://blog.friends.example/posts/7",
    query: "",
    counted: {
      "visit:source": "blog.friends.example",
      "visit:channel": "Referral",
      "visit:referrer": "blog.friends.example/posts/7",
    },
  },
  {
    referrer: "",
    query: "?utm_source=newsletter&utm_medium=email&utm_campaign=spring&utm_content=button",
    counted: {
      "visit:source": "newsletter",
      "visit:channel": "Email",
      "visit:referrer": "Direct / None",
      "visit:utm_source": "newsletter",
      "visit:utm_medium": "email",
      "visit:utm_campaign": "spring",
      "visit:utm_content": "button",
    },
  },
  {
    referrer: "https://www.google.com/",
    query: "?utm_source=google&utm_medium=cpc&utm_campaign=mugs&utm_term=enamel+mug",
    counted: {
      "visit:source": "Google",
      "visit:channel": "Paid Search",
      "visit:referrer": "google.com",
      "visit:utm_source": "google",
      "visit:utm_medium": "cpc",
      "visit:utm_campaign": "mugs",
      "visit:utm_term": "enamel mug",
    },
  },
] as const;

const SCREENS = [
  { width: 390, counted: "Mobile" },
  { width: 820, counted: "Tablet" },
  { width: 1280, counted: "Laptop" },
  { width: 2560, counted: "Desktop" },
  { width: 0, counted: "" },
] as const;

const LANGUAGES = [
  { tag: "en-US", counted: "en" },
  { tag: "ko-KR", counted: "ko" },
  { tag: "de", counted: "de" },
  { tag: "pt-BR", counted: "pt" },
] as const;

/** Well-known networks: Google, SK Broadband, heise, University of Tokyo; and the last for examples only, of no country. */
const ADDRESSES = [
  { prefix: "8.8.8", counted: "US" },
  { prefix: "1.208.0", counted: "KR" },
  { prefix: "193.99.144", counted: "DE" },
  { prefix: "133.11.0", counted: "JP" },
  { prefix: "203.0.113", counted: "" },
] as const;

const PAGES = ["/", "/pricing", "/docs", "/docs/start", "/blog", "/blog/한글", "/about", "/shop/mug"];
const HOSTS = ["example.com", "www.example.com"];
const PLANS = ["free", "pro", "team"];

const MINUTE = 60_000;
const EVENTS_PER_BATCH = 10;
const BATCHES_PER_VISIT = 2;

export interface LoadOptions {
  readonly site: string;
  readonly seed: number;
  readonly batches: number;
  /** Now, epoch ms; all events are up to two hours older. */
  readonly now: number;
  readonly connections?: number;
  /** Share of the batches that is sent twice. Default 0.2. */
  readonly repeats?: number;
}

export function makeLoad({ site, seed, batches, now, connections = 8, repeats = 0.2 }: LoadOptions): Load {
  const random = new Random(seed);
  const lanes: LoadBatch[][] = Array.from({ length: connections }, () => []);
  const happenings: Happening[] = [];
  const thisMinute = Math.floor(now / MINUTE) * MINUTE;
  let made = 0;
  for (let visitor = 0; made < batches; visitor++) {
    const person = personOf(random, visitor);
    const lane = lanes[visitor % connections]!;
    // Far apart, so that they are two visits, and each short enough to be one.
    const beginnings = visitor % 2 === 0 ? [100, 14] : [50];
    for (const [index, minutesAgo] of beginnings.entries()) {
      const begin = thisMinute - minutesAgo * MINUTE;
      const visit = `${visitor}.${index}`;
      for (let part = 0; part < BATCHES_PER_VISIT && made < batches; part++, made++) {
        const own = visitPart({ random, person, visitor, visit, begin, part });
        happenings.push(...own);
        const batch: LoadBatch = {
          id: `batch-${seed}-${made}`,
          path: "/v1/events",
          headers: {
            "Content-Type": random.chance(0.5) ? "text/plain" : "application/json",
            "User-Agent": person.agent.text,
            "X-Forwarded-For": person.ip,
          },
          body: JSON.stringify(wireBatch(site, `batch-${seed}-${made}`, person, own)),
          happenings: own,
          isRepeat: false,
        };
        lane.push(batch);
        if (random.chance(repeats)) {
          // At once, or after others of the same connection.
          const back = Math.min(random.pick([0, 0, 3, 20]), lane.length - 1);
          lane.push({ ...(lane[lane.length - 1 - back] ?? batch), isRepeat: true });
        }
      }
    }
  }
  return { lanes, happenings, batches: made };
}

interface Person {
  readonly agent: (typeof AGENTS)[number];
  readonly way: (typeof WAYS_IN)[number];
  readonly screen: (typeof SCREENS)[number];
  readonly language: (typeof LANGUAGES)[number];
  readonly ip: string;
  /** Undefined: recognised by address and agent alone. */
  readonly id: string | undefined;
  readonly country: string;
}

function personOf(random: Random, visitor: number): Person {
  // One address for each, because without an id the address and agent are who they are.
  const network = ADDRESSES[visitor % ADDRESSES.length]!;
  return {
    agent: random.pick(AGENTS),
    way: random.pick(WAYS_IN),
    screen: random.pick(SCREENS),
    language: random.pick(LANGUAGES),
    ip: `${network.prefix}.${1 + (Math.floor(visitor / ADDRESSES.length) % 254)}`,
    id: random.chance(0.5) ? `member-${visitor}` : undefined,
    country: network.counted,
  };
}

interface Part {
  readonly random: Random;
  readonly person: Person;
  readonly visitor: number;
  readonly visit: string;
  readonly begin: number;
  readonly part: number;
}

function visitPart({ random, person, visitor, visit, begin, part }: Part): Happening[] {
  const own: Happening[] = [];
  // Five seconds to a minute apart: ten events take at most ten minutes, and the second part follows at once.
  let at = begin + part * 4 * MINUTE + random.below(20_000);
  const hostname = random.pick(HOSTS);
  let page = random.pick(PAGES);
  for (let i = 0; i < EVENTS_PER_BATCH; i++) {
    at += 500 + random.below(20_000);
    const shared = {
      visitor,
      visit,
      at,
      hostname,
      attributes: {
        ...person.way.counted,
        ...person.agent.counted,
        "visit:screen": person.screen.counted,
        "visit:language": person.language.counted,
        "visit:country": person.country,
      },
    };
    const kind = i === 0 ? 0 : random.below(10);
    if (kind < 5) {
      page = random.pick(PAGES);
      const props: Happening["props"] = random.chance(0.3) ? { theme: random.pick(["dark", "light"]) } : {};
      own.push({ ...shared, name: "pageview", page, props, interactive: true });
    } else if (kind < 7) {
      const engagedMs = random.between(0, 60_000);
      const scroll = random.between(0, 100);
      own.push({ ...shared, name: "engagement", page, props: {}, engagedMs, scroll, interactive: false });
    } else if (kind < 8) {
      const revenue = { currency: random.chance(0.9) ? "USD" : "EUR", cents: random.between(1, 100_000) };
      const props = { plan: random.pick(PLANS), seats: random.between(1, 3), yearly: random.chance(0.5) };
      own.push({ ...shared, name: "purchase", page, props, revenue, interactive: true });
    } else {
      const name = random.pick(["signup", "download", "Outbound Link: Click"]);
      own.push({
        ...shared,
        name,
        page,
        props: { plan: random.pick(PLANS) },
        interactive: random.chance(0.8),
      });
    }
  }
  return own;
}

function wireBatch(site: string, id: string, person: Person, own: readonly Happening[]): WireBatch {
  const { way, screen, language } = person;
  const first = own[0]!;
  const urlOf = ({ hostname, page }: Happening): string =>
    `https://${hostname}${encodeURI(page)}${way.query}${page === "/docs" ? "#top" : ""}`;
  return {
    s: site,
    b: id,
    ...(person.id === undefined ? {} : { v: person.id }),
    c: {
      u: urlOf(first),
      ...(way.referrer === "" ? {} : { r: way.referrer }),
      ...(screen.width === 0 ? {} : { w: screen.width, h: 800 }),
      l: language.tag,
      z: "Asia/Seoul",
    },
    e: own.map((event): WireEvent => {
      const isReport = event.name === "engagement";
      return {
        n: event.name,
        t: event.at,
        u: urlOf(event),
        ...(Object.keys(event.props).length === 0 ? {} : { p: { ...event.props } }),
        ...(event.revenue === undefined
          ? {}
          : { $: { amount: event.revenue.cents / 100, currency: event.revenue.currency } }),
        ...(isReport || event.interactive ? {} : { i: false }),
        ...(event.engagedMs === undefined ? {} : { ms: event.engagedMs }),
        ...(event.scroll === undefined ? {} : { sd: event.scroll }),
      };
    }),
  };
}
