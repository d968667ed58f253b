/** Packs the rows of one chunk into records: by lane, so that a visitor stays on one shard, and by sender, so that each is looked up once. */
import { LIMITS, MAX_SKEW_MS, type Reject, WEB_VITALS } from "../../model/event.ts";
import { DAY_MS, type EpochMs } from "../../model/time.ts";
import { identifier, isReject, referrerText } from "../decode/checks.ts";
import {
  decodeExtra,
  decodeKind,
  EARLIEST_MS,
  type ImportExtra,
  type ImportKind,
  type ImportPost,
  type ImportWire,
} from "../decode/imported.ts";
import { pageUrl } from "../decode/url.ts";
import { agentParser } from "../enrich/agent.ts";
import { hash53 } from "../hash.ts";
import type { ImportRow } from "./row.ts";

export interface ImportRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

/** Below Kinesis' 1 MiB with its key. */
const MAX_RECORD_BYTES = 900_000;
/**
 * Of what an event is, and of all else that a row says of it: with the longest URL that is read, one event fits a record
 * though JSON writes six bytes for a character.
 */
const MAX_ROW_CHARS = 60_000;
/** Rows in a chunk, and days since 1970, stay below: their product with rows again is a whole number below 2^53. */
const MAX_ROWS = 2 ** 18;
const MAX_DAYS = 2 ** 16;
/** Different values checked before the memory of them is begun anew. */
const MAX_KNOWN = 20_000;

interface Sender {
  readonly row: ImportRow;
  readonly rows: ImportRow[];
  readonly kind: "counted" | "bot";
}

export interface PackSettings {
  readonly site: string;
  readonly lanes: number;
  /** Tools and libraries count as visitors. */
  readonly libraries: boolean;
}

/** Checks and packs rows, a chunk at a time. Remembers what it has checked from chunk to chunk. */
export class Packer {
  readonly #settings: PackSettings;
  readonly #parseAgent = agentParser({ maxEntries: 10_000 });
  readonly #urls = new Map<string, Reject | undefined>();
  readonly #kinds = new WeakMap<ImportKind, Reject | "fine">();
  /** In the order of their coming. */
  #senders = new Map<number, Sender>();
  readonly #people = new Numbered<string>();
  readonly #agents = new Numbered<string>();

  constructor(settings: PackSettings) {
    this.#settings = settings;
  }

  /** Takes a row; answers whether a robot sent it, or why it cannot be counted. */
  add(row: ImportRow, now: EpochMs): "counted" | "bot" | Reject {
    const problem = this.#problemOf(row, now);
    if (problem) return problem;
    const key = this.#keyOf(row);
    const known = this.#senders.get(key);
    if (known) {
      known.rows.push(row);
      return known.kind;
    }
    const stranger = senderProblem(row);
    if (stranger) return stranger;
    const { bot, library } = this.#parseAgent(row.agent);
    const kind = bot && !(library && this.#settings.libraries) ? "bot" : "counted";
    this.#senders.set(key, { row, rows: [row], kind });
    return kind;
  }

  /** A number for each sender of a post. */
  #keyOf({ at, visitor, ip, agent, country }: ImportRow): number {
    const isPlain = visitor === undefined && country === undefined;
    const person = this.#people.of(isPlain ? ip : `${visitor ?? ""}\u0000${ip}\u0000${country ?? ""}`);
    // A cookieless visitor has another id each day, so a post holds one day.
    const day = visitor ? 0 : Math.floor(at / DAY_MS);
    return (person * MAX_ROWS + this.#agents.of(agent)) * MAX_DAYS + day;
  }

  #problemOf(row: ImportRow, now: EpochMs): Reject | undefined {
    const { at, url, referrer, kind, extra } = row;
    if (!(at >= EARLIEST_MS))
      return { reason: "malformed", message: "time: before 2001-09-09, which windows cannot name" };
    if (at > now + MAX_SKEW_MS) return { reason: "from_future", message: "time: still to come" };
    if (charsOf(row) > MAX_ROW_CHARS) return TOO_LONG;
    if (!this.#urls.has(url)) {
      if (this.#urls.size >= MAX_KNOWN) this.#urls.clear();
      const page = pageUrl(url, "url");
      this.#urls.set(url, isReject(page) ? page : undefined);
    }
    const badUrl = this.#urls.get(url);
    if (badUrl) return badUrl;
    if (typeof referrer !== "string" || referrer.length > LIMITS.urlChars) {
      const cut = referrerText(referrer, "referrer");
      if (isReject(cut)) return cut;
    }
    const known = this.#kinds.get(kind);
    if (known === undefined) {
      if (lengthOf(kind) > MAX_ROW_CHARS) return TOO_LONG;
      const decoded = decodeKind(kind, 0);
      this.#kinds.set(kind, isReject(decoded) ? renamed(decoded) : "fine");
      if (isReject(decoded)) return renamed(decoded);
    } else if (known !== "fine") return known;
    // Elsewhere the name of an ordinary event; here of a report, which counts its measurements and nothing else.
    if (kind.n === WEB_VITALS && extra?.m === undefined)
      return { reason: "invalid_name", message: `name: ${WEB_VITALS} without measurements is no event` };
    if (extra) {
      const more = decodeExtra(extra, kind.n, "event");
      if (isReject(more)) return more;
    }
    return undefined;
  }

  /** The records of all rows since the last call; `id` names the chunk. Equal rows and id give equal records. */
  pack(id: string): ImportRecord[] {
    const lanes = new Map<number, Sender[]>();
    for (const sender of this.#senders.values()) {
      const { visitor, ip, agent } = sender.row;
      // Of the visitor alone, so that a visit over midnight stays where it is.
      const lane =
        this.#settings.lanes === 1
          ? 0
          : hash53(visitor ? `v${visitor}` : `${ip}|${agent}`) % this.#settings.lanes;
      const senders = lanes.get(lane) ?? [];
      if (senders.length === 0) lanes.set(lane, senders);
      senders.push(sender);
    }
    this.#senders = new Map();
    this.#people.clear();
    this.#agents.clear();
    return [...lanes]
      .sort(([a], [b]) => a - b)
      .flatMap(([lane, senders]) =>
        this.#encode(`${id}/${lane}`, senders).map((data) => ({ partitionKey: `import-${lane}`, data })),
      );
  }

  #encode(id: string, senders: readonly Sender[]): Uint8Array[] {
    const data = new TextEncoder().encode(JSON.stringify(this.#wire(id, senders)));
    if (data.length <= MAX_RECORD_BYTES) return [data];
    const [first, second] = halves(senders);
    return [...this.#encode(`${id}a`, first), ...this.#encode(`${id}b`, second)];
  }

  #wire(id: string, senders: readonly Sender[]): ImportWire {
    const urls = new Numbered<string>();
    const referrers = new Numbered<string>();
    const agents = new Numbered<string>();
    const kinds = new Numbered<ImportKind>();
    const posts = senders.map(({ row, rows }): ImportPost => {
      const sorted = byTime(rows);
      const at = sorted[0]!.at;
      const e: number[] = [];
      let x: Record<string, ImportExtra> | undefined;
      for (let i = 0; i < sorted.length; i++) {
        const { at: time, url, referrer, kind, extra } = sorted[i]!;
        e.push(time - at, urls.of(url), referrers.of(referrer), kinds.of(kind));
        if (extra) {
          x ??= {};
          x[i] = extra;
        }
      }
      return {
        ip: row.ip,
        a: agents.of(row.agent),
        ...(row.visitor && { v: row.visitor }),
        ...(row.country && { c: row.country }),
        ...(row.language && { l: row.language }),
        ...(row.width && { w: row.width }),
        at,
        e,
        ...(x && { x }),
      };
    });
    return {
      import: 1,
      site: this.#settings.site,
      id,
      libraries: this.#settings.libraries,
      urls: urls.values,
      referrers: referrers.values,
      agents: agents.values,
      kinds: kinds.values,
      posts,
    };
  }
}

const TOO_LONG: Reject = { reason: "too_large", message: `row: over ${MAX_ROW_CHARS} characters` };

/** What a row says besides its URL and what the event is; whoever sent it is checked apart. */
const charsOf = ({ agent, referrer, country, language, width, extra }: ImportRow): number =>
  lengthOf(agent) +
  lengthOf(referrer) +
  lengthOf(country) +
  lengthOf(language) +
  lengthOf(width) +
  lengthOf(extra);

/** Files of our own batches may hold anything anywhere, also what is nested more deeply than the stack. */
function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  try {
    return typeof value === "object" && value !== null ? JSON.stringify(value).length : 0;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Of what all rows of a sender share. */
function senderProblem({ ip, visitor }: ImportRow): Reject | undefined {
  const who = identifier(visitor, "visitor", LIMITS.idChars);
  if (isReject(who)) return who;
  const address = identifier(ip, "ip", 100);
  return isReject(address) ? address : undefined;
}

/** Most files are in order. */
function byTime(rows: readonly ImportRow[]): readonly ImportRow[] {
  for (let i = 1; i < rows.length; i++)
    if (rows[i]!.at < rows[i - 1]!.at) return rows.toSorted((a, b) => a.at - b.at);
  return rows;
}

/** Checks speak of `kinds[0].p`; the file's owner knows it as the event. */
const renamed = ({ reason, message }: Reject): Reject => ({
  reason,
  message: message.replace("kinds[0]", "event"),
});

/** Gives values numbers in the order in which they first come. */
class Numbered<T> {
  readonly values: T[] = [];
  readonly #numbers = new Map<T, number>();

  of(value: T): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.values.push(value) - 1;
      this.#numbers.set(value, number);
    }
    return number;
  }

  clear(): void {
    this.values.length = 0;
    this.#numbers.clear();
  }
}

/** Two halves of what is to be sent; one sender's rows are parted where there is only one. */
function halves(senders: readonly Sender[]): [Sender[], Sender[]] {
  const [only] = senders;
  if (senders.length === 1 && only) {
    const middle = Math.ceil(only.rows.length / 2);
    const sorted = byTime(only.rows);
    return [[{ ...only, rows: sorted.slice(0, middle) }], [{ ...only, rows: sorted.slice(middle) }]];
  }
  const middle = Math.ceil(senders.length / 2);
  return [senders.slice(0, middle), senders.slice(middle)];
}
