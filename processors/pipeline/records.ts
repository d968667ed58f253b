/**
 * What some records of a shard do to its state and to the rollups, worked out without changing either: a worker may
 * throw the result away and fold again, in other portions or on a newer state.
 */
import { invariant } from "../errors.ts";
import type { Envelope } from "../model/envelope.ts";
import type { Batch, ClickEvent, Reject, RejectReason } from "../model/event.ts";
import { ALLOWED_LATENESS_MS, type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import { compareSequences, type StreamRecord } from "../streams/stream.ts";
import { encodeCommit } from "./commit.ts";
import { base64Header } from "./decode/base64.ts";
import { decodeBatches } from "./decode/decode.ts";
import { decodeEnvelope } from "./decode/envelope.ts";
import { type Agent, agentParser } from "./enrich/agent.ts";
import { countryOf, visitAttributes } from "./enrich/visit.ts";
import { foldEvent, Partial } from "./fold.ts";
import { hash53 } from "./hash.ts";
import {
  type Counters,
  cloneVisitor,
  isRemembered,
  MAX_BATCH_IDS,
  newVisitor,
  SESSION_GAP_MS,
  type ShardState,
  type StateChange,
  VISITOR_BYTES,
  type VisitorState,
  visitorBytes,
} from "./state.ts";
import { cookielessId, dayOf, type KeyedHash, type Salts, storedId } from "./visitor.ts";

/** What folding needs beyond the records themselves. */
export interface FoldDeps {
  readonly hash: KeyedHash;
  /** ISO 3166-1 alpha-2 of an address, "" when unknown; asked only where the edge did not say. */
  readonly country: (ip: string) => string;
  /** Events whose minute ended longer than this before they were received are late: counted, and reported as late. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
}

/** Shared by all workers of a process: it only remembers what a pure function said. */
const parseAgent = agentParser({ maxEntries: 10_000 });

export interface Decoded {
  readonly record: StreamRecord;
  readonly envelope: Envelope | undefined;
  readonly agentText: string;
  readonly batches: readonly Batch[];
  readonly reject: Reject | undefined;
}

/** The effect of some records on a state, not yet applied to it. */
export class RecordFold {
  readonly #deps: FoldDeps;
  readonly #base: ShardState;
  readonly #salts: Salts;
  readonly #partials = new Map<string, Partial>();
  readonly #visitors = new Map<string, VisitorState>();
  readonly #batchIds = new Set<number>();
  readonly #counters: Counters;
  #ordinal: number;
  #watermark: EpochMs;
  #to: string;
  #arrivedAt: EpochMs = 0;
  events = 0;

  constructor(deps: FoldDeps, base: ShardState, salts: Salts) {
    this.#deps = deps;
    this.#base = base;
    this.#salts = salts;
    this.#counters = { ...base.counters, rejects: { ...base.counters.rejects } };
    this.#ordinal = base.ordinal;
    this.#watermark = base.watermark;
    this.#to = base.to;
  }

  add({ record, envelope, agentText, batches, reject }: Decoded, sites: ReadonlyMap<string, unknown>): void {
    invariant(
      compareSequences(record.sequence, this.#to) > 0,
      () => `record ${record.sequence} comes after ${this.#to}`,
    );
    this.#to = record.sequence;
    this.#arrivedAt = Math.max(this.#arrivedAt, record.arrivalAt);
    this.#counters.records++;
    if (reject) this.#reject(reject.reason, 1);
    if (!envelope) return;
    const agent = parseAgent(agentText);
    for (const batch of batches) this.#addBatch(batch, envelope, agentText, agent, sites);
  }

  #addBatch(
    batch: Batch,
    envelope: Envelope,
    agentText: string,
    agent: Agent,
    sites: ReadonlyMap<string, unknown>,
  ): void {
    const all = batch.events.length + batch.rejects.length;
    if (!sites.has(batch.site)) {
      this.#reject("unknown_site", all);
      return;
    }
    const partial = this.#partial(batch.site);
    const refuse = (reason: RejectReason, count: number): void => {
      if (count === 0) return;
      this.#reject(reason, count);
      partial.window(windowStart(envelope.at, MINUTE_MS)).reject(reason, count);
    };
    this.#ordinal++;
    // A protocol without batch ids still has the edge's id of the request: it tells a record that was put twice.
    const request = batch.id !== "" ? `b${batch.id}` : envelope.id !== "" ? `e${envelope.id}` : "";
    if (request !== "") {
      const hash = hash53(`${batch.site}\u0000${request}`);
      // Not in the rollup: how often a batch was repeated on its way must not show in what is counted.
      if (this.#isCounted(hash)) {
        this.#reject("duplicate", all);
        return;
      }
      this.#batchIds.add(hash);
    }
    if (agent.bot && !agent.library) {
      refuse("bot", all);
      return;
    }
    this.#counters.batches++;
    for (const { reason } of batch.rejects) refuse(reason, 1);
    refuse("dropped", batch.dropped ?? 0);
    if (batch.events.length === 0) return;

    const { key, id } = this.#visitorKey(batch, envelope, agentText);
    const visitor = this.#visitor(key, envelope.at);
    visitor.ordinal = this.#ordinal;
    visitor.receivedAt = Math.max(visitor.receivedAt, envelope.at);
    const attributes = (event: ClickEvent): string[] =>
      visitAttributes(event, batch, agent, () => countryOf(envelope, this.#deps.country));
    const hi = Number.parseInt(id.slice(0, 8), 16);
    const lo = Number.parseInt(id.slice(8, 16), 16);
    // By the batch's own time of receipt, not by what other visitors did meanwhile: so the order of records cannot show.
    const closedUntil = Math.max(0, envelope.at - (this.#deps.allowedLatenessMs ?? ALLOWED_LATENESS_MS));
    for (const event of [...batch.events].sort((a, b) => a.at - b.at)) {
      if (foldEvent(event, { partial, visitor, hi, lo, attributes, closedUntil })) this.#counters.late++;
      this.#counters.events++;
      this.events++;
    }
    this.#ordinal += Math.floor(visitorBytes(visitor) / VISITOR_BYTES);
    this.#watermark = Math.max(this.#watermark, closedUntil);
  }

  #partial(site: string): Partial {
    let partial = this.#partials.get(site);
    if (!partial) {
      partial = new Partial();
      this.#partials.set(site, partial);
    }
    return partial;
  }

  #reject(reason: RejectReason, count: number): void {
    this.#counters.rejects[reason] = (this.#counters.rejects[reason] ?? 0) + count;
  }

  #isCounted(hash: number): boolean {
    if (this.#batchIds.has(hash)) return true;
    const number = this.#base.batchIds.get(hash);
    return number !== undefined && this.#base.idOrdinal + this.#batchIds.size - number < MAX_BATCH_IDS;
  }

  /** Today's id, or yesterday's as long as the visit that began before midnight goes on. */
  #visitorKey(batch: Batch, envelope: Envelope, agentText: string): { key: string; id: string } {
    const { hash } = this.#deps;
    const keyOf = (id: string): string => `${batch.site}\u0000${id}`;
    if (batch.visitor !== "") {
      const id = storedId(hash, this.#salts.identity, batch.site, batch.visitor);
      return { key: keyOf(id), id };
    }
    const day = dayOf(envelope.at);
    const id = cookielessId(hash, this.#salts.of(day), batch.site, envelope.ip, agentText);
    if (this.#visible(keyOf(id), envelope.at)) return { key: keyOf(id), id };
    const before = cookielessId(hash, this.#salts.of(day - 1), batch.site, envelope.ip, agentText);
    const earliest = Math.min(...batch.events.map(({ at }) => at));
    const goesOn = this.#visible(keyOf(before), envelope.at)?.sessions.some(
      ({ last }) => last >= earliest - SESSION_GAP_MS,
    );
    return goesOn ? { key: keyOf(before), id: before } : { key: keyOf(id), id };
  }

  /** The same rule for what this fold touched as for what was there before: portions of records must not show. */
  #visible(key: string, receivedAt: EpochMs): VisitorState | undefined {
    const touched = this.#visitors.get(key);
    if (!touched) return this.#base.visible(key, this.#ordinal, receivedAt);
    return isRemembered(touched, this.#ordinal, receivedAt) ? touched : undefined;
  }

  #visitor(key: string, receivedAt: EpochMs): VisitorState {
    const known = this.#visible(key, receivedAt);
    const isOwn = known !== undefined && known === this.#visitors.get(key);
    const visitor = isOwn ? known : known ? cloneVisitor(known) : newVisitor();
    // Last touched, last in the map.
    this.#visitors.delete(key);
    this.#visitors.set(key, visitor);
    return visitor;
  }

  get change(): StateChange {
    return {
      n: this.#base.n + 1,
      to: this.#to,
      ordinal: this.#ordinal,
      watermark: this.#watermark,
      counters: this.#counters,
      visitors: this.#visitors,
      batchIds: [...this.#batchIds],
    };
  }

  encode(committedAt: EpochMs): Uint8Array {
    return encodeCommit(
      { from: this.#base.to, committedAt, arrivedAt: this.#arrivedAt },
      this.#partials,
      this.change,
    );
  }
}

/** Never throws: what cannot be decoded is a reject. */
export function decodeRecord(record: StreamRecord): Decoded {
  const envelope = decodeEnvelope(record.data, record.arrivalAt);
  if ("reason" in envelope)
    return { record, envelope: undefined, agentText: "", batches: [], reject: envelope };
  const agentText = base64Header(envelope.ua64);
  const batches = decodeBatches(envelope);
  if ("reason" in batches) return { record, envelope, agentText, batches: [], reject: batches };
  return { record, envelope, agentText, batches, reject: undefined };
}

/** The UTC days whose salts the records need: their own and the one before, which bridges midnight. */
export function daysOf(decoded: readonly Decoded[]): Set<number> {
  const days = new Set<number>();
  for (const { envelope, batches } of decoded) {
    if (!envelope || batches.length === 0) continue;
    days.add(dayOf(envelope.at));
    days.add(dayOf(envelope.at) - 1);
  }
  return days;
}
