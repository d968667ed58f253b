/**
 * The record that an import puts on the stream: many events of many senders, each with its own time, address and agent.
 * No route leads here from the outside, but a stream is open to other writers too, so everything is checked again.
 */
import {
  type Batch,
  type ClickEvent,
  ENGAGEMENT,
  isReport,
  LIMITS,
  MAX_SKEW_MS,
  type PageUrl,
  type Reject,
  WEB_VITALS,
} from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { utf8Text } from "./base64.ts";
import {
  engagedTime,
  eventName,
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
 * As it travels, UTF-8 JSON. What events share is written once: an access log names the same pages, agents and
 * referrers over and over, and each is parsed once a record.
 */
export interface ImportWire {
  /** Version of this form. First, so that a record is recognised by its first bytes. */
  readonly import: 1;
  readonly site: string;
  /** The same whenever the same part of the same source is put again. */
  readonly id: string;
  /** Tools and libraries count as visitors: reports of somebody's own server, not requests in a log. */
  readonly libraries: boolean;
  readonly urls: readonly string[];
  readonly referrers: readonly string[];
  readonly agents: readonly string[];
  readonly kinds: readonly ImportKind[];
  readonly posts: readonly ImportPost[];
}

/** What an event is, apart from where, when and by whom. */
export interface ImportKind {
  /** Name, properties and interactivity as in WireEvent. */
  readonly n: string;
  readonly p?: Readonly<Record<string, string | number | boolean>>;
  readonly i?: boolean;
}

/** The events of one sender on one UTC day, earliest first. */
export interface ImportPost {
  readonly ip: string;
  /** Index into agents. */
  readonly a: number;
  /** Visitor id, country, language and viewport width, where the source knows them. */
  readonly v?: string;
  readonly c?: string;
  readonly l?: string;
  readonly w?: number;
  /** Epoch ms of the first event. */
  readonly at: EpochMs;
  /** Four numbers an event: ms after `at`, and indexes into urls, referrers and kinds. */
  readonly e: readonly number[];
  /** What few events have, by number of the event. */
  readonly x?: Readonly<Record<string, ImportExtra>>;
}

/** As in WireEvent. */
export interface ImportExtra {
  readonly $?: { readonly amount: number | string; readonly currency: string };
  readonly ms?: number;
  readonly sd?: number;
  readonly m?: Readonly<Record<string, number>>;
}

/** The record, checked but for what single events say. */
export interface Imported {
  readonly site: string;
  readonly id: string;
  readonly countsLibraries: boolean;
  /** How many events it holds, bad ones included. */
  readonly events: number;
  /** When each sender's first event happened. */
  readonly times: Iterable<EpochMs>;
  /** Each decoded when it is its turn: thousands at once would outlive what they are for, and be collected late. */
  readonly posts: Iterable<ImportedPost>;
}

/** A batch of one sender, with what an envelope would have said of it. */
export interface ImportedPost {
  readonly batch: Batch;
  readonly at: EpochMs;
  readonly ip: string;
  readonly country: string;
  readonly agentText: string;
}

const FIRST_BYTES = new TextEncoder().encode('{"import":');
/** Of a post's list. */
export const NUMBERS_PER_EVENT = 4;
/** As of envelopes: epoch milliseconds have 13 digits, and keys of windows rely on it. */
export const EARLIEST_MS = 1e12;
/** An address with its zone; IPv6 takes 45. */
const MAX_IP_CHARS = 100;

export const isImported = (data: Uint8Array): boolean =>
  data.length > FIRST_BYTES.length && FIRST_BYTES.every((byte, i) => data[i] === byte);

/** What an import put into one record, or why none of it can be used. Never throws; a bad event costs itself only. */
export function decodeImported(data: Uint8Array, arrivedAt: EpochMs): Imported | Reject {
  const text = utf8Text(data);
  const raw = text === undefined ? undefined : parseJson(text);
  if (!isObject(raw) || raw.import !== 1) return reject("malformed", "import: not JSON of version 1");
  const site = identifier(raw.site, "site", LIMITS.siteChars);
  if (isReject(site)) return site;
  const id = identifier(raw.id, "id", LIMITS.idChars);
  if (isReject(id)) return id;
  if (site === "" || id === "") return reject("malformed", "site, id: required");
  const { urls, referrers, agents, kinds, posts } = raw;
  if (![urls, referrers, agents, kinds].every(Array.isArray) || !Array.isArray(posts))
    return reject("malformed", "urls, referrers, agents, kinds, posts: not lists");
  const shared: Shared = {
    site,
    latest: arrivedAt + MAX_SKEW_MS,
    urls: (urls as unknown[]).map((url, i) => pageUrl(url, `urls[${i}]`)),
    referrers: (referrers as unknown[]).map((referrer, i) => referrerText(referrer, `referrers[${i}]`)),
    agents: (agents as unknown[]).map((agent) => (typeof agent === "string" ? agent : "")),
    kinds: (kinds as unknown[]).map(decodeKind),
  };
  let events = 0;
  for (let i = 0; i < posts.length; i++) {
    const problem = problemOf(posts[i]);
    if (problem) return reject(problem.reason, `posts[${i}]${problem.message}`);
    events += (posts[i] as ImportPost).e.length / NUMBERS_PER_EVENT;
  }
  return {
    site,
    id,
    countsLibraries: raw.libraries === true,
    events,
    times: {
      *[Symbol.iterator]() {
        for (const { at } of posts as ImportPost[]) yield at;
      },
    },
    posts: {
      *[Symbol.iterator]() {
        for (let i = 0; i < posts.length; i++) yield decodePost(posts[i] as ImportPost, i, shared);
      },
    },
  };
}

interface Shared {
  readonly site: string;
  readonly latest: EpochMs;
  readonly urls: readonly (PageUrl | Reject)[];
  readonly referrers: readonly (string | Reject)[];
  readonly agents: readonly string[];
  readonly kinds: readonly (Kind | Reject)[];
}

type Kind = Pick<ClickEvent, "name" | "props" | "interactive">;

/** Name, properties and interactivity of an event, checked as the collector's are. */
export function decodeKind(raw: unknown, index: number): Kind | Reject {
  const field = `kinds[${index}]`;
  if (!isObject(raw)) return reject("malformed", `${field}: not an object`);
  const name = eventName(raw.n, `${field}.n`);
  if (isReject(name)) return name;
  const props = properties(raw.p, `${field}.p`, "reject");
  if (isReject(props)) return props;
  return { name, props, interactive: raw.i !== false && !isReport(name) };
}

/** What makes a post unusable, and the record with it: it is ours, so then nothing in it can be trusted. */
function problemOf(post: unknown): Reject | undefined {
  if (!isObject(post)) return reject("malformed", ": not an object");
  const { at, e: numbers } = post;
  if (typeof at !== "number" || !Number.isInteger(at) || at < EARLIEST_MS)
    return reject("malformed", ".at: not a time in epoch milliseconds");
  if (!Array.isArray(numbers) || numbers.length === 0 || numbers.length % NUMBERS_PER_EVENT !== 0)
    return reject("malformed", ".e: not four numbers an event");
  const visitor = identifier(post.v, ".v", LIMITS.idChars);
  if (isReject(visitor)) return visitor;
  const ip = identifier(post.ip, ".ip", MAX_IP_CHARS);
  return isReject(ip) ? ip : undefined;
}

/** Of a post that has no problem. */
function decodePost(post: ImportPost, index: number, shared: Shared): ImportedPost {
  const { at, e: numbers } = post;
  const extras = isObject(post.x) ? post.x : undefined;
  const rejects: Reject[] = [];
  // As long as it becomes, mostly: an array that grows takes room for seventeen at its first, and most senders have two.
  const events = new Array<ClickEvent>(numbers.length / NUMBERS_PER_EVENT);
  let length = 0;
  for (let number = 0; number < events.length; number++) {
    const event = decodeEvent(post, index, number, extras?.[number], shared);
    if (isReject(event)) rejects.push(event);
    else events[length++] = event;
  }
  events.length = length;
  return {
    batch: {
      site: shared.site,
      id: "",
      visitor: wellFormed(post.v),
      screenWidth: screenPixels(post.w),
      language: languageTag(post.l),
      events,
      rejects,
    },
    at,
    ip: wellFormed(post.ip),
    country: typeof post.c === "string" ? post.c : "",
    agentText: shared.agents[post.a] ?? "",
  };
}

const wellFormed = (text: string | null | undefined): string => text?.toWellFormed() ?? "";

function decodeEvent(
  { at: base, e: numbers }: ImportPost,
  index: number,
  number: number,
  extra: unknown,
  shared: Shared,
): ClickEvent | Reject {
  // Thousands are decoded for each that needs a name.
  const field = (): string => `posts[${index}].e[${number}]`;
  const i = number * NUMBERS_PER_EVENT;
  const at = base + numbers[i]!;
  if (!Number.isInteger(at) || at < EARLIEST_MS) return reject("malformed", `${field()}: not a time`);
  if (at > shared.latest) return reject("from_future", `${field()}: later than it was imported`);
  const url = shared.urls[numbers[i + 1]!];
  const referrer = shared.referrers[numbers[i + 2]!];
  const kind = shared.kinds[numbers[i + 3]!];
  if (url === undefined || referrer === undefined || kind === undefined)
    return reject("malformed", `${field()}: points to nothing`);
  if (isReject(url)) return url;
  if (isReject(referrer)) return referrer;
  if (isReject(kind)) return kind;
  const { name, props, interactive } = kind;
  if (extra === undefined) return { name, at, url, referrer, props, interactive };
  const more = decodeExtra(extra, name, field());
  return isReject(more) ? more : { name, at, url, referrer, props, interactive, ...more };
}

type Extra = Pick<ClickEvent, "revenue" | "engagedMs" | "scrollDepth" | "vitals">;

/** Money and reports of an event, checked as the collector's are. */
export function decodeExtra(raw: unknown, name: string, field: string): Extra | Reject {
  if (!isObject(raw)) return reject("malformed", `${field}: not an object`);
  const money = raw.$ == null ? undefined : revenue(raw.$, `${field}.$`);
  if (isReject(money)) return money;
  const engagedMs = name === ENGAGEMENT ? engagedTime(raw.ms, `${field}.ms`) : undefined;
  if (isReject(engagedMs)) return engagedMs;
  const scrollDepth = name === ENGAGEMENT ? scrollPercent(raw.sd, `${field}.sd`) : undefined;
  if (isReject(scrollDepth)) return scrollDepth;
  const measured = name === WEB_VITALS ? vitals(raw.m, `${field}.m`) : undefined;
  if (isReject(measured)) return measured;
  return {
    ...(money && { revenue: money }),
    ...(engagedMs !== undefined && { engagedMs }),
    ...(scrollDepth !== undefined && { scrollDepth }),
    ...(measured && { vitals: measured }),
  };
}
