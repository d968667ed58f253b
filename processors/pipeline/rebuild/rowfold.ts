/**
 * Folds rows of the archive again, into the windows that they are counted in. What the first fold decided is in the
 * rows: whose an event is, to which visit it belongs, whether it was late. Order within a shard is that of the rows.
 */

import { type CountedRow, VISIT_COLUMNS } from "../../model/archive.ts";
import { type ClickEvent, VITALS } from "../../model/event.ts";
import { trim } from "../../model/overflow.ts";
import { Rollup } from "../../model/rollup.ts";
import { type EpochMs, HOUR_MS, MINUTE_MS, windowStart } from "../../model/time.ts";
import { foldEvent } from "../fold.ts";
import { PartialFold } from "../partial.ts";
import { rollupsOf } from "../partialreader.ts";
import {
  cloneVisitor,
  MAX_PAST_VISITORS,
  MAX_SESSIONS,
  newVisitor,
  VISITOR_TTL_MS,
  type VisitorState,
} from "../state.ts";

/** Encoded windows by start: a Map, or what keeps them elsewhere than in memory. */
export interface Shelf {
  get(start: EpochMs): Uint8Array | undefined;
  set(start: EpochMs, bytes: Uint8Array): unknown;
}

export interface RowFoldOptions {
  /** Shards with the shards that they continue, parents first; rows come shard by shard in this order. */
  readonly shards: readonly { readonly id: string; readonly parents: readonly string[] }[];
  readonly hourOf: (minute: EpochMs) => EpochMs;
  /** Whether the minutes around this time are wanted besides the hours. */
  readonly hasMinutes: (minute: EpochMs) => boolean;
  /** By shard, when the first of all its rows was received, where others fold the rows of other visitors. Default: of these rows. */
  readonly since?: ReadonlyMap<string, EpochMs>;
  /** Rows between two times that what was counted is put together: bounds memory. */
  readonly rowsAtOnce?: number;
  /** Of how many lots of visitors these rows are one. Default: of one. */
  readonly lots?: number;
  /** Where windows are kept meanwhile, empty to begin with. */
  readonly hours: Shelf;
  readonly minutes: Shelf;
}

interface Known {
  readonly visitor: VisitorState;
  /** Sequence number of the record that it was last folded with. */
  sequence: string;
  /** Visits missing that began before the archive did. 0: all is known that the first fold knew. */
  unknown: number;
}

interface ShardVisitors {
  readonly present: Map<string, Known>;
  readonly past: Map<string, Known>;
  /** When the first of its rows was received. */
  since: EpochMs;
}

/** Some tens of megabytes; fewer rows make it slower, because windows are put together more often. */
const ROWS_AT_ONCE = 50_000;
/** A visitor is forgotten some time after nobody can see them any more. */
const FORGET_MS = VISITOR_TTL_MS + HOUR_MS;
/** The first fold saw an import's visitors for so many batches; and by chance one of several lots has more of them than its share. */
const pastOf = (lots: number): number => Math.ceil((MAX_PAST_VISITORS * (lots === 1 ? 1 : 1.2)) / lots) + 1;

export class RowFold {
  readonly #options: RowFoldOptions;
  #partial = new PartialFold();
  #pending = 0;
  /** By shard; what parents remember is looked up when a child asks. */
  readonly #visitors = new Map<string, ShardVisitors>();
  readonly #incomplete = new Set<EpochMs>();
  rows = 0;

  constructor(options: RowFoldOptions) {
    this.#options = options;
  }

  add(row: CountedRow): void {
    this.rows++;
    if (++this.#pending > (this.#options.rowsAtOnce ?? ROWS_AT_ONCE)) this.#gather();
    if (row.rejected !== null) {
      this.#partial.reject(this.#windowOf(row.at), row.rejected, row.count);
      return;
    }
    const known = this.#knownOf(row);
    const { visitor } = known;
    const before = visitor.sessions.length;
    const touched = known.unknown > 0 ? homeOf(visitor, row) : undefined;
    foldEvent(eventOf(row), {
      partial: this.#partial,
      visitor,
      person: this.#partial.person(row.visitor!),
      attributes: () => VISIT_COLUMNS.map((name) => row[name] ?? ""),
      closedUntil: row.late ? Number.POSITIVE_INFINITY : 0,
      isPast: true,
      windowOf: this.#windowOf,
      // A report without a visit: no number is the one that a visit was born with.
      visit: row.visit ?? Number.NaN,
    });
    if (known.unknown > 0) {
      for (const window of [this.#windowOf(row.at), touched, homeOf(visitor, row)])
        if (window !== undefined) this.#incomplete.add(this.#options.hourOf(window));
      if (visitor.sessions.length > before) known.unknown--;
    }
  }

  /** An hour at once where its minutes are not wanted: sums and unions are the same, and there are a sixtieth of the windows. */
  readonly #windowOf = (at: EpochMs): EpochMs => {
    const minute = windowStart(at, MINUTE_MS);
    return this.#options.hasMinutes(minute) ? minute : this.#options.hourOf(minute);
  };

  #knownOf(row: CountedRow): Known {
    const shard = this.#shard(row.shard);
    shard.since = Math.min(shard.since, row.received_at);
    const visitors = row.imported ? shard.past : shard.present;
    const key = row.visitor!;
    let known = visitors.get(key) ?? (row.fresh ? undefined : this.#inherited(row, key));
    // Nothing was remembered when the record came; of several rows of one record the first says so.
    if (row.fresh && known?.sequence !== row.sequence) known = undefined;
    // Whoever was remembered was heard of in the day before. If that day is archived, the rows were taken out of it.
    const isArchived = row.fresh || row.received_at - shard.since > VISITOR_TTL_MS;
    known ??= { visitor: newVisitor(), sequence: "", unknown: isArchived ? 0 : MAX_SESSIONS };
    known.sequence = row.sequence;
    known.visitor.receivedAt = Math.max(known.visitor.receivedAt, row.received_at);
    visitors.delete(key);
    visitors.set(key, known);
    if (this.rows % 1_000 === 0) forget(shard, row.received_at, pastOf(this.#options.lots ?? 1));
    return known;
  }

  #shard(id: string): ShardVisitors {
    let shard = this.#visitors.get(id);
    if (!shard) {
      shard = {
        present: new Map(),
        past: new Map(),
        since: this.#options.since?.get(id) ?? Number.POSITIVE_INFINITY,
      };
      this.#visitors.set(id, shard);
    }
    return shard;
  }

  /** What the parents of a shard remember of a visitor: the one that heard last, as the shard itself began with it. */
  #inherited({ shard, imported }: CountedRow, key: string): Known | undefined {
    let newest: Known | undefined;
    const look = (id: string): void => {
      for (const parent of this.#options.shards.find((one) => one.id === id)?.parents ?? []) {
        const { present, past } = this.#shard(parent);
        const known = (imported ? past : present).get(key);
        if (!known) look(parent);
        else if (!newest || known.visitor.receivedAt > newest.visitor.receivedAt) newest = known;
      }
    };
    look(shard);
    return newest && { ...newest, visitor: cloneVisitor(newest.visitor) };
  }

  /** Adds what was counted since to the hours and minutes, which are kept encoded: they take a tenth of the room. */
  #gather(): void {
    const { hours: keptHours, minutes: keptMinutes } = this.#options;
    this.#pending = 0;
    const hours = new Map<EpochMs, Rollup>();
    for (const [start, rollup] of rollupsOf(this.#partial)) {
      const hour = this.#options.hourOf(start);
      const known = hours.get(hour);
      const isMinute = this.#options.hasMinutes(start);
      if (known) known.merge(rollup);
      else hours.set(hour, isMinute ? copyOf(rollup) : rollup);
      if (isMinute) addEncoded(keptMinutes, start, rollup);
    }
    for (const [hour, rollup] of hours) addEncoded(keptHours, hour, rollup);
    this.#partial = new PartialFold();
  }

  /** Puts the last windows on their shelves; answers the hours that the archive does not tell all of, because it began later. */
  finish(): ReadonlySet<EpochMs> {
    this.#gather();
    return this.#incomplete;
  }
}

/** The window of a row's visit, as far as the visit is known. */
const homeOf = ({ sessions }: VisitorState, { visit }: CountedRow): EpochMs | undefined =>
  sessions.find(({ born }) => born === visit)?.window;

function copyOf(rollup: Rollup): Rollup {
  const copy = new Rollup();
  copy.merge(rollup);
  return copy;
}

/** Adds to a window that is kept encoded. What is added must not be used any more. */
export function addEncoded(windows: Shelf, start: EpochMs, rollup: Rollup): void {
  const known = windows.get(start);
  const sum = known ? Rollup.decode(known) : rollup;
  if (known) sum.merge(rollup);
  trim(sum);
  windows.set(start, sum.encode());
}

function forget({ present, past }: ShardVisitors, now: EpochMs, mostPast: number): void {
  for (const [key, { visitor }] of present) {
    if (now - visitor.receivedAt <= FORGET_MS) break;
    present.delete(key);
  }
  for (const key of past.keys()) {
    if (past.size <= mostPast) break;
    past.delete(key);
  }
}

/** The event as it was when it was folded first. One literal for nearly all rows: spreads would make four more objects of each. */
function eventOf(row: CountedRow): ClickEvent {
  const event: { -readonly [Key in keyof ClickEvent]: ClickEvent[Key] } = {
    name: row.name ?? "",
    at: row.at,
    url: { hostname: row.hostname ?? "", path: row.page ?? "", query: NO_QUERY },
    referrer: "",
    props: row.props,
    interactive: row.interactive,
  };
  if (row.currency !== null && row.amount_minor !== null)
    event.revenue = { currency: row.currency, minor: row.amount_minor };
  if (row.engaged_ms !== null) event.engagedMs = row.engaged_ms;
  if (row.scroll_depth !== null) event.scrollDepth = row.scroll_depth;
  for (const name of VITALS) if (row[name] !== null) event.vitals = { ...event.vitals, [name]: row[name] };
  return event;
}

const NO_QUERY = {};
