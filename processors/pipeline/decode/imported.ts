/**
 * The record that an import puts on the stream: many events of many senders, each with its own time, address and agent.
 * No route leads here from the outside, but a stream is open to other writers too, so everything is checked again.
 */
import {
  type Batch,
  type ClickEvent,
  ENGAGEMENT,
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

/** The record decoded: a batch of each sender, with what an envelope would have said of it. */
export interface Imported {
  readonly site: string;
  readonly id: string;
  readonly countsLibraries: boolean;
  readonly posts: readonly {
    readonly batch: Batch;
    readonly at: EpochMs;
    readonly ip: string;
    readonly country: string;
    readonly agentText: string;
  }[];
}

const FIRST_BYTES = new TextEncoder().encode('{"import":');
const NUMBERS_PER_EVENT = 4;
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
  if (![urls, referrers, agents, kinds, posts].every(Array.isArray))
    return reject("malformed", "urls, referrers, agents, kinds, posts: not lists");
  const shared: Shared = {
    site,
    latest: arrivedAt + MAX_SKEW_MS,
    urls: (urls as unknown[]).map((url, i) => pageUrl(url, `urls[${i}]`)),
    referrers: (referrers as unknown[]).map((referrer, i) => referrerText(referrer, `referrers[${i}]`)),
    agents: (agents as unknown[]).map((agent) => (typeof agent === "string" ? agent : "")),
    kinds: (kinds as unknown[]).map(decodeKind),
  };
  const decoded: Imported["posts"][number][] = [];
  for (const [i, post] of (posts as unknown[]).entries()) {
    const one = decodePost(post, `posts[${i}]`, shared);
    if (isReject(one)) return one;
    decoded.push(one);
  }
  return { site, id, countsLibraries: raw.libraries === true, posts: decoded };
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
  const isReport = name === ENGAGEMENT || name === WEB_VITALS;
  return { name, props, interactive: raw.i !== false && !isReport };
}

function decodePost(raw: unknown, field: string, shared: Shared): Imported["posts"][number] | Reject {
  if (!isObject(raw)) return reject("malformed", `${field}: not an object`);
  const { at, e: numbers } = raw;
  if (typeof at !== "number" || !Number.isInteger(at) || at < EARLIEST_MS)
    return reject("malformed", `${field}.at: not a time in epoch milliseconds`);
  if (!Array.isArray(numbers) || numbers.length === 0 || numbers.length % NUMBERS_PER_EVENT !== 0)
    return reject("malformed", `${field}.e: not four numbers an event`);
  const visitor = identifier(raw.v, `${field}.v`, LIMITS.idChars);
  if (isReject(visitor)) return visitor;
  const ip = identifier(raw.ip, `${field}.ip`, MAX_IP_CHARS);
  if (isReject(ip)) return ip;
  const extras = isObject(raw.x) ? raw.x : undefined;
  const events: ClickEvent[] = [];
  const rejects: Reject[] = [];
  for (let i = 0; i < numbers.length; i += NUMBERS_PER_EVENT) {
    const number = i / NUMBERS_PER_EVENT;
    const event = decodeEvent(numbers, i, at, extras?.[number], `${field}.e[${number}]`, shared);
    if (isReject(event)) rejects.push(event);
    else events.push(event);
  }
  return {
    batch: {
      site: shared.site,
      id: "",
      visitor,
      screenWidth: screenPixels(raw.w),
      language: languageTag(raw.l),
      events,
      rejects,
    },
    at,
    ip,
    country: typeof raw.c === "string" ? raw.c : "",
    agentText: shared.agents[raw.a as number] ?? "",
  };
}

function decodeEvent(
  numbers: readonly unknown[],
  i: number,
  base: EpochMs,
  extra: unknown,
  field: string,
  shared: Shared,
): ClickEvent | Reject {
  const at = base + (numbers[i] as number);
  if (!Number.isInteger(at) || at < EARLIEST_MS) return reject("malformed", `${field}: not a time`);
  if (at > shared.latest) return reject("from_future", `${field}: later than it was imported`);
  const url = shared.urls[numbers[i + 1] as number];
  const referrer = shared.referrers[numbers[i + 2] as number];
  const kind = shared.kinds[numbers[i + 3] as number];
  if (url === undefined || referrer === undefined || kind === undefined)
    return reject("malformed", `${field}: points to nothing`);
  if (isReject(url)) return url;
  if (isReject(referrer)) return referrer;
  if (isReject(kind)) return kind;
  const { name, props, interactive } = kind;
  if (extra === undefined) return { name, at, url, referrer, props, interactive };
  const more = decodeExtra(extra, name, field);
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
