/**
 * The consumer of one shard: decode, enrich, sessionize, fold, and one commit that holds all of it. Exactly once in
 * effect, because the commit is put-if-absent and is its own checkpoint; see docs/decisions/0002.
 */
import { ClickstreamError, invariant } from "../errors.ts";
import type { Envelope } from "../model/envelope.ts";
import type { Batch, ClickEvent, Reject, RejectReason } from "../model/event.ts";
import { type Clock, type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { compareSequences, type StreamRecord } from "../streams/stream.ts";
import { type BatchTrace, noTracer, type Tracer } from "../tracer.ts";
import { appendCommit, encodeCommit, listShards, loadState, newestCommits, newestSnapshot, registerShard, writeSnapshot } from "./commit.ts";
import { decodeBatches } from "./decode/decode.ts";
import { decodeEnvelope } from "./decode/envelope.ts";
import type { Agent, AgentParser } from "./enrich/agent.ts";
import { base64Text } from "./decode/base64.ts";
import { visitAttributes } from "./enrich/visit.ts";
import { foldEvent, Partial } from "./fold.ts";
import { hash53 } from "./hash.ts";
import { type Site, SiteDirectory } from "./sites.ts";
import { cloneVisitor, type Counters, MAX_BATCH_IDS, newVisitor, SESSION_GAP_MS, ShardState, type StateChange, type VisitorState } from "./state.ts";
import { cookielessId, dayOf, type KeyedHash, Salts, storedId } from "./visitor.ts";

export interface AggregateDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly hash: KeyedHash;
  readonly randomBytes: (length: number) => Uint8Array;
  /** ISO 3166-1 alpha-2 of an address, "" when unknown; asked only where the edge did not say. */
  readonly country: (ip: string) => string;
  /** Shared by all workers of a process, because it caches. */
  readonly agent: AgentParser;
  readonly tracer?: Tracer;
  /** Events older than the newest one by more than this are late: counted, and reported as late. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
}

export interface CommitSummary {
  /** Commits written by this call. */
  readonly commits: number;
  /** Records folded by this call; fewer than given when some were in already. */
  readonly records: number;
  /** Events counted by this call. */
  readonly events: number;
}

/** A minute covers a batch that waits for a slow network; what is later is an offline queue, and marked late. */
export const ALLOWED_LATENESS_MS = MINUTE_MS;
/**
 * Encoded bytes of one commit before it is split: under DynamoDB's 400 KB item even where nothing compresses.
 * A single record may still exceed it; the store then splits the value.
 */
const MAX_COMMIT_BYTES = 350_000;
/**
 * A worker that has not written for this long asks for the newest commit before it trusts its memory. Commits are
 * kept for at least LOG_GRACE_MS, so a slot that it believes free cannot be one that was cleaned up.
 */
const TRUST_MS = MINUTE_MS;
/** Old commits and their slots stay for this long whatever has been compacted. */
export const LOG_GRACE_MS = 60 * MINUTE_MS;
/** Changes logged since the last snapshot before a new one is due: then all snapshots together cost about as much as the log. */
const MIN_SNAPSHOT_BYTES = 1 << 20;
const MAX_LOG_COMMITS = 1_000;
const MAX_LOST_PUTS = 20;

interface Decoded {
  readonly record: StreamRecord;
  readonly envelope: Envelope | undefined;
  readonly agentText: string;
  readonly batches: readonly Batch[];
  readonly reject: Reject | undefined;
}

export class ShardWorker {
  readonly #deps: AggregateDeps;
  readonly #shard: { readonly id: string; readonly parents: readonly string[] };
  readonly #salts: Salts;
  readonly #sites: SiteDirectory;
  #state: ShardState | undefined;
  #trustedAt = Number.NEGATIVE_INFINITY;
  #snapshotBytes = 0;
  #loggedBytes = 0;
  #snapshotN = 0;

  constructor(deps: AggregateDeps, shard: { readonly id: string; readonly parents: readonly string[] }) {
    this.#deps = deps;
    this.#shard = shard;
    this.#salts = new Salts(deps);
    this.#sites = new SiteDirectory(deps);
  }

  /** Last sequence number that is in the log; "" before the first. */
  async lastSequence(): Promise<string> {
    return (await this.#current()).to;
  }

  /** Running totals of this shard, as of the newest commit. */
  async counters(): Promise<Counters> {
    return (await this.#current()).counters;
  }

  /** Makes the next record see sites that were registered a moment ago. */
  refreshSites(): void {
    this.#sites.refresh();
  }

  /**
   * Folds records of this shard, in order; those already in the log are skipped, so giving them again is harmless.
   * Resolves when all are durable. Throws `unavailable` or `throttled` on an outage: give the same records again.
   */
  async process(records: readonly StreamRecord[]): Promise<CommitSummary> {
    const first = records[0];
    if (!first) return { commits: 0, records: 0, events: 0 };
    const now = this.#deps.clock.now();
    const trace = (this.#deps.tracer ?? noTracer).batch({
      shard: this.#shard.id,
      records: records.length,
      lagMs: Math.max(0, now - first.arrivalAt),
    });
    try {
      return await this.#process(records, trace);
    } catch (error) {
      // Whether the put took effect is unknown: the next attempt reads what the log says.
      this.#state = undefined;
      trace.fail(error);
      throw error;
    } finally {
      trace.end();
    }
  }

  async #process(records: readonly StreamRecord[], trace: BatchTrace): Promise<CommitSummary> {
    const summary = { commits: 0, records: 0, events: 0 };
    const decoded = trace.step("decode", () => records.map(decodeRecord));
    for (const { envelope } of decoded) {
      if (envelope?.trace64) trace.join(base64Text(envelope.trace64) ?? "", { receivedAt: envelope.at });
    }
    const sites = await trace.step("enrich", async () => {
      await this.#salts.load(daysOf(decoded));
      return this.#knownSites(decoded);
    });
    let lost = 0;
    let most = decoded.length;
    for (;;) {
      const state = await this.#current();
      const fresh = decoded.filter(({ record }) => compareSequences(record.sequence, state.to) > 0);
      if (fresh.length === 0) return summary;
      const chosen = fresh.slice(0, most);
      const folded = trace.step("fold", () => this.#fold(state, chosen, sites));
      const bytes = folded.encode(this.#deps.clock.now());
      if (bytes.length > MAX_COMMIT_BYTES && chosen.length > 1) {
        most = Math.ceil(chosen.length / 2);
        continue;
      }
      const won = await trace.step("commit", () => appendCommit(this.#deps.store, this.#shard.id, folded.change.n, bytes));
      if (!won) {
        if (++lost > MAX_LOST_PUTS) throw new ClickstreamError("unavailable", `shard ${this.#shard.id}: lost ${lost} puts in a row to another worker`);
        this.#state = undefined;
        continue;
      }
      const writtenAt = this.#deps.clock.now();
      if (writtenAt - this.#trustedAt > LOG_GRACE_MS / 2) await this.#assertNewest(folded.change.n);
      this.#trustedAt = writtenAt;
      state.apply(folded.change);
      this.#loggedBytes += bytes.length;
      summary.commits++;
      summary.records += chosen.length;
      summary.events += folded.events;
      await this.#snapshotIfDue(state);
    }
  }

  /** The state as of the newest commit, read again when memory may be stale. */
  async #current(): Promise<ShardState> {
    const { store, clock } = this.#deps;
    const shard = this.#shard.id;
    if (this.#state && clock.now() - this.#trustedAt > TRUST_MS) {
      const askedAt = clock.now();
      const [newest] = await newestCommits(store, shard, 1);
      if ((newest?.n ?? 0) === this.#state.n) this.#trustedAt = askedAt;
      else this.#state = undefined;
    }
    if (this.#state) return this.#state;
    const askedAt = clock.now();
    const loaded = await loadState(store, shard);
    const state = loaded?.state ?? (await this.#open());
    this.#loggedBytes = loaded?.replayedBytes ?? 0;
    this.#snapshotN = (await newestSnapshot(store, shard)) ?? 0;
    this.#state = state;
    this.#trustedAt = askedAt;
    return state;
  }

  /** A new shard goes on from where its parents ended. */
  async #open(): Promise<ShardState> {
    const { store } = this.#deps;
    const parents: ShardState[] = [];
    for (const parent of this.#shard.parents) {
      const loaded = await loadState(store, parent);
      if (loaded) parents.push(loaded.state);
      // A parent without a log never held a record, or its log would stand.
    }
    const state = inherit(parents);
    await registerShard(store, this.#shard.id, this.#shard.parents);
    if (parents.length > 0) await writeSnapshot(store, this.#shard.id, state);
    return state;
  }

  /** A worker that slept through half the grace between reading and writing may have filled a cleaned-up slot. */
  async #assertNewest(n: number): Promise<void> {
    const [newest] = await newestCommits(this.#deps.store, this.#shard.id, 1);
    if (newest && newest.n !== n)
      throw new ClickstreamError("unavailable", `shard ${this.#shard.id}: commit ${n} was written where ${newest.n} is the newest`);
  }

  async #snapshotIfDue(state: ShardState): Promise<void> {
    const due = this.#loggedBytes > Math.max(MIN_SNAPSHOT_BYTES, this.#snapshotBytes) || state.n - this.#snapshotN >= MAX_LOG_COMMITS;
    if (!due) return;
    this.#snapshotBytes = await writeSnapshot(this.#deps.store, this.#shard.id, state);
    this.#loggedBytes = 0;
    this.#snapshotN = state.n;
  }

  async #knownSites(decoded: readonly Decoded[]): Promise<ReadonlyMap<string, Site>> {
    const sites = await this.#sites.all();
    if (decoded.every(({ batches }) => batches.every(({ site }) => sites.has(site)))) return sites;
    this.#sites.refresh();
    return this.#sites.all();
  }

  #fold(state: ShardState, decoded: readonly Decoded[], sites: ReadonlyMap<string, Site>): Folded {
    const folded = new Folded(this.#deps, state, this.#salts);
    for (const item of decoded) folded.add(item, sites);
    return folded;
  }
}

/** The effect of some records on a state, not yet applied to it. */
class Folded {
  readonly #deps: AggregateDeps;
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

  constructor(deps: AggregateDeps, base: ShardState, salts: Salts) {
    this.#deps = deps;
    this.#base = base;
    this.#salts = salts;
    this.#counters = { ...base.counters, rejects: { ...base.counters.rejects } };
    this.#ordinal = base.ordinal;
    this.#watermark = base.watermark;
    this.#to = base.to;
  }

  add({ record, envelope, agentText, batches, reject }: Decoded, sites: ReadonlyMap<string, Site>): void {
    invariant(compareSequences(record.sequence, this.#to) > 0, () => `record ${record.sequence} comes after ${this.#to}`);
    this.#to = record.sequence;
    this.#arrivedAt = Math.max(this.#arrivedAt, record.arrivalAt);
    this.#counters.records++;
    if (reject) this.#reject(reject.reason, 1);
    if (!envelope) return;
    const agent = this.#deps.agent(agentText);
    for (const batch of batches) this.#addBatch(batch, envelope, agentText, agent, sites);
  }

  #addBatch(batch: Batch, envelope: Envelope, agentText: string, agent: Agent, sites: ReadonlyMap<string, Site>): void {
    const all = batch.events.length + batch.rejects.length;
    if (!sites.has(batch.site)) return this.#reject("unknown_site", all);
    const partial = this.#partial(batch.site);
    const receivedIn = partial.window(windowStart(envelope.at, MINUTE_MS));
    const refuse = (reason: RejectReason, count: number): void => {
      if (count === 0) return;
      this.#reject(reason, count);
      receivedIn.reject(reason, count);
    };
    if (agent.bot) return refuse("bot", all);
    this.#ordinal++;
    if (batch.id !== "") {
      const hash = hash53(`${batch.site}\u0000${batch.id}`);
      if (this.#isCounted(hash)) return refuse("duplicate", all);
      this.#batchIds.add(hash);
    }
    this.#counters.batches++;
    for (const { reason } of batch.rejects) refuse(reason, 1);
    if (batch.events.length === 0) return;

    const { key, id } = this.#visitorKey(batch, envelope, agentText);
    const visitor = this.#visitor(key, envelope.at);
    visitor.ordinal = this.#ordinal;
    visitor.receivedAt = Math.max(visitor.receivedAt, envelope.at);
    const country = envelope.country;
    const attributes = (event: ClickEvent): string[] =>
      visitAttributes(event, batch, agent, () => country || this.#deps.country(envelope.ip));
    const hi = Number.parseInt(id.slice(0, 8), 16);
    const lo = Number.parseInt(id.slice(8, 16), 16);
    const lateness = this.#deps.allowedLatenessMs ?? ALLOWED_LATENESS_MS;
    for (const event of [...batch.events].sort((a, b) => a.at - b.at)) {
      const context = { partial, visitor, hi, lo, attributes, watermark: this.#watermark };
      if (foldEvent(event, context)) this.#counters.late++;
      this.#watermark = Math.max(this.#watermark, event.at - lateness);
      this.#counters.events++;
      this.events++;
    }
  }

  #partial(site: string): Partial {
    let partial = this.#partials.get(site);
    if (!partial) this.#partials.set(site, (partial = new Partial()));
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
    const goesOn = this.#visible(keyOf(before), envelope.at)?.sessions.some(({ last }) => last >= earliest - SESSION_GAP_MS);
    return goesOn ? { key: keyOf(before), id: before } : { key: keyOf(id), id };
  }

  #visible(key: string, receivedAt: EpochMs): VisitorState | undefined {
    return this.#visitors.get(key) ?? this.#base.visible(key, this.#ordinal, receivedAt);
  }

  #visitor(key: string, receivedAt: EpochMs): VisitorState {
    let visitor = this.#visitors.get(key);
    if (!visitor) {
      const known = this.#base.visible(key, this.#ordinal, receivedAt);
      visitor = known ? cloneVisitor(known) : newVisitor();
    }
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
    return encodeCommit({ from: this.#base.to, committedAt, arrivedAt: this.#arrivedAt }, this.#partials, this.change);
  }
}

function decodeRecord(record: StreamRecord): Decoded {
  const envelope = decodeEnvelope(record.data);
  if ("reason" in envelope) return { record, envelope: undefined, agentText: "", batches: [], reject: envelope };
  const agentText = base64Text(envelope.ua64) ?? "";
  const batches = decodeBatches(envelope);
  if ("reason" in batches) return { record, envelope, agentText, batches: [], reject: batches };
  return { record, envelope, agentText, batches, reject: undefined };
}

/** The UTC days whose salts the records need: their own and the one before, which bridges midnight. */
function daysOf(decoded: readonly Decoded[]): Set<number> {
  const days = new Set<number>();
  for (const { envelope, batches } of decoded) {
    if (!envelope || batches.length === 0) continue;
    days.add(dayOf(envelope.at));
    days.add(dayOf(envelope.at) - 1);
  }
  return days;
}

/** The state of a shard that continues its parents: what they remember, numbered from the newest back. */
export function inherit(parents: readonly ShardState[]): ShardState {
  const state = new ShardState();
  state.ordinal = Math.max(0, ...parents.map(({ ordinal }) => ordinal));
  state.idOrdinal = Math.max(0, ...parents.map(({ idOrdinal }) => idOrdinal));
  state.watermark = Math.max(0, Math.min(...parents.map(({ watermark }) => watermark)));
  if (parents.length === 0) state.watermark = 0;
  const visitors = parents.flatMap((parent) =>
    [...parent.visitors].map(([key, visitor]) => [key, { ...visitor, ordinal: visitor.ordinal + state.ordinal - parent.ordinal }] as const),
  );
  for (const [key, visitor] of visitors.sort((a, b) => a[1].ordinal - b[1].ordinal)) state.visitors.set(key, visitor);
  const ids = parents.flatMap((parent) =>
    [...parent.batchIds].map(([hash, number]) => [hash, number + state.idOrdinal - parent.idOrdinal] as const),
  );
  for (const [hash, number] of ids.sort((a, b) => a[1] - b[1])) state.batchIds.set(hash, number);
  return state;
}

/** Running totals over all shards, open and closed. */
export async function totalCounters(store: Store): Promise<Counters> {
  const total: Counters = { records: 0, batches: 0, events: 0, late: 0, rejects: {} };
  for (const { id } of await listShards(store)) {
    const counters = (await loadState(store, id))?.state.counters;
    if (!counters) continue;
    for (const name of ["records", "batches", "events", "late"] as const) total[name] += counters[name];
    for (const [reason, count] of Object.entries(counters.rejects)) total.rejects[reason] = (total.rejects[reason] ?? 0) + count;
  }
  return total;
}
