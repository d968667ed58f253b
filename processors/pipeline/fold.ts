/**
 * Folds one event into the windows it touches: its own minute, and the minute where its visit began. Pure: what is
 * counted follows from the event, the visitor's state and nothing else.
 */
import { type ClickEvent, isReport, PAGEVIEW, VITALS, WEB_VITALS } from "../model/event.ts";
import { type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import { Marks } from "./marks.ts";
import { type Column, markOf, type PartialFold } from "./partial.ts";
import { sampleOf } from "./partialbytes.ts";
import { ENGAGED_MS, EVENTS, PAGEVIEWS, READS, type Rows, SCROLL_SUM, SCROLLS, VISITS } from "./rows.ts";
import {
  cloneSession,
  MAX_SEEN,
  MAX_SESSIONS,
  SESSION_GAP_MS,
  type Session,
  type VisitorState,
} from "./state.ts";

export interface FoldContext {
  readonly partial: PartialFold;
  readonly visitor: VisitorState;
  /** Visits of theirs that others hold: instead of one of these a copy is changed. */
  readonly shared?: readonly Session[] | undefined;
  /** The visitor's number in `partial`. */
  readonly person: number;
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
  const { partial } = context;
  const minute = context.windowOf?.(event.at) ?? windowStart(event.at, MINUTE_MS);
  const here = partial.window(minute);
  const late = minute + MINUTE_MS <= context.closedUntil;
  if (late) partial.about(here).late++;

  const found = owned(
    context.visit === undefined
      ? findSession(context.visitor, event.at)
      : context.visitor.sessions.find(({ born }) => born === context.visit),
    context,
  );
  context.session = found;
  if (isReport(event.name)) {
    if (found) partial.open(found, context.visitor, false);
    report(event, here, found, partial);
    if (found) advance(event, found);
    return late;
  }
  const session = found ?? begin(event, minute, context);
  context.session = session;
  partial.open(session, context.visitor, !found);
  if (event.at < session.first) {
    // An event that overtook it on the way turns out to be the visit's first: the visit moves to the minute, entry page
    // and source where it really began. What was counted for single events stays where it was: a sketch of visitors
    // cannot give anybody back.
    session.window = minute;
    session.attributes = context.attributes(event);
  }
  advance(event, session);
  countEvent(event, here, session, context);
  if (!context.isPast) partial.show(event, session.attributes, context.trace);
  return late;
}

/** The visit that an event at this time belongs to; if it could join two the newer, whichever was heard of first. */
function findSession({ sessions }: VisitorState, at: EpochMs): Session | undefined {
  let newest: Session | undefined;
  for (let i = 0; i < sessions.length; i++) {
    const session = sessions[i]!;
    const isOf = at >= session.first - SESSION_GAP_MS && at <= session.last + SESSION_GAP_MS;
    if (isOf && (!newest || session.first >= newest.first)) newest = session;
  }
  return newest;
}

/** The visit itself, or a copy in its place where others hold it. */
function owned(session: Session | undefined, { visitor, shared }: FoldContext): Session | undefined {
  if (!session || !shared?.includes(session)) return session;
  const copy = cloneSession(session);
  visitor.sessions = visitor.sessions.with(visitor.sessions.indexOf(session), copy);
  return copy;
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
    seen: new Marks(),
  };
  // As long as it is: pushed onto, an array takes room for seventeen, and most visitors have one.
  visitor.sessions = visitor.sessions.slice(1 - MAX_SESSIONS).concat([session]);
  return session;
}

/** Moves a visit on by one event. */
function advance(event: ClickEvent, session: Session): void {
  // A report about a page says how long its visit lasted, never when it began; a vitals report says neither.
  if (event.name !== WEB_VITALS) session.last = Math.max(session.last, event.at);
  session.engagedMs += event.engagedMs ?? 0;
  if (isReport(event.name)) return;
  session.first = Math.min(session.first, event.at);
  session.events++;
  const isView = event.name === PAGEVIEW;
  if (isView) session.pageviews++;
  if (event.interactive) session.interactive++;
  // Until a page is viewed the event that it began with stands for one, even if the view turns out to be earlier.
  const isFirst = session.exitPage === "" || (isView && session.pageviews === 1);
  if (isFirst || (isView && event.at >= session.exitAt)) {
    session.exitPage = event.url.path;
    session.exitAt = event.at;
  }
}

/** Counts a page view or custom event in its own minute, under every dimension. */
function countEvent(event: ClickEvent, here: number, session: Session, context: FoldContext): void {
  const { partial, person } = context;
  const { shares } = partial;
  const share = partial.share(here, session.attributes);
  shares.add(share, EVENTS, 1);
  if (event.name === PAGEVIEW) shares.add(share, PAGEVIEWS, 1);
  if (event.revenue) shares.addRevenue(share, event.revenue.currency, event.revenue.minor, 1);
  shares.visitors.addOnce(share, person);
  countValue(event, here, session, context, partial.columnOf(partial.pages, event.url.path));
  countValue(event, here, session, context, partial.columnOf(partial.hostnames, event.url.hostname));
  countValue(event, here, session, context, partial.columnOf(partial.names, event.name));
  for (let i = 0; i < event.props.length; i++) {
    const [key, value] = event.props[i]!;
    const dimension = partial.property(here, key);
    if (dimension) countValue(event, here, session, context, partial.columnOf(dimension, value));
  }
}

/** Counts it under one value. */
function countValue(
  event: ClickEvent,
  here: number,
  session: Session,
  { partial, person }: FoldContext,
  column: Column,
): void {
  const { rows } = partial;
  const row = rows.cells.at(here, column.index);
  rows.add(row, EVENTS, 1);
  if (event.name === PAGEVIEW) rows.add(row, PAGEVIEWS, 1);
  if (event.revenue) rows.addRevenue(row, event.revenue.currency, event.revenue.minor, 1);
  rows.visitors.addOnce(row, person);
  if (isFirstInVisit(session, column)) rows.add(row, VISITS, 1);
}

/** What a visit remembers of a value: whether it occurred, was read, and how deep it was scrolled, plus one. */
const OCCURRED = 1;
const READ = 2;
const DEPTH_UNIT = 4;

/** The marks of a value in a visit; undefined when the visit can remember no more values. */
const marksOf = ({ seen }: Session, hash: number): number | undefined =>
  seen.get(hash) ?? (seen.size < MAX_SEEN ? 0 : undefined);

function isFirstInVisit(session: Session, column: Column): boolean {
  const hash = markOf(column);
  const marks = marksOf(session, hash);
  if (marks === undefined || marks & OCCURRED) return false;
  session.seen.set(hash, marks | OCCURRED);
  return true;
}

/** Engaged time, scroll depth and vitals describe a page view: they add to its page, not to the number of events. */
function report(event: ClickEvent, here: number, session: Session | undefined, partial: PartialFold): void {
  const column = partial.columnOf(partial.pages, event.url.path);
  const page = partial.rows.cells.at(here, column.index);
  if (event.name === WEB_VITALS) addVitals(event, here, page, session, partial);
  else if (session) {
    const reading = readingOf(event, session, column);
    addReading(partial.rows, page, reading);
    addReading(partial.shares, partial.share(here, session.attributes), reading);
  } else {
    const reading = { engagedMs: event.engagedMs ?? 0, reads: 0, scrolls: 0, scrollSum: 0 };
    addReading(partial.rows, page, reading);
    addReading(partial.shares, partial.totals(here), reading);
  }
}

interface Reading {
  readonly engagedMs: number;
  readonly reads: number;
  readonly scrolls: number;
  readonly scrollSum: number;
}

function addReading(rows: Rows, row: number, { engagedMs, reads, scrolls, scrollSum }: Reading): void {
  rows.add(row, ENGAGED_MS, engagedMs);
  rows.add(row, READS, reads);
  rows.add(row, SCROLLS, scrolls);
  rows.add(row, SCROLL_SUM, scrollSum);
}

/** What a report says that the visit did not know of the page. */
function readingOf(event: ClickEvent, session: Session, page: Column): Reading {
  const engagedMs = event.engagedMs ?? 0;
  const hash = markOf(page);
  const marks = marksOf(session, hash);
  if (marks === undefined) return { engagedMs, reads: 0, scrolls: 0, scrollSum: 0 };
  const before = Math.floor(marks / DEPTH_UNIT);
  const deepest = Math.max(before, event.scrollDepth === undefined ? 0 : event.scrollDepth + 1);
  session.seen.set(hash, deepest * DEPTH_UNIT + ((marks & OCCURRED) | READ));
  return {
    engagedMs,
    reads: marks & READ ? 0 : 1,
    scrolls: before === 0 && deepest > 0 ? 1 : 0,
    scrollSum: Math.max(0, deepest - 1) - Math.max(0, before - 1),
  };
}

function addVitals(
  event: ClickEvent,
  here: number,
  page: number,
  session: Session | undefined,
  partial: PartialFold,
): void {
  const share = session ? partial.share(here, session.attributes) : partial.totals(here);
  for (const name of VITALS) {
    const value = event.vitals?.[name];
    if (value === undefined) continue;
    const sample = sampleOf(name, value);
    partial.rows.vitals.add(page, sample);
    partial.shares.vitals.add(share, sample);
  }
}
