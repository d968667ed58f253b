/**
 * The short way through the decoder: a record as the gateway and the collectors write it, read byte by byte, without the
 * texts and objects that JSON.parse would make of all of it. It knows the usual form only. Whatever it does not expect, and
 * whatever would be refused, it leaves to the plain decoder (envelope.ts, rivulet.ts), whose checks it shares; a test holds
 * the two to the same results.
 */
import type { Envelope } from "../../model/envelope.ts";
import {
  type Batch,
  type ClickEvent,
  ENGAGEMENT,
  isReport,
  LIMITS,
  type PageUrl,
  type Reject,
  type Revenue,
  WEB_VITALS,
} from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { base64Header } from "./base64.ts";
import { CLOSE, CLOSE_LIST, COLON, COMMA, decodeBase64, JsonBytes, OPEN, OPEN_LIST } from "./bytes.ts";
import {
  eventName,
  eventTime,
  identifier,
  isReject,
  type Json,
  languageTag,
  parseJson,
  properties,
  referrerText,
  screenPixels,
  vitals,
} from "./checks.ts";
import { isEnvelopeTime } from "./envelope.ts";
import { Interned } from "./interned.ts";
import { revenue } from "./revenue.ts";
import { decodeEngagement, droppedEvents } from "./rivulet.ts";
import { pageUrl } from "./url.ts";

/** What is needed of an envelope once its body is decoded. */
export type Edge = Pick<Envelope, "id" | "at" | "ip" | "country" | "trace64">;

export interface Scanned {
  readonly envelope: Edge;
  readonly agentText: string;
  readonly batch: Batch;
}

/** The record's one batch, of events alone; undefined for every record that is not quite usual. */
export const scanRecord = (data: Uint8Array, arrivedAt: EpochMs): Scanned | undefined =>
  scanner.scan(data, arrivedAt);

/** What the checks pass; undefined for what they refuse. */
const passed = <T>(checked: T | Reject): T | undefined => (isReject(checked) ? undefined : (checked as T));

const sites = new Interned((text) => passed(identifier(text, "", LIMITS.siteChars)) || undefined);
const agents = new Interned(base64Header);
const texts = new Interned((text) => text);
const languages = new Interned(languageTag);
const names = new Interned((text) => passed(eventName(text, "")));
/** Of these a site has by far the most. */
const PAGE_SETS = 4_096;
const urls = new Interned<PageUrl>((text) => passed(pageUrl(text, "")), PAGE_SETS);
const referrers = new Interned((text) => passed(referrerText(text, "")), PAGE_SETS);
/** Of the text of an object. */
const read = <T>(check: (raw: Json) => T | Reject) =>
  new Interned<T>((text) => {
    const raw = parseJson(text);
    return raw === undefined ? undefined : passed(check(raw));
  });
const props = read((raw) => properties(raw, "", "reject"));
const revenues = read((raw) => revenue(raw, ""));

const NO_PROPS: ClickEvent["props"] = [];

/** What the keys of an event said, or of the context that its batch shares. Used again and again. */
class Keys {
  name: string | undefined;
  at: EpochMs | undefined;
  url: PageUrl | undefined;
  referrer: string | undefined;
  props = NO_PROPS;
  revenue: Revenue | undefined;
  interactive: boolean | undefined;
  engagedMs: number | undefined;
  scrollDepth: number | undefined;
  vitals: Json;
  width: number | undefined;
  language = "";

  clear(): void {
    this.name = this.url = this.referrer = this.revenue = this.interactive = this.vitals = undefined;
    this.at = this.engagedMs = this.scrollDepth = this.width = undefined;
    this.props = NO_PROPS;
    this.language = "";
  }
}

/** Keys of one or two characters, as JsonBytes.key() gives them. */
const keyOf = (name: string): number => (name.charCodeAt(1) || 0) * 256 + name.charCodeAt(0);
const [B, C, D, E, H, I, K, L, M, N, P, R, S, T, U, V, W, Z] = [..."bcdehiklmnprstuvwz"].map(keyOf);
const [MONEY, MS, SD] = ["$", "ms", "sd"].map(keyOf);

class RecordScanner {
  readonly #json = new JsonBytes();
  #body = new Uint8Array(16 * 1024);
  #bodyBytes = -1;
  #at = -1;
  #id: string | undefined;
  #ip: string | undefined;
  #country: string | undefined;
  #trace64: string | undefined;
  #agentText: string | undefined;
  #site: string | undefined;
  #batchId: string | undefined;
  #visitor: string | undefined;
  #sentAt: EpochMs | undefined;
  #dropped: number | undefined;
  readonly #context = new Keys();
  readonly #events: Keys[] = [];
  #eventCount = 0;

  scan(data: Uint8Array, arrivedAt: EpochMs): Scanned | undefined {
    this.#json.open(data, data.length);
    if (!this.#scanEnvelope() || !isEnvelopeTime(this.#at, arrivedAt)) return undefined;
    this.#json.open(this.#body, this.#bodyBytes);
    if (!this.#scanBody()) return undefined;
    const at = Math.floor(this.#at);
    const batch = this.#batch(at);
    const id = this.#id;
    const ip = this.#ip;
    const country = this.#country;
    const trace64 = this.#trace64;
    const agentText = this.#agentText;
    // Undefined: a text of which nothing could be made.
    if (!batch || id === undefined || ip === undefined || country === undefined) return undefined;
    if (trace64 === undefined || agentText === undefined) return undefined;
    return { envelope: { id, at, ip, country, trace64 }, agentText, batch };
  }

  /** Keeps what an envelope says, and decodes the body in it. */
  #scanEnvelope(): boolean {
    const json = this.#json;
    this.#id = this.#ip = this.#country = this.#trace64 = this.#agentText = "";
    this.#at = this.#bodyBytes = -1;
    let isRivulet = false;
    if (!json.take(OPEN)) return false;
    do {
      if (!json.text() || !json.take(COLON)) return false;
      if (json.is("at")) {
        this.#at = json.number();
        if (this.#at < 0) return false;
      } else if (json.is("route")) {
        if (!json.text()) return false;
        isRivulet = json.is("/v1/events");
      } else if (json.is("id")) {
        if (!json.text()) return false;
        this.#id = json.ascii();
      } else if (json.is("ip")) {
        if (!json.text()) return false;
        this.#ip = json.ascii();
      } else if (json.is("ua64")) {
        if (!json.text()) return false;
        this.#agentText = json.interned(agents);
      } else if (json.is("country")) {
        if (!json.text()) return false;
        this.#country = json.interned(texts);
      } else if (json.is("trace64")) {
        if (!json.text()) return false;
        this.#trace64 = json.ascii();
      } else if (json.is("origin64")) {
        // Nothing looks at it; but what is no UTF-8 refuses the record.
        if (!json.text() || json.interned(texts) === undefined) return false;
      } else if (json.is("body64")) {
        if (!json.blindText()) return false;
        this.#bodyBytes = this.#decodeBody();
      } else return false;
    } while (json.take(COMMA));
    return json.take(CLOSE) && json.isDone && isRivulet && this.#bodyBytes > 0;
  }

  #decodeBody(): number {
    const { bytes, from, to } = this.#json;
    const room = ((to - from) / 4) * 3;
    if (room > LIMITS.bodyBytes) return -1;
    if (room > this.#body.length) this.#body = new Uint8Array(LIMITS.bodyBytes);
    return decodeBase64(bytes, from, to, this.#body);
  }

  #scanBody(): boolean {
    const json = this.#json;
    this.#site = this.#sentAt = this.#dropped = undefined;
    this.#batchId = this.#visitor = "";
    this.#context.clear();
    this.#eventCount = 0;
    if (!json.take(OPEN)) return false;
    do {
      switch (json.key()) {
        case S:
          if (!json.text()) return false;
          this.#site = json.interned(sites);
          break;
        case B:
          if (!json.text()) return false;
          this.#batchId = json.ascii();
          break;
        case V:
          if (!json.text()) return false;
          this.#visitor = json.ascii();
          break;
        case T:
          this.#sentAt = json.number();
          if (this.#sentAt < 0) return false;
          break;
        case D:
          this.#dropped = json.number();
          if (this.#dropped < 0) return false;
          break;
        case K:
          if (json.number() < 0) return false;
          break;
        case C:
          if (!this.#scanKeys(this.#context)) return false;
          break;
        case E:
          if (!this.#scanEvents()) return false;
          break;
        default:
          return false;
      }
    } while (json.take(COMMA));
    return json.take(CLOSE) && json.isDone;
  }

  #scanEvents(): boolean {
    const json = this.#json;
    this.#eventCount = 0;
    if (!json.take(OPEN_LIST)) return false;
    do {
      if (this.#eventCount === this.#events.length) this.#events.push(new Keys());
      if (!this.#scanKeys(this.#events[this.#eventCount++]!)) return false;
    } while (json.take(COMMA));
    return json.take(CLOSE_LIST) && this.#eventCount <= LIMITS.eventsPerBatch;
  }

  #scanKeys(keys: Keys): boolean {
    const json = this.#json;
    keys.clear();
    if (!json.take(OPEN)) return false;
    do {
      switch (json.key()) {
        case N:
          keys.name = json.text() ? json.interned(names) : undefined;
          if (keys.name === undefined) return false;
          break;
        case T:
          keys.at = json.number();
          if (keys.at < 0) return false;
          break;
        case U:
          keys.url = json.text() ? json.interned(urls) : undefined;
          if (keys.url === undefined) return false;
          break;
        case R:
          keys.referrer = json.text() ? json.interned(referrers) : undefined;
          if (keys.referrer === undefined) return false;
          break;
        case P: {
          const made = json.object() ? json.interned(props) : undefined;
          if (made === undefined) return false;
          keys.props = made;
          break;
        }
        case MONEY:
          keys.revenue = json.object() ? json.interned(revenues) : undefined;
          if (keys.revenue === undefined) return false;
          break;
        case I:
          keys.interactive = json.boolean();
          if (keys.interactive === undefined) return false;
          break;
        case MS:
          keys.engagedMs = json.number();
          if (keys.engagedMs < 0) return false;
          break;
        case SD:
          keys.scrollDepth = json.number();
          if (keys.scrollDepth < 0) return false;
          break;
        case M:
          keys.vitals = json.object() ? parseJson(json.ascii() ?? "") : undefined;
          if (keys.vitals === undefined) return false;
          break;
        case W:
          keys.width = json.number();
          if (keys.width < 0) return false;
          break;
        case H:
          if (json.number() < 0) return false;
          break;
        case L: {
          const made = json.text() ? json.interned(languages) : undefined;
          if (made === undefined) return false;
          keys.language = made;
          break;
        }
        case Z: // as origin64
          if (!json.text() || json.interned(texts) === undefined) return false;
          break;
        default:
          return false;
      }
    } while (json.take(COMMA));
    return json.take(CLOSE);
  }

  #batch(receivedAt: EpochMs): Batch | undefined {
    const context = this.#context;
    const site = this.#site;
    const id = identifier(this.#batchId, "", LIMITS.idChars);
    const visitor = identifier(this.#visitor, "", LIMITS.idChars);
    if (this.#batchId === undefined || this.#visitor === undefined) return undefined;
    if (!site || isReject(id) || isReject(visitor) || this.#eventCount === 0) return undefined;
    const events: ClickEvent[] = [];
    for (let i = 0; i < this.#eventCount; i++) {
      const event = this.#event(this.#events[i]!, receivedAt);
      if (!event) return undefined;
      events.push(event);
    }
    const screenWidth = screenPixels(context.width);
    const dropped = droppedEvents(this.#dropped);
    const batch = { site, id, visitor, screenWidth, language: context.language, events, rejects: NO_REJECTS };
    return dropped > 0 ? { ...batch, dropped } : batch;
  }

  #event(keys: Keys, receivedAt: EpochMs): ClickEvent | undefined {
    const { name, props } = keys;
    const at = eventTime(wholeMs(keys.at), wholeMs(this.#sentAt), receivedAt, "");
    const url = keys.url ?? this.#context.url;
    if (name === undefined || url === undefined || isReject(at)) return undefined;
    const event: { -readonly [Key in keyof ClickEvent]: ClickEvent[Key] } = {
      name,
      at,
      url,
      referrer: keys.referrer ?? this.#context.referrer ?? "",
      props,
      interactive: (keys.interactive ?? true) && !isReport(name),
    };
    if (keys.revenue !== undefined) event.revenue = keys.revenue;
    if (name === ENGAGEMENT) {
      const engagement = decodeEngagement({ ms: keys.engagedMs, sd: keys.scrollDepth }, "");
      if (isReject(engagement)) return undefined;
      if (engagement.engagedMs !== undefined) event.engagedMs = engagement.engagedMs;
      if (engagement.scrollDepth !== undefined) event.scrollDepth = engagement.scrollDepth;
    } else if (name === WEB_VITALS) {
      const measured = vitals(keys.vitals, "");
      if (isReject(measured)) return undefined;
      event.vitals = measured;
    }
    return event;
  }
}

const NO_REJECTS: Batch["rejects"] = [];

/** Client times may have fractions. */
const wholeMs = (at: EpochMs | undefined): EpochMs | undefined =>
  at === undefined ? undefined : Math.floor(at);

const scanner = new RecordScanner();
