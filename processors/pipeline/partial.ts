/**
 * What one commit adds for one site, while it is being counted. A cell for each (window, dimension, value) in typed
 * arrays, because thousands of rows are counted for every commit and each is written once; readers get rollups.
 */
import { EVENT_DIMENSIONS, EXIT_PAGE, PROPS_PREFIX } from "../model/dimensions.ts";
import type { ClickEvent, RejectReason } from "../model/event.ts";
import { MAX_PROPS_TABLES, type Rollup } from "../model/rollup.ts";
import type { EpochMs } from "../model/time.ts";
import { Feed, type FeedEntry } from "./feed.ts";
import { type HashState, hash53, hashPrefix } from "./hash.ts";
import { BOUNCES, DURATION_MS, ENGAGED_MS, EVENTS, EXIT_VISITORS, PAGEVIEWS, Rows, VISITS } from "./rows.ts";
import type { Session, VisitorState } from "./state.ts";

/** One commit's share for one site, as it is read: minute -> rollup, and the newest events for the feed. */
export interface Partial {
  readonly windows: ReadonlyMap<EpochMs, Rollup>;
  readonly feed: readonly FeedEntry[];
}

/** One value of one dimension. */
export interface Column {
  readonly dimension: Dimension;
  readonly index: number;
  readonly value: string;
  /** hash53 of dimension and value, once somebody asked. */
  mark: number;
}

export interface Dimension {
  readonly name: string;
  readonly index: number;
  readonly hash: HashState;
  readonly columns: Map<string, Column>;
  /** The column asked for last: events that come together often say the same. */
  last: Column | undefined;
}

interface Window {
  late: number;
  rejects: Map<RejectReason, number> | undefined;
  /** Its properties' dimensions, of which a rollup takes so many. */
  properties: Set<Dimension> | undefined;
}

/** Of what belongs to no visit: it counts in the totals alone. */
const NO_ATTRIBUTES: readonly string[] = [];

export class PartialFold {
  readonly rows = new Rows();
  /** What visits add to a window as a whole: to its totals, and to the rows of each of their attributes. */
  readonly shares = new Rows();
  readonly dimensions: Dimension[] = [];
  readonly #byName = new Map<string, Dimension>();
  /** Those of properties, by key: their names are not put together for each event. */
  readonly #properties = new Map<string, Dimension>();
  readonly #windows = new Map<EpochMs, number>();
  readonly #perWindow: Window[] = [];
  readonly #people = new Map<string, number>();
  /** Visits' attributes, and the numbers by which `shares` knows them. */
  readonly #profiles = new Map<readonly string[], number>();
  /** Asked for last: the events of a batch are mostly of one visit and minute. */
  readonly #lastShare = { attributes: undefined as readonly string[] | undefined, window: -1, share: -1 };
  readonly #exitPages: Dimension;
  /** Those of EVENT_DIMENSIONS by what they are. */
  readonly pages: Dimension;
  readonly hostnames: Dimension;
  readonly names: Dimension;
  #columnCount = 0;
  #open: OpenVisit | undefined;
  readonly #feed: Feed;

  constructor() {
    for (const name of ALWAYS) this.dimension(name);
    this.#exitPages = this.dimension(EXIT_PAGE);
    const [page, hostname, name] = EVENT_DIMENSIONS;
    this.pages = this.dimension(page);
    this.hostnames = this.dimension(hostname);
    this.names = this.dimension(name);
    this.#feed = new Feed();
  }

  get columnCount(): number {
    return this.#columnCount;
  }

  /** Starts of windows, by number. */
  get starts(): readonly EpochMs[] {
    return [...this.#windows.keys()];
  }

  /** Visitors' ids, by number. */
  get people(): Iterable<string> {
    return this.#people.keys();
  }

  get feed(): FeedEntry[] {
    return this.#feed.entries();
  }

  /** The number of a window. */
  window(start: EpochMs): number {
    let window = this.#windows.get(start);
    if (window === undefined) {
      window = this.#perWindow.length;
      this.#windows.set(start, window);
      this.#perWindow.push({ late: 0, rejects: undefined, properties: undefined });
    }
    return window;
  }

  /** What is known of a window besides its rows. */
  about(window: number): Window {
    return this.#perWindow[window]!;
  }

  reject(start: EpochMs, reason: RejectReason, count = 1): void {
    const about = this.#perWindow[this.window(start)]!;
    about.rejects ??= new Map();
    about.rejects.set(reason, (about.rejects.get(reason) ?? 0) + count);
  }

  /** The number of a visitor, by their id of 16 hex digits. */
  person(id: string): number {
    let person = this.#people.get(id);
    if (person === undefined) {
      person = this.#people.size;
      this.#people.set(id, person);
    }
    return person;
  }

  /** For rows of its own. An attribute of visits has those only where no visit with attributes is counted. */
  dimension(name: string): Dimension {
    let dimension = this.#byName.get(name);
    if (!dimension) {
      dimension = {
        name,
        index: this.dimensions.length,
        hash: hashPrefix(`${name}\u0000`),
        columns: new Map(),
        last: undefined,
      };
      this.#byName.set(name, dimension);
      this.dimensions.push(dimension);
    }
    return dimension;
  }

  columnOf(dimension: Dimension, value: string): Column {
    if (dimension.last?.value === value) return dimension.last;
    let column = dimension.columns.get(value);
    if (!column) {
      column = { dimension, index: this.#columnCount++, value, mark: 0 };
      dimension.columns.set(value, column);
    }
    dimension.last = column;
    return column;
  }

  /** The dimension of a property; undefined where the window has too many, and further ones are dropped whole. */
  property(window: number, key: string): Dimension | undefined {
    const { properties } = this.#perWindow[window]!;
    const known = this.#properties.get(key);
    if (known && properties?.has(known)) return known;
    if (properties && properties.size >= MAX_PROPS_TABLES) return undefined;
    const dimension = known ?? this.dimension(PROPS_PREFIX + key);
    this.#properties.set(key, dimension);
    this.#perWindow[window]!.properties = (properties ?? new Set()).add(dimension);
    return dimension;
  }

  /** The row of `shares` that counts in the totals of a window, and nowhere else. */
  totals(window: number): number {
    return this.share(window, NO_ATTRIBUTES);
  }

  /** The row of `shares` that counts for a visit's minute as a whole and under each of its attributes. */
  share(window: number, attributes: readonly string[]): number {
    const last = this.#lastShare;
    if (last.attributes === attributes && last.window === window) return last.share;
    last.attributes = attributes;
    last.window = window;
    last.share = this.shares.cells.at(window, this.#profileOf(attributes));
    return last.share;
  }

  #profileOf(attributes: readonly string[]): number {
    let profile = this.#profiles.get(attributes);
    if (profile === undefined) {
      profile = this.#profiles.size;
      this.#profiles.set(attributes, profile);
    }
    return profile;
  }

  /** The attributes of the visits that have shares, by number. */
  get profiles(): Iterable<readonly string[]> {
    return this.#profiles.keys();
  }

  /** Call before a visit is changed; what it is counted as follows the change, at the latest when another is opened. */
  open(session: Session, visitor: VisitorState, isNew: boolean): void {
    if (this.#open?.session === session) return;
    this.settle();
    this.#open = { session, visitor, was: isNew ? undefined : visitSoFar(session) };
  }

  /** Counts the visit that is open as what it is now instead of what it was: its bounce, duration and exit in the minute where it began. */
  settle(): void {
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
      if (!isElsewhere(exitPage)) this.rows.add(this.#exitRow(window, exitPage), EXIT_VISITORS, count);
    };
    if (was) addExit(was, -1);
    addExit(now, 1);
  }

  #exitRow(start: EpochMs, page: string): number {
    return this.rows.cells.at(this.window(start), this.columnOf(this.#exitPages, page).index);
  }

  #countVisit(visit: VisitSoFar, sign: 1 | -1): void {
    const share = this.share(this.window(visit.window), visit.attributes);
    this.shares.add(share, VISITS, sign);
    this.shares.add(share, BOUNCES, sign * visit.bounces);
    this.shares.add(share, DURATION_MS, sign * visit.durationMs);
    const exit = this.#exitRow(visit.window, visit.exitPage);
    this.rows.add(exit, VISITS, sign);
    this.rows.add(exit, BOUNCES, sign * visit.bounces);
    this.rows.add(exit, DURATION_MS, sign * visit.durationMs);
    this.rows.add(exit, PAGEVIEWS, sign * visit.pageviews);
    this.rows.add(exit, EVENTS, sign * visit.events);
    this.rows.add(exit, ENGAGED_MS, sign * visit.engagedMs);
  }

  /** Shows an event in the feed. */
  show(event: ClickEvent, attributes: readonly string[], trace: string | undefined): void {
    this.#feed.push(event, attributes, trace);
  }
}

/** The first dimensions of every partial; those of properties follow. Commits leave these names out: their order is part of the layout. */
export const ALWAYS: readonly string[] = [EXIT_PAGE, ...EVENT_DIMENSIONS];

/** The hash by which a visit remembers a value: of "event:page\0/path", the dimension is part of it. */
export function markOf(column: Column): number {
  if (column.mark === 0) column.mark = hash53(column.value, column.dimension.hash);
  return column.mark;
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
