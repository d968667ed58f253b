/**
 * The bytes of a shard's state and of what one commit changes in it. Texts stand once in each value, behind the rest, and
 * the hashes that visits remember where they occur first; what earlier versions wrote is still read.
 */
import { VISIT_DIMENSIONS } from "../model/dimensions.ts";
import { HOUR_MS } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { HashReader, HashWriter } from "./hashes.ts";
import { Marks } from "./marks.ts";
import {
  type Counters,
  isRemembered,
  type PastVisitors,
  type Session,
  type ShardState,
  type StateChange,
  type VisitorState,
} from "./state.ts";
import { TextReader, TextWriter } from "./texts.ts";

/** Of snapshots and of the changes in commits. */
export const STATE_VERSION = 5;
/**
 * The last versions in which texts stood where they were used, hashes did, and the texts of a visit's attributes; and the
 * last in which visitors came before batch ids.
 */
const OLD_TEXTS = 2;
const OLD_HASHES = 3;
const OLD_ATTRIBUTES = 4;
const OLD_ORDER = 4;

/** Up to here snapshots held the whole state. */
const WHOLE_SNAPSHOTS = 3;

/** What was known at an earlier commit: numbers up to which everything in a state is older. */
export interface Base {
  readonly n: number;
  readonly ordinal: number;
  readonly idOrdinal: number;
  readonly pastOrdinal: number;
}

/** The state in one value: all that is remembered, or what has changed since `base`. */
export function encodeSnapshot(state: ShardState, base?: Base): Uint8Array<ArrayBuffer> {
  // Later batches may have been received an hour earlier than the newest and must find what a warm worker finds.
  const earliest = state.watermark - HOUR_MS;
  const isKept = (visitor: VisitorState): boolean =>
    visitor.ordinal > (base?.ordinal ?? 0) && isRemembered(visitor, state.ordinal, earliest);
  const visitors = filtered(state.visitors, isKept);
  const batchIds = filtered(state.batchIds, (number) => number > (base?.idOrdinal ?? 0));
  const past = filtered(state.past.visitors, ({ ordinal }) => ordinal > (base?.pastOrdinal ?? 0));
  const writer = new ByteWriter(4096);
  const texts = new TextWriter();
  writer.byte(STATE_VERSION);
  writer.varint(base ? base.n + 1 : 0);
  writer.varint(state.idOrdinal - batchIds.size);
  writeChange(
    {
      n: state.n,
      to: state.to,
      ordinal: state.ordinal,
      watermark: state.watermark,
      counters: state.counters,
      visitors,
      batchIds: [...batchIds.keys()],
      past: { ordinal: state.past.ordinal, visitors: past },
    },
    writer,
    texts,
  );
  texts.encodeTo(writer);
  return writer.finish();
}

/** Not by an iterator, which would make an object for each of hundreds of thousands. */
function filtered<K, V>(all: ReadonlyMap<K, V>, isKept: (value: V) => boolean): Map<K, V> {
  const kept = new Map<K, V>();
  all.forEach((value, key) => {
    if (isKept(value)) kept.set(key, value);
  });
  return kept;
}

function readHead(bytes: Uint8Array): { reader: ByteReader; version: number; base: number | undefined } {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version < 1 || version > STATE_VERSION)
    throw new RangeError(`shard state version ${version}, this code reads 1 to ${STATE_VERSION}`);
  const base = version <= WHOLE_SNAPSHOTS ? 0 : reader.varint();
  return { reader, version, base: base === 0 ? undefined : base - 1 };
}

/** The commit of the snapshot that this one goes on from; undefined for a whole one. */
export const baseOf = (bytes: Uint8Array): number | undefined => readHead(bytes).base;

/** Puts what a snapshot holds into the state: an empty one, or the one that it goes on from. */
export function applySnapshot(state: ShardState, bytes: Uint8Array): void {
  const { reader, version } = readHead(bytes);
  state.idOrdinal = reader.varint();
  state.apply(readChange(reader, version));
}

/** Writes a change as a block; its texts have to be written behind it. */
export const writeChange = (change: StateChange, writer: ByteWriter, texts: TextWriter): void =>
  writer.measured(() => encodeChange(change, writer, texts));

function encodeChange(change: StateChange, writer: ByteWriter, texts: TextWriter): void {
  writer.varint(change.n);
  writer.text(change.to);
  writer.varint(change.ordinal);
  writer.varint(change.watermark);
  const { records, batches, events, late, rejects } = change.counters;
  for (const count of [records, batches, events, late]) writer.varint(count);
  const reasons = Object.entries(rejects).sort(([a], [b]) => (a < b ? -1 : 1));
  writer.varint(reasons.length);
  for (const [reason, count] of reasons) {
    writer.text(reason);
    writer.varint(count);
  }
  writer.varint(change.batchIds.length);
  for (const hash of change.batchIds) writer.uint53(hash);
  const hashes = new HashWriter();
  encodeVisitors(change.visitors, writer, texts, hashes);
  // Last, and only where there is any: who wants the present alone need not read it.
  if (!change.past || change.past.ordinal === 0) return;
  writer.varint(change.past.ordinal);
  encodeVisitors(change.past.visitors, writer, texts, hashes);
}

function encodeVisitors(
  visitors: ReadonlyMap<string, VisitorState>,
  writer: ByteWriter,
  texts: TextWriter,
  hashes: HashWriter,
): void {
  writer.varint(visitors.size);
  // Mostly that of the visitor before.
  let site = "";
  let number = 0;
  // Not by an iterator, which would make an object for each of thousands.
  visitors.forEach((visitor, key) => {
    if (site === "" || !key.startsWith(site)) {
      site = key.slice(0, key.indexOf("\u0000") + 1);
      number = texts.numberOf(site);
    }
    writer.varint(number);
    writer.text(key.slice(site.length));
    encodeVisitor(visitor, writer, texts, hashes);
  });
}

/** The texts of a value of this version, which come next. */
export const textsOf = (reader: ByteReader, version: number): TextReader =>
  new TextReader(reader, version > OLD_ATTRIBUTES);

/** Reads what `writeChange` wrote and the texts behind it, or what earlier versions wrote. */
export function readChange(reader: ByteReader, version: number): StateChange {
  if (version <= OLD_TEXTS) {
    const readVisitor = (): [string, VisitorState] => [reader.text(), decodeOldVisitor(reader, version)];
    return decodeChange(reader, version, readVisitor);
  }
  const change = new ByteReader(reader.block());
  const texts = textsOf(reader, version);
  const hashes = new HashReader();
  const readMark = version <= OLD_HASHES ? () => change.uint53() : () => hashes.read(change);
  const readAttributes =
    version <= OLD_ATTRIBUTES
      ? () => VISIT_DIMENSIONS.map(() => texts.textOf(change.varint()))
      : () => texts.listOf(change.varint());
  const readVisitor = (): [string, VisitorState] => [
    texts.textOf(change.varint()) + change.text(),
    decodeVisitor(change, texts, readAttributes, readMark),
  ];
  return decodeChange(change, version, readVisitor);
}

function decodeChange(
  reader: ByteReader,
  version: number,
  readVisitor: () => [string, VisitorState],
): StateChange {
  const head = {
    n: reader.varint(),
    to: reader.text(),
    ordinal: reader.varint(),
    watermark: reader.varint(),
    counters: decodeCounters(reader),
  };
  const readIds = (): number[] =>
    readList(reader, version <= OLD_TEXTS ? () => reader.varint() : () => reader.uint53());
  const readVisitors = (): Map<string, VisitorState> => new Map(readList(reader, readVisitor));
  const readPresent = (): Pick<StateChange, "visitors" | "batchIds"> => {
    const visitors = readVisitors();
    return { visitors, batchIds: readIds() };
  };
  // Visitors are most of a change, and those who read the log for its counters and ids want none.
  const before = version <= OLD_ORDER ? readPresent() : { visitors: undefined, batchIds: readIds() };
  let { visitors } = before;
  let past: PastVisitors | undefined;
  const change = {
    ...head,
    batchIds: before.batchIds,
    get visitors() {
      visitors ??= readVisitors();
      return visitors;
    },
    get past() {
      // Behind the present.
      if (change.visitors && !past && !reader.done)
        past = { ordinal: reader.varint(), visitors: readVisitors() };
      return past;
    },
  };
  return change;
}

function decodeCounters(reader: ByteReader): Counters {
  const [records, batches, events, late] = [
    reader.varint(),
    reader.varint(),
    reader.varint(),
    reader.varint(),
  ];
  const rejects: Counters["rejects"] = {};
  for (let left = reader.varint(); left > 0; left--) rejects[reader.text()] = reader.varint();
  return { records, batches, events, late, rejects };
}

function readList<T>(reader: ByteReader, read: () => T): T[] {
  const list: T[] = [];
  for (let left = reader.varint(); left > 0; left--) list.push(read());
  return list;
}

function encodeVisitor(state: VisitorState, writer: ByteWriter, texts: TextWriter, hashes: HashWriter): void {
  writer.varint(state.ordinal);
  writer.varint(state.receivedAt);
  writer.varint(state.sessions.length);
  for (const session of state.sessions) {
    // Times near each other, as their difference: the newest batch, and the visit's own minute.
    writer.signed(state.receivedAt - session.window);
    writer.signed(session.first - session.window);
    writer.varint(session.last - session.first);
    writer.varint(texts.numberOfList(session.attributes));
    writer.varint(texts.numberOf(session.exitPage));
    writer.signed(session.exitAt - session.first);
    writer.signed(session.born - session.first);
    writer.varint(session.interactive);
    writer.varint(session.pageviews);
    writer.varint(session.events);
    writer.varint(session.engagedMs);
    writer.varint(session.seen.size);
    session.seen.forEach((hash, mark) => {
      hashes.write(hash, writer);
      writer.varint(mark);
    });
  }
}

/** Since version 3. */
function decodeVisitor(
  reader: ByteReader,
  texts: TextReader,
  readAttributes: () => readonly string[],
  readMark: () => number,
): VisitorState {
  const ordinal = reader.varint();
  const receivedAt = reader.varint();
  const sessions: Session[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const window = receivedAt - reader.signed();
    const first = window + reader.signed();
    sessions.push({
      window,
      first,
      last: first + reader.varint(),
      attributes: readAttributes(),
      exitPage: texts.textOf(reader.varint()),
      exitAt: first + reader.signed(),
      born: first + reader.signed(),
      interactive: reader.varint(),
      pageviews: reader.varint(),
      events: reader.varint(),
      engagedMs: reader.varint(),
      seen: decodeMarks(reader, readMark),
    });
  }
  return { sessions, ordinal, receivedAt };
}

/** Versions 1 and 2 wrote every text where it stands; version 1 did not say what a visit was born with. */
function decodeOldVisitor(reader: ByteReader, version: number): VisitorState {
  const ordinal = reader.varint();
  const receivedAt = reader.varint();
  const sessions: Session[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const window = reader.varint();
    const first = window + reader.signed();
    sessions.push({
      window,
      first,
      last: first + reader.varint(),
      attributes: VISIT_DIMENSIONS.map(() => reader.text()),
      exitPage: reader.text(),
      exitAt: window + reader.signed(),
      born: version === 1 ? first : window + reader.signed(),
      interactive: reader.varint(),
      pageviews: reader.varint(),
      events: reader.varint(),
      engagedMs: reader.varint(),
      seen: decodeMarks(reader, () => reader.varint()),
    });
  }
  return { sessions, ordinal, receivedAt };
}

function decodeMarks(reader: ByteReader, hash: () => number): Marks {
  const list: number[] = [];
  for (let left = reader.varint(); left > 0; left--) list.push(hash(), reader.varint());
  return new Marks(list);
}
