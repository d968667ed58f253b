/**
 * Folds one event into the windows it touches: its own minute, and the minute where its visit began. Pure: what is
 * counted follows from the event, the visitor's state and nothing else.
 */
import { EXIT_PAGE, PROPS_PREFIX, VISIT_DIMENSIONS } from "../model/dimensions.ts";
import { type ClickEvent, ENGAGEMENT, PAGEVIEW, VITALS, WEB_VITALS } from "../model/event.ts";
import type { Count, Measures } from "../model/measures.ts";
import { Rollup } from "../model/rollup.ts";
import { type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import { hash53 } from "./hash.ts";
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
}
export const MAX_FEED = 20;

/** One commit's share for one site: minute -> rollup, and the newest events for the feed. */
export class Partial {
  readonly windows = new Map<EpochMs, Rollup>();
  readonly feed: FeedEntry[] = [];

  window(start: EpochMs): Rollup {
    let rollup = this.windows.get(start);
    if (!rollup) {
      rollup = new Rollup();
      this.windows.set(start, rollup);
    }
    return rollup;
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
  /** The visit that the event belongs to, by the time it was born with, where that was decided before: in a rebuild. */
  readonly visit?: EpochMs | undefined;
  /** Answer: the visit that the event was counted under. */
  session?: Session | undefined;
}

/** Changes `visitor` and `partial`. Returns whether the event was late. */
export function foldEvent(event: ClickEvent, context: FoldContext): boolean {
  const minute = windowStart(event.at, MINUTE_MS);
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
    report(event, here, found);
    if (found) advance(event, found, context, false);
    return late;
  }
  const session = found ?? begin(event, minute, context);
  context.session = session;
  if (event.at < session.first) moveStart(event, minute, session, context);
  advance(event, session, context, !found);
  countEvent(event, here, session, context);
  if (!context.isPast) feed(event, session, context.partial);
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

/**
 * An event that overtook it on the way turns out to be the visit's first: the visit, with its bounce, duration and exit,
 * moves to the minute, entry page and source where it really began. What was counted for single events stays where it
 * was: a sketch of visitors cannot give anybody back.
 */
function moveStart(event: ClickEvent, minute: EpochMs, session: Session, context: FoldContext): void {
  const count = (sign: 1 | -1): void => {
    const home = context.partial.window(session.window);
    const whole = visitSoFar(session);
    const { visits, bounces, durationMs } = whole;
    const visit: Delta = { visits, bounces, durationMs };
    add(home.totals, visit, sign);
    eachAttribute(session, (dimension, value) => add(home.row(dimension, value), visit, sign));
    const exit = home.row(EXIT_PAGE, session.exitPage);
    add(exit, whole, sign);
    if (!otherExits(session, context).includes(session.exitPage)) add(exit, { exitVisitors: 1 }, sign);
  };
  count(-1);
  session.window = minute;
  session.attributes = context.attributes(event);
  count(1);
}

/** Exit pages of the visitor's other visits: a visitor counts once for a page however many of their visits end there. */
const otherExits = (session: Session, { visitor }: FoldContext): string[] =>
  visitor.sessions.filter((other) => other !== session).map((other) => other.exitPage);

type Delta = { [name in Count]?: number | undefined };

const add = (row: Measures | undefined, delta: Delta, sign = 1): void => {
  if (row) for (const name in delta) row[name as Count] += sign * (delta[name as Count] ?? 0);
};

/** Moves a visit on by one event: what that changes is counted in the minute where the visit began. */
function advance(event: ClickEvent, session: Session, context: FoldContext, isNew: boolean): void {
  const before = isNew ? {} : visitSoFar(session);
  const isReport = event.name === ENGAGEMENT || event.name === WEB_VITALS;
  // A report about a page says how long its visit lasted, never when it began; a vitals report says neither.
  if (!isReport) session.first = Math.min(session.first, event.at);
  if (event.name !== WEB_VITALS) session.last = Math.max(session.last, event.at);
  if (!isReport) {
    session.events++;
    if (event.name === PAGEVIEW) session.pageviews++;
    if (event.interactive) session.interactive++;
  }
  session.engagedMs += event.engagedMs ?? 0;
  const after = visitSoFar(session);
  const change = {
    visits: (after.visits ?? 0) - (before.visits ?? 0),
    bounces: (after.bounces ?? 0) - (before.bounces ?? 0),
    durationMs: (after.durationMs ?? 0) - (before.durationMs ?? 0),
  };
  const home = context.partial.window(session.window);
  if (change.visits !== 0 || change.bounces !== 0 || change.durationMs !== 0) {
    add(home.totals, change);
    eachAttribute(session, (dimension, value) => add(home.row(dimension, value), change));
  }
  const oldExit = session.exitPage;
  const movesExit = !isReport && (oldExit === "" || (event.name === PAGEVIEW && event.at >= session.exitAt));
  if (movesExit) {
    session.exitPage = event.url.path;
    session.exitAt = event.at;
  }
  if (oldExit !== "") add(home.row(EXIT_PAGE, oldExit), before, -1);
  if (session.exitPage !== "") add(home.row(EXIT_PAGE, session.exitPage), after);
  if (oldExit === session.exitPage) return;
  const others = otherExits(session, context);
  if (oldExit !== "" && !others.includes(oldExit)) add(home.row(EXIT_PAGE, oldExit), { exitVisitors: -1 });
  if (!others.includes(session.exitPage)) add(home.row(EXIT_PAGE, session.exitPage), { exitVisitors: 1 });
}

/** What a visit has been counted as so far, as its exit page's row holds it. */
function visitSoFar(session: Session): Delta {
  return {
    visits: 1,
    bounces: session.interactive <= 1 ? 1 : 0,
    durationMs: session.last - session.first,
    pageviews: session.pageviews,
    events: session.events,
    engagedMs: session.engagedMs,
  };
}

function eachAttribute(session: Session, visit: (dimension: string, value: string) => void): void {
  VISIT_DIMENSIONS.forEach((dimension, index) => {
    const value = session.attributes[index];
    if (value) visit(dimension, value);
  });
}

/** Counts a page view or custom event in its own minute, under every dimension. */
function countEvent(event: ClickEvent, here: Rollup, session: Session, { hi, lo }: FoldContext): void {
  const isPageview = event.name === PAGEVIEW;
  const count = (row: Measures | undefined): void => {
    if (!row) return;
    row.events++;
    if (isPageview) row.pageviews++;
    row.addVisitor(hi, lo);
    if (event.revenue) row.addRevenue(event.revenue.currency, event.revenue.minor);
  };
  count(here.totals);
  eachAttribute(session, (dimension, value) => count(here.row(dimension, value)));
  const rows: [string, string][] = [
    ["event:page", event.url.path],
    ["event:hostname", event.url.hostname],
    ["event:name", event.name],
  ];
  for (const [key, value] of event.props) rows.push([PROPS_PREFIX + key, value]);
  for (const [dimension, value] of rows) {
    const row = here.row(dimension, value);
    count(row);
    if (row && isFirstInVisit(session, dimension, value)) row.visits++;
  }
}

const mark = (dimension: string, value: string): number => hash53(`${dimension}\u0000${value}`);

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
function report(event: ClickEvent, here: Rollup, session: Session | undefined): void {
  const page = here.row("event:page", event.url.path);
  if (event.name === WEB_VITALS) {
    const rows = [here.totals, page];
    if (session) {
      eachAttribute(session, (dimension, value) => {
        if (dimension === "visit:device" || dimension === "visit:country")
          rows.push(here.row(dimension, value));
      });
    }
    for (const name of VITALS) {
      const value = event.vitals?.[name];
      if (value !== undefined) for (const row of rows) row?.addVital(name, value);
    }
    return;
  }
  const delta: Delta = { engagedMs: event.engagedMs ?? 0 };
  if (session) {
    const hash = mark("event:page", event.url.path);
    const marks = marksOf(session, hash);
    if (marks !== undefined) {
      const depth = event.scrollDepth;
      const before = Math.floor(marks / DEPTH_UNIT);
      const deepest = Math.max(before, depth === undefined ? 0 : depth + 1);
      if (!(marks & READ)) delta.reads = 1;
      if (before === 0 && deepest > 0) delta.scrolls = 1;
      delta.scrollSum = Math.max(0, deepest - 1) - Math.max(0, before - 1);
      session.seen.set(hash, deepest * DEPTH_UNIT + ((marks & OCCURRED) | READ));
    }
  }
  add(here.totals, delta);
  add(page, delta);
  if (session) eachAttribute(session, (dimension, value) => add(here.row(dimension, value), delta));
}

function feed(event: ClickEvent, session: Session, partial: Partial): void {
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
  });
  if (partial.feed.length > MAX_FEED) partial.feed.shift();
}
