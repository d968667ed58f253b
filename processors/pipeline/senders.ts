/** By whom batches are counted, and what is known of them: the visitors of a state as one fold sees and changes them. */
import type { Batch, ClickEvent } from "../model/event.ts";
import type { EpochMs } from "../model/time.ts";
import type { LatestByDay } from "./midnight.ts";
import {
  isRemembered,
  isRememberedInPast,
  newVisitor,
  type PastVisitors,
  SESSION_GAP_MS,
  type Session,
  type ShardState,
  VISITOR_BYTES,
  type VisitorState,
  visitorBytes,
} from "./state.ts";
import { cookielessId, dayOf, type KeyedHash, type Salts, storedId } from "./visitor.ts";

/** By whom a batch is counted: what the state knows them by, their pseudonym, and what is remembered of them. */
export interface Sender {
  readonly key: string;
  readonly id: string;
  readonly known: VisitorState | undefined;
}

/** What a batch says of its sender beside its own id. */
export interface Whence {
  readonly at: EpochMs;
  readonly ip: string;
  readonly agentText: string;
  readonly isPast: boolean;
}

type IsRemembered = (visitor: VisitorState, ordinal: number, receivedAt: EpochMs) => boolean;

/** Visitors with the number of their newest batch. Changing one changes a copy: the state's stay as they are. */
export class Touched {
  /** Those changed so far; last touched, last in the map. */
  readonly visitors = new Map<string, VisitorState>();
  ordinal: number;
  readonly #before: ReadonlyMap<string, VisitorState>;
  readonly #isRemembered: IsRemembered;

  constructor({ ordinal, visitors }: PastVisitors, rule: IsRemembered) {
    this.ordinal = ordinal;
    this.#before = visitors;
    this.#isRemembered = rule;
  }

  /** The same rule for what this fold touched as for what was there before: portions of records must not show. */
  visible(key: string, receivedAt: EpochMs): VisitorState | undefined {
    const visitor = this.visitors.get(key) ?? this.#before.get(key);
    return visitor && this.#isRemembered(visitor, this.ordinal, receivedAt) ? visitor : undefined;
  }

  /** The visitor as the newest batch may change them, but for the visits that are still the state's: these stay as they are. */
  touch(
    { key, known }: Sender,
    receivedAt: EpochMs,
  ): { readonly visitor: VisitorState; readonly shared: readonly Session[] | undefined } {
    const touched = this.visitors.get(key);
    if (touched) this.visitors.delete(key);
    const isOurs = known !== undefined && known === touched;
    const visitor = isOurs ? known : known ? { ...known } : newVisitor();
    this.visitors.set(key, visitor);
    visitor.ordinal = this.ordinal;
    visitor.receivedAt = Math.max(visitor.receivedAt, receivedAt);
    return { visitor, shared: (isOurs ? this.#before.get(key) : known)?.sessions };
  }

  /** Call when the newest batch has changed the visitor: a heavy one counts as several batches. */
  weigh(visitor: VisitorState): void {
    this.ordinal += Math.floor(visitorBytes(visitor) / VISITOR_BYTES);
  }
}

export class Senders {
  readonly present: Touched;
  /** Of imported history. */
  readonly past: Touched;
  readonly #hash: KeyedHash;
  readonly #salts: Salts;
  readonly #latest: LatestByDay | undefined;

  /** `latest`: what `base` and all that was folded since it was read say of midnights; without it the same comes out. */
  constructor(hash: KeyedHash, base: ShardState, salts: Salts, latest: LatestByDay | undefined) {
    this.present = new Touched(base, isRemembered);
    this.past = new Touched(base.past, isRememberedInPast);
    this.#hash = hash;
    this.#salts = salts;
    this.#latest = latest;
  }

  /** Today's id, or yesterday's as long as the visit that began before midnight goes on; and what is known of the visitor. */
  of(batch: Batch, whence: Whence, events: readonly ClickEvent[]): Sender {
    const { at, ip, agentText } = whence;
    if (batch.visitor !== "")
      return this.#find(storedId(this.#hash, this.#salts.identity, batch.site, batch.visitor), batch, whence);
    const day = dayOf(at);
    const idOf = (salt: Uint8Array): string => cookielessId(this.#hash, salt, batch.site, ip, agentText);
    const today = this.#find(idOf(this.#salts.of(day)), batch, whence);
    const goesOnFrom = events[0]!.at - SESSION_GAP_MS;
    if (!today.known && !(this.#latest && this.#latest.of(day - 1) < goesOnFrom)) {
      const before = this.#find(idOf(this.#salts.of(day - 1)), batch, whence);
      if (before.known?.sessions.some(({ last }) => last >= goesOnFrom)) {
        this.#latest?.saw(day - 1, events.at(-1)!.at);
        return before;
      }
    }
    this.#latest?.saw(day, events.at(-1)!.at);
    return today;
  }

  #find(id: string, { site }: Batch, { isPast, at }: Whence): Sender {
    const key = `${site}\u0000${id}`;
    return { key, id, known: (isPast ? this.past : this.present).visible(key, at) };
  }
}
