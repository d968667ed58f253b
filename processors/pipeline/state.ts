/**
 * What a shard remembers between records: visits under way and the batch ids already counted. It changes only by
 * folding records, so the same records give the same state whatever the batches were. See docs/decisions/0002.
 */
import { type EpochMs, HOUR_MS } from "../model/time.ts";
import type { Marks } from "./marks.ts";

/** One visit: a run of a visitor's events with no gap over SESSION_GAP_MS. */
export interface Session {
  /** Event times of its earliest and latest event. */
  first: EpochMs;
  last: EpochMs;
  /** Time of the event that it began with when it was folded; never changes, so it names the visit. */
  readonly born: EpochMs;
  /** Start of the minute that its visit, bounce and duration are counted in. */
  window: EpochMs;
  /** Values in the order of VISIT_DIMENSIONS; "" has no row. */
  attributes: readonly string[];
  exitPage: string;
  exitAt: EpochMs;
  /** Interactive events so far: a visit with at most one is a bounce. */
  interactive: number;
  pageviews: number;
  events: number;
  engagedMs: number;
  /** hash53 of (dimension, value) -> marks: whether it occurred, was read, and how deep it was scrolled (fold.ts). */
  readonly seen: Marks;
}

export interface VisitorState {
  sessions: readonly Session[];
  /** Number of the last batch folded into it, and when that batch reached the edge. */
  ordinal: number;
  receivedAt: EpochMs;
}

/** The field's convention; the edge is inclusive. */
export const SESSION_GAP_MS = HOUR_MS / 2;
/** Visits remembered for one visitor, so that a late batch finds its own. */
export const MAX_SESSIONS = 8;
/** Values whose first occurrence in a visit is recognised; later ones add no visit to their row. */
export const MAX_SEEN = 256;
/** A visitor not heard of for this long, or for this many batches of the shard, is forgotten. */
export const VISITOR_TTL_MS = 24 * HOUR_MS;
export const MAX_VISITORS = 200_000;
/**
 * A batch whose visitor takes more than this many bytes counts as that many more batches. So all that a shard remembers
 * stays below MAX_VISITORS times this, about 400 MB, whatever visitors somebody invents; an ordinary one takes 1,000.
 */
export const VISITOR_BYTES = 2_048;
/** Measured on the heap of Node 24: a visit without its texts, and one value in its map of marks. */
const SESSION_BYTES = 600;
const MARK_BYTES = 54;

/**
 * Visitors of imported history are remembered apart: they come by the thousand a second, and must push out nobody who is
 * here now. A visit is whole as long as fewer batches than this, at most one a visitor and chunk, come between its events.
 */
export const MAX_PAST_VISITORS = 50_000;

/** About what a visitor takes in memory. */
export function visitorBytes({ sessions }: VisitorState): number {
  let bytes = 0;
  for (const { attributes, exitPage, seen } of sessions) {
    bytes += SESSION_BYTES + MARK_BYTES * seen.size + exitPage.length;
    for (const text of attributes) bytes += text.length;
  }
  return bytes;
}
/** Batch ids remembered by a shard: a retry is recognised as long as fewer batches than this came between. */
export const MAX_BATCH_IDS = 500_000;

export const newVisitor = (): VisitorState => ({ sessions: [], ordinal: 0, receivedAt: 0 });

export const cloneVisitor = ({ sessions, ordinal, receivedAt }: VisitorState): VisitorState => ({
  sessions: sessions.map(cloneSession),
  ordinal,
  receivedAt,
});

export const cloneSession = (session: Session): Session => ({
  first: session.first,
  last: session.last,
  born: session.born,
  window: session.window,
  attributes: session.attributes,
  exitPage: session.exitPage,
  exitAt: session.exitAt,
  interactive: session.interactive,
  pageviews: session.pageviews,
  events: session.events,
  engagedMs: session.engagedMs,
  seen: session.seen.clone(),
});

/** Running totals of a shard since it began; they move in the same write as what they count. */
export interface Counters {
  records: number;
  batches: number;
  events: number;
  late: number;
  /** By reject reason. */
  rejects: Record<string, number>;
}

export const newCounters = (): Counters => ({ records: 0, batches: 0, events: 0, late: 0, rejects: {} });

/** The visitors of imported history and the number of their newest batch. */
export interface PastVisitors {
  readonly ordinal: number;
  /** By visitor key, in order of last change. */
  readonly visitors: ReadonlyMap<string, VisitorState>;
}

/** State as of one commit. Maps are in order of last change, oldest first. */
export class ShardState {
  /** Number of the newest commit folded in; 0 before the first. */
  n = 0;
  /** Last sequence number folded in; "" before the first. */
  to = "";
  /** Batches folded so far. */
  ordinal = 0;
  /** Batch ids remembered so far. */
  idOrdinal = 0;
  /** Events before this have had their time; moved by recorded times only. */
  watermark: EpochMs = 0;
  counters: Counters = newCounters();
  /** By visitor key. */
  readonly visitors = new Map<string, VisitorState>();
  readonly past = { ordinal: 0, visitors: new Map<string, VisitorState>() };
  /** hash53 of (site, batch id) -> its number among the ids. */
  readonly batchIds = new Map<number, number>();

  apply(change: StateChange): void {
    this.n = change.n;
    this.to = change.to;
    this.ordinal = change.ordinal;
    this.watermark = change.watermark;
    this.counters = change.counters;
    putLast(this.visitors, change.visitors);
    if (change.past) {
      this.past.ordinal = change.past.ordinal;
      putLast(this.past.visitors, change.past.visitors);
    }
    for (const hash of change.batchIds) {
      this.batchIds.delete(hash);
      this.batchIds.set(hash, ++this.idOrdinal);
    }
    // Whether an entry is visible is decided by its numbers alone; dropping it here only frees memory.
    for (const [key, visitor] of this.visitors) {
      if (this.ordinal - visitor.ordinal <= MAX_VISITORS) break;
      this.visitors.delete(key);
    }
    for (const [key, visitor] of this.past.visitors) {
      if (isRememberedInPast(visitor, this.past.ordinal)) break;
      this.past.visitors.delete(key);
    }
    for (const [hash, number] of this.batchIds) {
      if (this.idOrdinal - number < MAX_BATCH_IDS) break;
      this.batchIds.delete(hash);
    }
  }
}

/** Whether a batch with this number and time may still see what is known of a visitor. */
export const isRemembered = (state: VisitorState, ordinal: number, receivedAt: EpochMs): boolean =>
  ordinal - state.ordinal <= MAX_VISITORS && receivedAt - state.receivedAt <= VISITOR_TTL_MS;

export const isRememberedInPast = (state: VisitorState, ordinal: number): boolean =>
  ordinal - state.ordinal <= MAX_PAST_VISITORS;

function putLast(known: Map<string, VisitorState>, changed: ReadonlyMap<string, VisitorState>): void {
  changed.forEach((visitor, key) => {
    known.delete(key);
    known.set(key, visitor);
  });
}

/** What one commit changes. */
export interface StateChange {
  readonly n: number;
  readonly to: string;
  readonly ordinal: number;
  readonly watermark: EpochMs;
  readonly counters: Counters;
  readonly visitors: ReadonlyMap<string, VisitorState>;
  readonly batchIds: readonly number[];
  /** Absent where nothing was imported. */
  readonly past?: PastVisitors | undefined;
}

/**
 * The state of a shard that continues its parents: what they remember, numbered from the newest back. After a split
 * and a merge both parents may remember a visitor; the one that heard last is right, because the other only inherited.
 */
export function inherit(parents: readonly ShardState[]): ShardState {
  const state = new ShardState();
  if (parents.length === 0) return state;
  state.ordinal = Math.max(...parents.map(({ ordinal }) => ordinal));
  state.watermark = Math.min(...parents.map(({ watermark }) => watermark));
  for (const [key, visitor] of newestOf(parents, state.ordinal)) state.visitors.set(key, visitor);
  const pasts = parents.map(({ past }) => past);
  state.past.ordinal = Math.max(...pasts.map(({ ordinal }) => ordinal));
  for (const [key, visitor] of newestOf(pasts, state.past.ordinal)) state.past.visitors.set(key, visitor);
  // Ages from the newest back; then numbered without gaps, as a snapshot numbers them when it is read.
  const ages = new Map<number, number>();
  for (const parent of parents) {
    for (const [hash, number] of parent.batchIds)
      ages.set(hash, Math.min(parent.idOrdinal - number, ages.get(hash) ?? Number.POSITIVE_INFINITY));
  }
  const ids = [...ages].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  state.idOrdinal = Math.max(ids.length, ...parents.map(({ idOrdinal }) => idOrdinal));
  for (const [index, [hash]] of ids.entries())
    state.batchIds.set(hash, state.idOrdinal - ids.length + index + 1);
  return state;
}

/** Each visitor as the parent that heard last remembers them, numbered back from `ordinal`, oldest first. */
function newestOf(parents: readonly PastVisitors[], ordinal: number): [string, VisitorState][] {
  const latest = new Map<string, VisitorState>();
  for (const parent of parents) {
    for (const [key, visitor] of parent.visitors) {
      const moved = { ...visitor, ordinal: visitor.ordinal + ordinal - parent.ordinal };
      const rival = latest.get(key);
      if (!rival || isNewer(moved, rival)) latest.set(key, moved);
    }
  }
  return [...latest].sort(([a, x], [b, y]) => x.ordinal - y.ordinal || (a < b ? -1 : 1));
}

const isNewer = (a: VisitorState, b: VisitorState): boolean =>
  a.receivedAt !== b.receivedAt ? a.receivedAt > b.receivedAt : a.ordinal > b.ordinal;
