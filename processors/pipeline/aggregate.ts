/**
 * The consumer of one shard: decode, enrich, sessionize, fold, and one commit that holds all of it. Exactly once in
 * effect, because the commit is put-if-absent and is its own checkpoint; see docs/decisions/0002.
 */
import type { Archive, ManyRows, RowList } from "../archives/archive.ts";
import { ClickstreamError } from "../errors.ts";
import type { ArchiveRow } from "../model/archive.ts";
import { type Clock, type EpochMs, MINUTE_MS } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { compareSequences, type StreamRecord } from "../streams/stream.ts";
import { type BatchTrace, noTracer, type Tracer } from "../tracer.ts";
import { forgetCommits } from "./archive.ts";
import { appendCommit, hasCommit, LOG_GRACE_MS, newestCommits, registerShard } from "./commit.ts";
import { base64Text } from "./decode/base64.ts";
import { type Decoded, decodeRecord } from "./decode/record.ts";
import { LatestByDay } from "./midnight.ts";
import { daysOf, type FoldDeps, RecordFold } from "./records.ts";
import { type Site, SiteDirectory } from "./sites.ts";
import { loadState, Snapshots } from "./snapshots.ts";
import { type Counters, inherit, type ShardState } from "./state.ts";
import { Salts } from "./visitor.ts";

export interface AggregateDeps extends FoldDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly tracer?: Tracer;
  /** Gets the rows of each commit before it is written: so rows may come twice and are never lost. */
  readonly archive?: (Archive & Partial<ManyRows>) | undefined;
  /** The commits hold position and state alone: for a consumer whose only product is the archive. */
  readonly countsNothing?: boolean;
  /** Encoded bytes of one commit before it is split. Default: what fits an item of DynamoDB, 350,000. */
  readonly maxCommitBytes?: number | undefined;
  /** What a cold worker reads of the log at most: then a snapshot is due. Default 4 MiB. */
  readonly maxLogBytes?: number | undefined;
  /**
   * Looks before each fold whether somebody else has put the next commit. Whoever keeps an archive then writes no row of
   * what an erasure had it forget.
   */
  readonly looksAhead?: boolean | undefined;
  /** Told of each commit as soon as it is durable. */
  readonly onCommit?: ((commit: CommitPosition) => void) | undefined;
}

/** Where a shard's log has come to: its newest commit, and the last sequence number in it. */
export interface CommitPosition {
  readonly shard: string;
  readonly n: number;
  readonly to: string;
}

export interface CommitSummary {
  /** Commits written by this call. */
  readonly commits: number;
  /** Records folded by this call; fewer than given when some were in already. */
  readonly records: number;
  /** Events counted by this call. */
  readonly events: number;
  /** Commits that another worker of the shard wrote first, so that this call folded again. */
  readonly conflicts: number;
}

/**
 * Encoded bytes of one commit before it is split: under DynamoDB's 400 KB item even where nothing compresses.
 * A single record may still exceed it; the store then splits the value.
 */
const MAX_COMMIT_BYTES = 350_000;
/** Share of it that a commit is planned for: records differ, and one that turns out too large has to be folded again. */
const LIKELY_SHARE = 0.88;
/** Room for a commit, as a share of what the one before took for as many records: growing copies all of it. */
const ROOM = 1.1;
/**
 * A worker that has not written for this long asks for the newest commit before it trusts its memory. Commits are
 * kept for at least LOG_GRACE_MS, so a slot that it believes free cannot be one that was cleaned up.
 */
const TRUST_MS = MINUTE_MS;
/** What a cold worker reads of the log at most, in bytes and in commits: then a snapshot is due. */
const MAX_LOG_BYTES = 4 << 20;
const MAX_LOG_COMMITS = 1_000;
/** Of the bytes between two snapshots: so much of the log is worth one when the work ends. */
const REST_PARTS = 4;
const MAX_LOST_PUTS = 20;

export class ShardWorker {
  readonly #deps: AggregateDeps;
  readonly #shard: { readonly id: string; readonly parents: readonly string[] };
  readonly #salts: Salts;
  readonly #sites: SiteDirectory;
  #state: ShardState | undefined;
  /** Of the state, since it was read. */
  #latest: LatestByDay | undefined;
  #trustedAt = Number.NEGATIVE_INFINITY;
  /** Of the newest commit; what comes next is likely to be as large. */
  #bytesPerRecord = 0;
  #snapshots: Snapshots;
  #loggedBytes = 0;

  constructor(deps: AggregateDeps, shard: { readonly id: string; readonly parents: readonly string[] }) {
    this.#deps = deps;
    this.#shard = shard;
    this.#salts = new Salts(deps);
    this.#sites = new SiteDirectory(deps);
    this.#snapshots = new Snapshots(deps.store, shard.id);
  }

  /** Last sequence number that is in the log; "" before the first. */
  async lastSequence(): Promise<string> {
    return (await this.#current()).to;
  }

  /** Running totals of this shard, as of the newest commit. */
  async counters(): Promise<Counters> {
    return (await this.#current()).counters;
  }

  /** Commits in this shard's log so far. */
  async commits(): Promise<number> {
    return (await this.#current()).n;
  }

  /** Call after the last record: whoever starts next shall not read much of the log. */
  async rest(): Promise<void> {
    if (this.#state) await this.#snapshotIfDue(this.#state, this.#maxLogBytes / REST_PARTS);
  }

  /**
   * Folds records of this shard, in order; those already in the log are skipped, so giving them again is harmless.
   * Resolves when all are durable. Throws `unavailable` or `throttled` on an outage: give the same records again.
   */
  async process(records: readonly StreamRecord[]): Promise<CommitSummary> {
    const first = records[0];
    if (!first) return { commits: 0, records: 0, events: 0, conflicts: 0 };
    const now = this.#deps.clock.now();
    const trace = (this.#deps.tracer ?? noTracer).batch({
      shard: this.#shard.id,
      records: records.length,
      lagMs: Math.max(0, now - first.arrivalAt),
    });
    const summary = { commits: 0, records: 0, events: 0, conflicts: 0 };
    try {
      // What is decoded lives until it is in a commit. So no more is than one is likely to take: an import's records are
      // large, and a page of them decoded would be old before the last is folded.
      for (let at = 0; at < records.length; ) {
        const portion = records.slice(at, at + this.#mostRecords());
        at += portion.length;
        await this.#process(portion, trace, summary);
      }
      return summary;
    } catch (error) {
      // Whether the put took effect is unknown: the next attempt reads what the log says.
      this.#state = undefined;
      trace.fail(error);
      throw error;
    } finally {
      trace.end();
    }
  }

  get #maxBytes(): number {
    return this.#deps.maxCommitBytes ?? MAX_COMMIT_BYTES;
  }

  get #maxLogBytes(): number {
    return this.#deps.maxLogBytes ?? MAX_LOG_BYTES;
  }

  /** How many records are likely to fill a commit. Folding too many costs twice, as the commit is too large then. */
  #mostRecords(): number {
    return Math.max(1, Math.floor((LIKELY_SHARE * this.#maxBytes) / this.#bytesPerRecord));
  }

  async #process(
    records: readonly StreamRecord[],
    trace: BatchTrace,
    summary: { -readonly [Key in keyof CommitSummary]: number },
  ): Promise<void> {
    const decoded = trace.step("decode", () => records.map(decodeRecord));
    for (const { envelope } of decoded) {
      if (envelope?.trace64) trace.join(base64Text(envelope.trace64) ?? "", { receivedAt: envelope.at });
    }
    const sites = await trace.step("enrich", async () => {
      await this.#salts.load(daysOf(decoded));
      return this.#knownSites(decoded);
    });
    let most = records.length;
    for (;;) {
      const state = await this.#current();
      const fresh = decoded.filter(({ record }) => compareSequences(record.sequence, state.to) > 0);
      if (fresh.length === 0) return;
      const chosen = fresh.slice(0, most);
      const isMany = chosen.some(({ imported }) => imported !== undefined);
      const rows: RowList = (isMany && this.#deps.archive?.manyRows?.()) || [];
      const folded = trace.step("fold", () => this.#fold(state, chosen, sites, rows));
      // On their way while the commit is encoded. If it is too large, the same rows are written once more with fewer.
      const archived = rows.length > 0 ? this.#deps.archive?.write(rows) : undefined;
      archived?.catch(() => {});
      const likelyBytes = Math.ceil(ROOM * this.#bytesPerRecord * chosen.length) || undefined;
      const bytes = folded.encode(this.#deps.clock.now(), this.#deps.countsNothing, likelyBytes);
      this.#bytesPerRecord = bytes.length / chosen.length;
      if (bytes.length > this.#maxBytes && chosen.length > 1) {
        most = Math.ceil(chosen.length / 2);
        continue;
      }
      if (archived) await trace.step("archive", () => archived);
      const won = await trace.step("commit", () =>
        appendCommit(this.#deps.store, this.#shard.id, folded.change.n, bytes),
      );
      if (!won) {
        if (++summary.conflicts > MAX_LOST_PUTS)
          throw new ClickstreamError(
            "unavailable",
            `shard ${this.#shard.id}: lost ${summary.conflicts} puts to another worker`,
          );
        this.#state = undefined;
        continue;
      }
      const writtenAt = this.#deps.clock.now();
      if (!isWithin(LOG_GRACE_MS / 2, this.#trustedAt, writtenAt)) await this.#assertNewest(folded.change.n);
      this.#trustedAt = writtenAt;
      state.apply(folded.change);
      this.#deps.onCommit?.({ shard: this.#shard.id, n: state.n, to: state.to });
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
    if (this.#state && !isWithin(TRUST_MS, this.#trustedAt, clock.now())) {
      const askedAt = clock.now();
      const [newest] = await newestCommits(store, shard, 1);
      if ((newest?.n ?? 0) === this.#state.n) this.#trustedAt = askedAt;
      else this.#state = undefined;
    } else if (this.#state && this.#deps.looksAhead && (await hasCommit(store, shard, this.#state.n + 1)))
      this.#state = undefined;
    if (this.#state) return this.#state;
    const askedAt = clock.now();
    const loaded = await loadState(store, shard);
    this.#snapshots = loaded?.snapshots ?? new Snapshots(store, shard);
    const state = loaded?.state ?? (await this.#open());
    this.#loggedBytes = loaded?.replayedBytes ?? 0;
    this.#state = state;
    this.#latest = new LatestByDay(state);
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
    if (parents.length > 0) await this.#snapshots.write(state);
    return state;
  }

  /** A worker that slept through half the grace between reading and writing may have filled a cleaned-up slot. */
  async #assertNewest(n: number): Promise<void> {
    const [newest] = await newestCommits(this.#deps.store, this.#shard.id, 1);
    if (newest && newest.n !== n)
      throw new ClickstreamError(
        "unavailable",
        `shard ${this.#shard.id}: commit ${n} was written where ${newest.n} is the newest`,
      );
  }

  async #snapshotIfDue(state: ShardState, maxLogBytes = this.#maxLogBytes): Promise<void> {
    const isDue = this.#loggedBytes > maxLogBytes || state.n - this.#snapshots.n >= MAX_LOG_COMMITS;
    if (!isDue) return;
    await this.#snapshots.write(state);
    this.#loggedBytes = 0;
    if (this.#deps.countsNothing) await forgetCommits(this.#deps.store, this.#deps.clock, this.#shard.id);
  }

  async #knownSites(decoded: readonly Decoded[]): Promise<ReadonlyMap<string, Site>> {
    const sites = await this.#sites.all();
    const isKnown = ({ batches, imported }: Decoded): boolean =>
      batches.every(({ site }) => sites.has(site)) && (!imported || sites.has(imported.site));
    if (decoded.every(isKnown)) return sites;
    this.#sites.refresh();
    return this.#sites.all();
  }

  #fold(
    state: ShardState,
    decoded: readonly Decoded[],
    sites: ReadonlyMap<string, Site>,
    rows: RowList,
  ): RecordFold {
    const archive = this.#deps.archive && {
      shard: this.#shard.id,
      sink: (row: ArchiveRow): void => void rows.push(row),
    };
    const folded = new RecordFold(this.#deps, state, this.#salts, { archive, latest: this.#latest! });
    for (const item of decoded) folded.add(item, sites);
    return folded;
  }
}

/** A clock that went back meanwhile says nothing about how long it was. */
const isWithin = (lengthMs: number, from: EpochMs, to: EpochMs): boolean =>
  to >= from && to - from <= lengthMs;
