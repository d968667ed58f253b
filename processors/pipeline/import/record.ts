/** Packs the rows of one chunk into records: by lane, so that a visitor stays on one shard, and by sender, so that each is looked up once. */
import type { Reject } from "../../model/event.ts";
import { DAY_MS, type EpochMs } from "../../model/time.ts";
import {
  type ImportExtra,
  type ImportKind,
  type ImportPost,
  type ImportWire,
  NUMBERS_PER_EVENT,
} from "../decode/imported.ts";
import { agentParser } from "../enrich/agent.ts";
import { hash53 } from "../hash.ts";
import type { ImportRow } from "./row.ts";
import { RowNumbers } from "./rownumbers.ts";
import {
  extraProblem,
  kindProblem,
  lengthProblem,
  referrerProblem,
  senderProblem,
  timeProblem,
  urlProblem,
} from "./rowproblems.ts";

export interface ImportRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

/** Below Kinesis' 1 MiB with its key. */
const MAX_RECORD_BYTES = 900_000;
/** Rows in a chunk, and days since 1970, stay below: their product with rows again is a whole number below 2^53. */
const MAX_ROWS = 2 ** 18;
const MAX_DAYS = 2 ** 16;
/** Different values checked before the memory of them is begun anew. */
const MAX_KNOWN = 20_000;

interface Sender {
  /** Its first. */
  readonly row: ImportRow;
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
  readonly #urls = new Numbered<string>();
  /** By number of the URL: what is wrong with it. */
  readonly #urlProblems: (Reject | undefined)[] = [];
  readonly #referrers = new Numbered<string>();
  readonly #kinds = new Numbered<ImportKind>();
  readonly #kindProblems: (Reject | undefined)[] = [];
  readonly #people = new Numbered<string>();
  readonly #agents = new Numbered<string>();
  /** In the order of their coming, and the number of each by its key. */
  readonly #senders: Sender[] = [];
  readonly #senderNumbers = new Map<number, number>();
  readonly #rows = new RowNumbers();
  /** By number of the row: what few say. */
  readonly #extras = new Map<number, ImportExtra>();

  constructor(settings: PackSettings) {
    this.#settings = settings;
  }

  /** Takes a row; answers whether a robot sent it, or why it cannot be counted. */
  add(row: ImportRow, now: EpochMs): "counted" | "bot" | Reject {
    const { at, url, referrer, kind, extra } = row;
    const early = timeProblem(at, now) ?? lengthProblem(row);
    if (early) return early;
    const urlNumber = this.#urlNumber(url);
    const badUrl = this.#urlProblems[urlNumber];
    if (badUrl) return badUrl;
    const badReferrer = referrerProblem(referrer);
    if (badReferrer) return badReferrer;
    const kindNumber = this.#kindNumber(kind);
    const badKind = this.#kindProblems[kindNumber] ?? extraProblem(row);
    if (badKind) return badKind;
    const sender = this.#senderOf(row);
    if (typeof sender !== "number") return sender;
    if (extra) this.#extras.set(this.#rows.length, extra);
    this.#rows.push({ sender, at, url: urlNumber, referrer: this.#referrers.of(referrer), kind: kindNumber });
    return this.#senders[sender]!.kind;
  }

  #urlNumber(url: string): number {
    const { size } = this.#urls;
    const number = this.#urls.of(url);
    if (number === size) this.#urlProblems.push(urlProblem(url));
    return number;
  }

  #kindNumber(kind: ImportKind): number {
    const { size } = this.#kinds;
    const number = this.#kinds.of(kind);
    if (number === size) this.#kindProblems.push(kindProblem(kind));
    return number;
  }

  /** The number of whoever sent the row, or why that cannot be said. */
  #senderOf(row: ImportRow): number | Reject {
    const key = this.#keyOf(row);
    const known = this.#senderNumbers.get(key);
    if (known !== undefined) return known;
    const problem = senderProblem(row);
    if (problem) return problem;
    const { bot, library } = this.#parseAgent(row.agent);
    const kind = bot && !(library && this.#settings.libraries) ? "bot" : "counted";
    const number = this.#senders.push({ row, kind }) - 1;
    this.#senderNumbers.set(key, number);
    return number;
  }

  /** A number for each sender of a post. */
  #keyOf({ at, visitor, ip, agent, country }: ImportRow): number {
    const isPlain = visitor === undefined && country === undefined;
    const person = this.#people.of(isPlain ? ip : `${visitor ?? ""}\u0000${ip}\u0000${country ?? ""}`);
    // A cookieless visitor has another id each day, so a post holds one day.
    const day = visitor ? 0 : Math.floor(at / DAY_MS);
    return (person * MAX_ROWS + this.#agents.of(agent)) * MAX_DAYS + day;
  }

  /** The records of all rows since the last call; `id` names the chunk. Equal rows and id give equal records. */
  pack(id: string): ImportRecord[] {
    const lanes = new Map<number, Post[]>();
    const { order, ends } = this.#rows.bySender(this.#senders.length);
    for (const [number, sender] of this.#senders.entries()) {
      const { visitor, ip, agent } = sender.row;
      // Of the visitor alone, so that a visit over midnight stays where it is.
      const lane =
        this.#settings.lanes === 1
          ? 0
          : hash53(visitor ? `v${visitor}` : `${ip}|${agent}`) % this.#settings.lanes;
      const posts = lanes.get(lane) ?? [];
      if (posts.length === 0) lanes.set(lane, posts);
      posts.push({ sender, rows: this.#rows.byTime(order.subarray(ends[number - 1] ?? 0, ends[number])) });
    }
    const records = [...lanes]
      .sort(([a], [b]) => a - b)
      .flatMap(([lane, posts]) =>
        this.#encode(`${id}/${lane}`, posts).map((data) => ({ partitionKey: `import-${lane}`, data })),
      );
    this.#forget();
    return records;
  }

  /** All that is of one chunk, and what has become much. */
  #forget(): void {
    this.#senders.length = 0;
    this.#senderNumbers.clear();
    this.#people.clear();
    this.#agents.clear();
    this.#rows.clear();
    this.#extras.clear();
    // Of a log a handful, and of a file that says more of each event an object for each.
    this.#kinds.clear();
    this.#kindProblems.length = 0;
    if (this.#referrers.size > MAX_KNOWN) this.#referrers.clear();
    if (this.#urls.size > MAX_KNOWN) {
      this.#urls.clear();
      this.#urlProblems.length = 0;
    }
  }

  #encode(id: string, posts: readonly Post[]): Uint8Array[] {
    const data = new TextEncoder().encode(JSON.stringify(this.#wire(id, posts)));
    if (data.length <= MAX_RECORD_BYTES) return [data];
    const [first, second] = halves(posts);
    return [...this.#encode(`${id}a`, first), ...this.#encode(`${id}b`, second)];
  }

  #wire(id: string, posts: readonly Post[]): ImportWire {
    const urls = new Renumbered(this.#urls.values);
    const referrers = new Renumbered(this.#referrers.values);
    const kinds = new Renumbered(this.#kinds.values);
    const agents = new Numbered<string>();
    const written = posts.map(({ sender: { row }, rows }): ImportPost => {
      const at = this.#rows.at(rows[0]!);
      let x: Record<string, ImportExtra> | undefined;
      // As long as it becomes: an array that grows takes room for seventeen at its first.
      const e = new Array<number>(rows.length * NUMBERS_PER_EVENT);
      let length = 0;
      for (let i = 0; i < rows.length; i++) {
        const number = rows[i]!;
        e[length++] = this.#rows.at(number) - at;
        e[length++] = urls.of(this.#rows.url(number));
        e[length++] = referrers.of(this.#rows.referrer(number));
        e[length++] = kinds.of(this.#rows.kind(number));
        const extra = this.#extras.get(number);
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
      posts: written,
    };
  }
}

/** What is written of one sender: the numbers of its rows, earliest first. */
interface Post {
  readonly sender: Sender;
  readonly rows: Uint32Array;
}

/** Two halves of what is to be sent; one sender's rows are parted where there is only one. */
function halves(posts: readonly Post[]): [Post[], Post[]] {
  const [only] = posts;
  if (posts.length === 1 && only) {
    const middle = Math.ceil(only.rows.length / 2);
    return [
      [{ ...only, rows: only.rows.subarray(0, middle) }],
      [{ ...only, rows: only.rows.subarray(middle) }],
    ];
  }
  const middle = Math.ceil(posts.length / 2);
  return [posts.slice(0, middle), posts.slice(middle)];
}

/** Gives values numbers in the order in which they first come. */
class Numbered<T> {
  readonly values: T[] = [];
  readonly #numbers = new Map<T, number>();

  get size(): number {
    return this.values.length;
  }

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

/** Some of many numbered values, numbered again in the order in which they are asked for. */
class Renumbered<T> {
  readonly values: T[] = [];
  readonly #all: readonly T[];
  /** By number of before: the number + 1, 0 where nobody has asked. */
  readonly #numbers: Uint32Array;

  constructor(all: readonly T[]) {
    this.#all = all;
    this.#numbers = new Uint32Array(all.length);
  }

  of(before: number): number {
    if (this.#numbers[before] === 0) this.#numbers[before] = this.values.push(this.#all[before]!);
    return this.#numbers[before]! - 1;
  }
}
