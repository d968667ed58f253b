/**
 * Folds one event into the windows it touches: its own minute, and the minute where its visit began. Pure: what is
 * counted follows from the event, the visitor's state and nothing else.
 */
import { EXIT_PAGE, PROPS_PREFIX, VISIT_DIMENSIONS } from "../model/dimensions.ts";
import { type ClickEvent, ENGAGEMENT, PAGEVIEW, VITALS, WEB_VITALS } from "../model/event.ts";
import { Measures } from "../model/measures.ts";
import { Rollup } from "../model/rollup.ts";
import { type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import { type HashState, hash53, hashPrefix } from "./hash.ts";
import { MAX_SEEN, MAX_SESSIONS, SESSION_GAP_MS, type Session, type VisitorState } from "./state.ts";

/** An event as the live feed shows it; nothing in it tells who it was. */
export interface FeedEntry {
  readonly at: EpochMs;
  readonly name: string;
  readonly page: string;
  readonly source: string;
  readonly country: string;
  readonly device: string;
  readonly browser: string;
  /** Id of the trace that its request is part of, where that was sampled. */
  readonly trace?: string;
}
export const MAX_FEED = 20;

/** One commit's share for one site: minute -> rollup, and the newest events for the feed. */
export class Partial {
  readonly #windows = new Map<EpochMs, Rollup>();
  readonly feed: FeedEntry[] = [];
  /** What was folded and is not in the rollups yet. */
  readonly #shares = new Map<Rollup, Map<readonly string[], VisitShare>>();
  #open: OpenVisit | undefined;

  /** Everything folded so far. Asking often is slow: what visits have in common is only counted once here. */
  get windows(): Map<EpochMs, Rollup> {
    this.#settle();
    for (const [rollup, shares] of this.#shares) for (const share of shares.values()) share.addTo(rollup);
    this.#shares.clear();
    return this.#windows;
  }

  window(start: EpochMs): Rollup {
    let rollup = this.#windows.get(start);
    if (!rollup) {
      rollup = new Rollup();
      this.#windows.set(start, rollup);
    }
    return rollup;
  }

  /** To count once what counts for a visit's minute as a whole and under each of its attributes. */
  share(rollup: Rollup, { attributes }: Pick<Session, "attributes">): VisitShare {
    let shares = this.#shares.get(rollup);
    if (!shares) {
      shares = new Map();
      this.#shares.set(rollup, shares);
    }
    let share = shares.get(attributes);
    if (!share) {
      share = new VisitShare(attributes);
      shares.set(attributes, share);
    }
    return share;
  }

  /** Call before a visit is changed; what it is counted as follows the change, at the latest when another is opened. */
  open(session: Session, visitor: VisitorState, isNew: boolean): void {
    if (this.#open?.session === session) return;
    this.#settle();
    this.#open = { session, visitor, was: isNew ? undefined : visitSoFar(session) };
  }

  /** Counts a visit as what it is now instead of what it was: its bounce, duration and exit in the minute where it began. */
  #settle(): void {
    if (!this.#open) return;
    const { session, visitor, was } = this.#open;
    this.#open = undefined;
    const now = visitSoFar(session);
    this.#countVisit(now, 1);
    if (was) this.#countVisit(was, -1);
    if (was?.exitPage === now.exitPage && was.window === now.window) return;
    // A visitor counts once for a page however many of their visits end there.
    const isElsewhere = (page: string): boolean =>
      visitor.sessions.some((other) => other !== session && other.exitPage === page);
    const addExit = ({ window, exitPage }: VisitSoFar, count: number): void => {
      const row = isElsewhere(exitPage) ? undefined : this.window(window).row(EXIT_PAGE, exitPage);
      if (row) row.exitVisitors += count;
    };
    if (was) addExit(was, -1);
    addExit(now, 1);
  }

  #countVisit(visit: VisitSoFar, sign: 1 | -1): void {
    const home = this.window(visit.window);
    for (const row of [this.share(home, visit), home.row(EXIT_PAGE, visit.exitPage)]) {
      if (!row) continue;
      row.visits += sign;
      row.bounces += sign * visit.bounces;
      row.durationMs += sign * visit.durationMs;
    }
    const exit = home.row(EXIT_PAGE, visit.exitPage);
    if (!exit) return;
    exit.pageviews += sign * visit.pageviews;
    exit.events += sign * visit.events;
    exit.engagedMs += sign * visit.engagedMs;
  }
}

/** What a visit has been counted as. */
type VisitSoFar = Pick<
  Session,
  "window" | "attributes" | "exitPage" | "pageviews" | "events" | "engagedMs"
> & {
  readonly bounces: number;
  readonly durationMs: number;
};

const visitSoFar = (session: Session): VisitSoFar => ({
  window: session.window,
  attributes: session.attributes,
  exitPage: session.exitPage,
  pageviews: session.pageviews,
  events: session.events,
  engagedMs: session.engagedMs,
  bounces: session.interactive <= 1 ? 1 : 0,
  durationMs: session.last - session.first,
});

interface OpenVisit {
  readonly session: Session;
  readonly visitor: VisitorState;
  /** Before it was opened; undefined for a visit that began then. */
  readonly was: VisitSoFar | undefined;
}

/** What one visit adds to one minute: to its totals and to each of its attributes alike. */
class VisitShare extends Measures {
  readonly #attributes: readonly string[];
  /** The event's own dimensions that were counted last: most events of a visit have the same. */
  hostname = "";
  name = "";
  /** The visitor id's 64 bits, once an event of theirs is in this minute. */
  #hi: number | undefined;
  #lo = 0;

  constructor(attributes: readonly string[]) {
    super();
    this.#attributes = attributes;
  }

  override addVisitor(hi: number, lo: number): void {
    this.#hi = hi;
    this.#lo = lo;
  }

  addTo(rollup: Rollup): void {
    this.#addToRow(rollup.totals);
    for (let i = 0; i < VISIT_DIMENSIONS.length; i++) {
      const value = this.#attributes[i];
      if (value) this.#addToRow(rollup.row(VISIT_DIMENSIONS[i]!, value));
    }
  }

  #addToRow(row: Measures | undefined): void {
    if (!row) return;
    row.addCounts(this);
    if (this.#hi !== undefined) row.addVisitor(this.#hi, this.#lo);
    if (this.revenue)
      for (const [currency, { minor, count }] of this.revenue) row.addRevenue(currency, minor, count);
  }
}

export interface FoldContext {
  readonly partial: Partial;
  readonly visitor: VisitorState;
  /** The visitor id's 64 bits. */
  readonly hi: number;
  readonly lo: number;
  /** Values in the order of VISIT_DIMENSIONS for a visit that begins with this event. */
  readonly attributes: (event: ClickEvent) => string[];
  /** Windows that ended at or before this had had their time when the batch was received. */
  readonly closedUntil: EpochMs;
  /** Imported history: counted like all else, but no news for the live feed. */
  readonly isPast?: boolean;
  /** Start of the window that an event of this time is counted in. Default: its minute. */
  readonly windowOf?: ((at: EpochMs) => EpochMs) | undefined;
  /** For the feed. */
  readonly trace?: string | undefined;
  /** The visit that the event belongs to, by the time it was born with, where that was decided before: in a rebuild. */
  readonly visit?: EpochMs | undefined;
  /** Answer: the visit that the event was counted under. */
  session?: Session | undefined;
}

/** Changes `visitor` and `partial`. Returns whether the event was late. */
export function foldEvent(event: ClickEvent, context: FoldContext): boolean {
  const minute = context.windowOf?.(event.at) ?? windowStart(event.at, MINUTE_MS);
  const here = context.partial.window(minute);
  const late = minute + MINUTE_MS <= context.closedUntil;
  if (late) here.late++;

  const isReport = event.name === ENGAGEMENT || event.name === WEB_VITALS;
  const found =
    context.visit === undefined
      ? findSession(context.visitor, event.at)
      : context.visitor.sessions.find(({ born }) => born === context.visit);
  context.session = found;
  if (isReport) {
    if (found) context.partial.open(found, context.visitor, false);
    report(event, here, found, context.partial);
    if (found) advance(event, found, true);
    return late;
  }
  const session = found ?? begin(event, minute, context);
  context.session = session;
  context.partial.open(session, context.visitor, !found);
  if (event.at < session.first) {
    // An event that overtook it on the way turns out to be the visit's first: the visit moves to the minute, entry page
    // and source where it really began. What was counted for single events stays where it was: a sketch of visitors
    // cannot give anybody back.
    session.window = minute;
    session.attributes = context.attributes(event);
  }
  advance(event, session, false);
  countEvent(event, here, session, context);
  if (!context.isPast) feed(event, session, context);
  return late;
}

/** The visit that an event at this time belongs to; the newest if it could join two. */
function findSession(visitor: VisitorState, at: EpochMs): Session | undefined {
  return visitor.sessions.findLast((s) => at >= s.first - SESSION_GAP_MS && at <= s.last + SESSION_GAP_MS);
}

function begin(event: ClickEvent, minute: EpochMs, { visitor, attributes, visit }: FoldContext): Session {
  const session: Session = {
    first: event.at,
    last: event.at,
    born: visit ?? event.at,
    window: minute,
    attributes: attributes(event),
    exitPage: "",
    exitAt: 0,
    interactive: 0,
    pageviews: 0,
    events: 0,
    engagedMs: 0,
    seen: new Map(),
  };
  visitor.sessions.push(session);
  if (visitor.sessions.length > MAX_SESSIONS) visitor.sessions.shift();
  return session;
}

/** Moves a visit on by one event. */
function advance(event: ClickEvent, session: Session, isReport: boolean): void {
  // A report about a page says how long its visit lasted, never when it began; a vitals report says neither.
  if (!isReport) session.first = Math.min(session.first, event.at);
  if (event.name !== WEB_VITALS) session.last = Math.max(session.last, event.at);
  session.engagedMs += event.engagedMs ?? 0;
  if (isReport) return;
  session.events++;
  if (event.name === PAGEVIEW) session.pageviews++;
  if (event.interactive) session.interactive++;
  if (session.exitPage === "" || (event.name === PAGEVIEW && event.at >= session.exitAt)) {
    session.exitPage = event.url.path;
    session.exitAt = event.at;
  }
}

/** Of a visit, what vitals are kept for. */
const VITALS_DIMENSIONS = ["visit:device", "visit:country"] as const;

/** Counts a page view or custom event in its own minute, under every dimension. */
function countEvent(event: ClickEvent, here: Rollup, session: Session, context: FoldContext): void {
  const { partial, hi, lo } = context;
  const { hostname, path } = event.url;
  const share = partial.share(here, session);
  const count = (row: Measures | undefined): Measures | undefined => {
    if (!row) return undefined;
    row.events++;
    if (event.name === PAGEVIEW) row.pageviews++;
    if (event.revenue) row.addRevenue(event.revenue.currency, event.revenue.minor);
    return row;
  };
  /** `isRepeated`: this visitor and visit are in that row already. */
  const countValue = (dimension: string, value: string, isRepeated: boolean): void => {
    const row = count(here.row(dimension, value));
    if (!row || isRepeated) return;
    row.addVisitor(hi, lo);
    if (isFirstInVisit(session, dimension, value)) row.visits++;
  };
  count(share)?.addVisitor(hi, lo);
  countValue("event:page", path, false);
  countValue("event:hostname", hostname, share.hostname === hostname);
  countValue("event:name", event.name, share.name === event.name);
  for (const [key, value] of event.props) countValue(PROPS_PREFIX + key, value, false);
  share.hostname = hostname;
  share.name = event.name;
}

/** Of "event:page\0/path": the dimension is part of it. */
const mark = (dimension: string, value: string): number => hash53(value, hashState(dimension));

const states = new Map<string, HashState>();
/** The dimensions of events are few, but for those of properties, which are not kept. */
function hashState(dimension: string): HashState {
  const known = states.get(dimension);
  if (known) return known;
  const state = hashPrefix(`${dimension}\u0000`);
  if (!dimension.startsWith(PROPS_PREFIX)) states.set(dimension, state);
  return state;
}

/** What a visit remembers of a value: whether it occurred, was read, and how deep it was scrolled, plus one. */
const OCCURRED = 1;
const READ = 2;
const DEPTH_UNIT = 4;

/** The marks of a value in a visit; undefined when the visit can remember no more values. */
const marksOf = ({ seen }: Session, hash: number): number | undefined =>
  seen.get(hash) ?? (seen.size < MAX_SEEN ? 0 : undefined);

function isFirstInVisit(session: Session, dimension: string, value: string): boolean {
  const hash = mark(dimension, value);
  const marks = marksOf(session, hash);
  if (marks === undefined || marks & OCCURRED) return false;
  session.seen.set(hash, marks | OCCURRED);
  return true;
}

/** Engaged time, scroll depth and vitals describe a page view: they add to its page, not to the number of events. */
function report(event: ClickEvent, here: Rollup, session: Session | undefined, partial: Partial): void {
  const page = here.row("event:page", event.url.path);
  if (event.name === WEB_VITALS) {
    const rows = [here.totals, page];
    for (const dimension of VITALS_DIMENSIONS) {
      const value = session?.attributes[VISIT_DIMENSIONS.indexOf(dimension)];
      if (value) rows.push(here.row(dimension, value));
    }
    for (const name of VITALS) {
      const value = event.vitals?.[name];
      if (value !== undefined) for (const row of rows) row?.addVital(name, value);
    }
    return;
  }
  const rows = [page, session ? partial.share(here, session) : here.totals];
  for (const row of rows) if (row) row.engagedMs += event.engagedMs ?? 0;
  if (session) {
    const hash = mark("event:page", event.url.path);
    const marks = marksOf(session, hash);
    if (marks !== undefined) {
      const depth = event.scrollDepth;
      const before = Math.floor(marks / DEPTH_UNIT);
      const deepest = Math.max(before, depth === undefined ? 0 : depth + 1);
      for (const row of rows) {
        if (!row) continue;
        if (!(marks & READ)) row.reads++;
        if (before === 0 && deepest > 0) row.scrolls++;
        row.scrollSum += Math.max(0, deepest - 1) - Math.max(0, before - 1);
      }
      session.seen.set(hash, deepest * DEPTH_UNIT + ((marks & OCCURRED) | READ));
    }
  }
}

function feed(event: ClickEvent, session: Session, { partial, trace }: FoldContext): void {
  const attribute = (dimension: (typeof VISIT_DIMENSIONS)[number]): string =>
    session.attributes[VISIT_DIMENSIONS.indexOf(dimension)] ?? "";
  partial.feed.push({
    at: event.at,
    name: event.name,
    page: event.url.path,
    source: attribute("visit:source"),
    country: attribute("visit:country"),
    device: attribute("visit:device"),
    browser: attribute("visit:browser"),
    ...(trace === undefined ? {} : { trace }),
  });
  if (partial.feed.length > MAX_FEED) partial.feed.shift();
}
