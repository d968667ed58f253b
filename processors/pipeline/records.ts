/**
 * What some records of a shard do to its state and to the rollups, worked out without changing either: a worker may
 * throw the result away and fold again, in other portions or on a newer state.
 */
import { invariant } from "../errors.ts";
import type { ArchiveRow } from "../model/archive.ts";
import type { Envelope } from "../model/envelope.ts";
import type { Batch, ClickEvent, Reject, RejectReason } from "../model/event.ts";
import type { Place } from "../model/place.ts";
import { ALLOWED_LATENESS_MS, type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import { parseTraceHeader } from "../model/trace.ts";
import { compareSequences } from "../streams/stream.ts";
import { eventRow, type RowIdentity, rejectRow } from "./archiverow.ts";
import { encodeCommit } from "./commit.ts";
import { base64Text } from "./decode/base64.ts";
import type { Imported } from "./decode/imported.ts";
import type { Decoded } from "./decode/record.ts";
import type { Edge } from "./decode/scan.ts";
import { type Agent, agentParser } from "./enrich/agent.ts";
import { countryOf, visitAttributes } from "./enrich/visit.ts";
import { minutesKept } from "./expiry.ts";
import { type FoldContext, foldEvent } from "./fold.ts";
import { type HashState, hash53, hashPrefix } from "./hash.ts";
import { importedWindow } from "./history.ts";
import type { LatestByDay } from "./midnight.ts";
import { PartialFold } from "./partial.ts";
import { Senders, type Whence } from "./senders.ts";
import type { Site } from "./sites.ts";
import { type Counters, MAX_BATCH_IDS, type ShardState, type StateChange } from "./state.ts";
import { dayOf, type KeyedHash, type Salts } from "./visitor.ts";

/** What folding needs beyond the records themselves. */
export interface FoldDeps {
  readonly hash: KeyedHash;
  /** ISO 3166-1 alpha-2 of an address, "" when unknown; asked only where the edge did not say. */
  readonly country: (ip: string) => string;
  /** Region and city of an address, for the archive alone. Without it they are not known. */
  readonly place?: ((ip: string) => Place) | undefined;
  /** Events whose minute ended longer than this before they were received are late: counted, and reported as late. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
}

/** Shared by all workers of a process: it only remembers what a pure function said. */
const parseAgent = agentParser({ maxEntries: 10_000 });

/** Where a batch came from: what the edge wrote around it, or an import read beside it. */
interface Origin extends Whence, Pick<Envelope, "country"> {
  readonly agent: Agent;
  /** Where an import counts. Default: in minutes. */
  readonly windowOf?: (at: EpochMs) => EpochMs;
  /** The trace of the request, if it is one that is kept. */
  readonly trace?: string | undefined;
}

function traceOf({ trace64 }: Edge): string | undefined {
  const header = trace64 === "" ? undefined : parseTraceHeader(base64Text(trace64) ?? "");
  return header?.sampled ? header.root : undefined;
}

/** Takes a row for each event and reject that is counted, in the order of the fold. */
export type RowSink = (row: ArchiveRow) => void;

/** By id, those that are counted. */
type CountedSites = ReadonlyMap<string, Pick<Site, "keep">>;

/** The effect of some records on a state, not yet applied to it. */
export class RecordFold {
  readonly #deps: FoldDeps;
  readonly #base: ShardState;
  readonly #senders: Senders;
  readonly #partials = new Map<string, PartialFold>();
  readonly #batchIds = new Set<number>();
  /** By site: its part of the hash of a batch id. */
  readonly #siteHashes = new Map<string, HashState>();
  readonly #counters: Counters;
  #watermark: EpochMs;
  #to: string;
  #arrivedAt: EpochMs = 0;
  /** Arrival of the record in hand. */
  #recordAt: EpochMs = 0;
  readonly #shard: string;
  readonly #sink: RowSink | undefined;
  /** Rows of the record in hand so far. */
  #rows = 0;
  events = 0;

  /**
   * `archive`: who wants a row for each event counted, and the shard that the rows name. `latest`: what `base` and all
   * that was folded since it was read say of midnights; without it the same comes out.
   */
  constructor(
    deps: FoldDeps,
    base: ShardState,
    salts: Salts,
    {
      archive,
      latest,
    }: {
      readonly archive?: { readonly shard: string; readonly sink: RowSink } | undefined;
      readonly latest?: LatestByDay;
    } = {},
  ) {
    this.#shard = archive?.shard ?? "";
    this.#sink = archive?.sink;
    this.#deps = deps;
    this.#base = base;
    this.#senders = new Senders(deps.hash, base, salts, latest);
    this.#counters = { ...base.counters, rejects: { ...base.counters.rejects } };
    this.#watermark = base.watermark;
    this.#to = base.to;
  }

  add({ record, envelope, agentText, batches, reject, imported }: Decoded, sites: CountedSites): void {
    invariant(
      compareSequences(record.sequence, this.#to) > 0,
      () => `record ${record.sequence} comes after ${this.#to}`,
    );
    this.#to = record.sequence;
    this.#rows = 0;
    this.#recordAt = record.arrivalAt;
    this.#arrivedAt = Math.max(this.#arrivedAt, record.arrivalAt);
    this.#counters.records++;
    if (reject) this.#reject(reject.reason, 1);
    if (imported) this.#addImported(imported, sites);
    if (!envelope) return;
    const { at, ip, country } = envelope;
    const origin = {
      at,
      ip,
      country,
      agentText,
      agent: parseAgent(agentText),
      isPast: false,
      trace: traceOf(envelope),
    };
    for (const batch of batches) {
      const all = batch.events.length + batch.rejects.length;
      if (!sites.has(batch.site)) {
        this.#reject("unknown_site", all);
        continue;
      }
      this.#senders.present.ordinal++;
      // A protocol without batch ids still has the edge's id of the request: it tells a record that was put twice.
      const request = batch.id !== "" ? `b${batch.id}` : envelope.id !== "" ? `e${envelope.id}` : "";
      if (request === "" || this.#isFirst(batch.site, request, all)) this.#addBatch(batch, origin);
    }
  }

  /** One id for all of them: an import puts whole records again, never parts. */
  #addImported({ site, id, events, posts, countsLibraries }: Imported, sites: CountedSites): void {
    const known = sites.get(site);
    if (!known) {
      this.#reject("unknown_site", events);
      return;
    }
    if (!this.#isFirst(site, `i${id}`, events)) return;
    const arrivedAt = this.#recordAt;
    const keptMs = minutesKept(known);
    const windowOf = (at: EpochMs): EpochMs => importedWindow(at, arrivedAt, keptMs);
    for (const { batch, at, ip, country, agentText } of posts) {
      this.#senders.past.ordinal++;
      const parsed = parseAgent(agentText);
      const agent = countsLibraries ? parsed : { ...parsed, library: false };
      this.#addBatch(batch, { at, ip, country, agentText, agent, isPast: true, windowOf });
    }
  }

  /** Not in the rollup: how often a batch was repeated on its way must not show in what is counted. */
  #isFirst(site: string, request: string, all: number): boolean {
    const hash = hash53(request, this.#siteHash(site));
    const isFirst = !this.#isCounted(hash);
    if (isFirst) this.#batchIds.add(hash);
    else this.#reject("duplicate", all);
    return isFirst;
  }

  #siteHash(site: string): HashState {
    let state = this.#siteHashes.get(site);
    if (!state) {
      state = hashPrefix(`${site}\u0000`);
      this.#siteHashes.set(site, state);
    }
    return state;
  }

  #addBatch(batch: Batch, origin: Origin): void {
    const { at, agent, isPast, windowOf, trace } = origin;
    const partial = this.#partial(batch.site);
    if (agent.bot && !agent.library) {
      // What was received at once is refused in one minute; what an import brings, each in its own.
      if (!isPast) this.#refuse(batch, origin, "bot", batch.events.length + batch.rejects.length, at);
      else for (const event of batch.events) this.#refuse(batch, origin, "bot", 1, event.at);
      return;
    }
    this.#counters.batches++;
    if (batch.rejects.length > 0)
      for (const [reason, count] of countedReasons(batch.rejects))
        this.#refuse(batch, origin, reason, count, at);
    if (batch.dropped !== undefined) this.#refuse(batch, origin, "dropped", batch.dropped, at);
    if (batch.events.length === 0) return;

    const events = inOrder(batch.events);
    const sender = this.#senders.of(batch, origin, events);
    const { id } = sender;
    // Without visits nothing is remembered of them: they only reported, or what they did was taken out.
    const fresh = !sender.known?.sessions.length;
    const visitors = isPast ? this.#senders.past : this.#senders.present;
    const { visitor, shared } = visitors.touch(sender, at);
    const attributes = (event: ClickEvent): string[] =>
      visitAttributes(event, batch, agent, () => countryOf(origin, this.#deps.country));
    // By the batch's own time of receipt, not by what other visitors did meanwhile: so the order of records cannot show.
    // History has no time of receipt: none of it is late, and it says nothing about how far the present has come.
    const closedUntil = isPast ? 0 : Math.max(0, at - (this.#deps.allowedLatenessMs ?? ALLOWED_LATENESS_MS));
    const person = partial.person(id);
    const context: FoldContext = {
      partial,
      visitor,
      shared,
      person,
      attributes,
      closedUntil,
      isPast,
      windowOf,
      trace,
      session: undefined,
    };
    const place = this.#sink && this.#deps.place?.(origin.ip);
    for (const event of events) {
      const late = foldEvent(event, context);
      if (late) this.#counters.late++;
      this.#sink?.(
        eventRow(this.#identity(batch.site, origin), event, {
          id,
          fresh,
          late,
          session: context.session,
          agent,
          place,
        }),
      );
      this.#counters.events++;
      this.events++;
    }
    visitors.weigh(visitor);
    this.#watermark = Math.max(this.#watermark, closedUntil);
  }

  #refuse({ site }: Batch, origin: Origin, reason: RejectReason, count: number, at: EpochMs): void {
    if (count === 0) return;
    this.#reject(reason, count);
    this.#partial(site).reject(origin.windowOf?.(at) ?? windowStart(at, MINUTE_MS), reason, count);
    this.#sink?.(rejectRow(this.#identity(site, origin), { at, reason, count }));
  }

  #identity(site: string, { at, isPast }: Origin): RowIdentity {
    const [shard, sequence, index] = [this.#shard, this.#to, this.#rows++];
    return { site, shard, sequence, index, received_at: at, imported: isPast };
  }

  #partial(site: string): PartialFold {
    let partial = this.#partials.get(site);
    if (!partial) {
      partial = new PartialFold();
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

  get change(): StateChange {
    const { present, past } = this.#senders;
    return {
      n: this.#base.n + 1,
      to: this.#to,
      ordinal: present.ordinal,
      watermark: this.#watermark,
      counters: this.#counters,
      visitors: present.visitors,
      batchIds: [...this.#batchIds],
      past: past.ordinal === this.#base.past.ordinal ? undefined : past,
    };
  }

  /** The commit; without what was counted where somebody else counts. `likelyBytes`: how long it will be, about. */
  encode(committedAt: EpochMs, countsNothing = false, likelyBytes?: number): Uint8Array {
    return encodeCommit(
      { from: this.#base.to, committedAt, arrivedAt: this.#arrivedAt },
      countsNothing ? new Map() : this.#partials,
      this.change,
      likelyBytes,
    );
  }
}

/** By their time; those that happened together as they came. */
function inOrder(events: readonly ClickEvent[]): readonly ClickEvent[] {
  for (let i = 1; i < events.length; i++)
    if (events[i]!.at < events[i - 1]!.at) return events.toSorted((a, b) => a.at - b.at);
  return events;
}

function countedReasons(rejects: readonly Reject[]): Map<RejectReason, number> {
  const counts = new Map<RejectReason, number>();
  for (const { reason } of rejects) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}

/** The UTC days whose salts the records need: their own and the one before, which bridges midnight. */
export function daysOf(decoded: readonly Decoded[]): Set<number> {
  const days = new Set<number>();
  const need = (at: EpochMs): void => {
    days.add(dayOf(at));
    days.add(dayOf(at) - 1);
  };
  for (const { envelope, batches, imported } of decoded) {
    for (const at of imported?.times ?? []) need(at);
    if (!envelope || batches.length === 0) continue;
    need(envelope.at);
  }
  return days;
}
