/**
 * The bytes of a shard's state and of what one commit changes in it. Texts stand once in each value, behind the rest; what
 * earlier versions wrote is still read.
 */
import { VISIT_DIMENSIONS } from "../model/dimensions.ts";
import { HOUR_MS } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { Marks } from "./marks.ts";
import {
  type Counters,
  isRemembered,
  type PastVisitors,
  type Session,
  ShardState,
  type StateChange,
  type VisitorState,
} from "./state.ts";
import { TextReader, TextWriter } from "./texts.ts";

/** Of snapshots and of the changes in commits. */
export const STATE_VERSION = 3;
/** The last version in which texts stood where they were used. */
const OLD_TEXTS = 2;

/** Everything in one value, so that a cold worker need not read the whole log. */
export function encodeState(state: ShardState): Uint8Array<ArrayBuffer> {
  // Later batches may have been received an hour earlier than the newest and must find what a warm worker finds.
  const earliest = state.watermark - HOUR_MS;
  const kept = [...state.visitors].filter(([, v]) => isRemembered(v, state.ordinal, earliest));
  const writer = new ByteWriter(4096);
  const texts = new TextWriter();
  writer.byte(STATE_VERSION);
  writer.varint(state.idOrdinal - state.batchIds.size);
  writeChange(
    {
      n: state.n,
      to: state.to,
      ordinal: state.ordinal,
      watermark: state.watermark,
      counters: state.counters,
      visitors: new Map(kept),
      batchIds: [...state.batchIds.keys()],
      past: state.past,
    },
    writer,
    texts,
  );
  texts.encodeTo(writer);
  return writer.finish();
}

export function decodeState(bytes: Uint8Array): ShardState {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version < 1 || version > STATE_VERSION)
    throw new RangeError(`shard state version ${version}, this code reads 1 to ${STATE_VERSION}`);
  const state = new ShardState();
  state.idOrdinal = reader.varint();
  state.apply(readChange(reader, version));
  return state;
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
  encodeVisitors(change.visitors, writer, texts);
  writer.varint(change.batchIds.length);
  for (const hash of change.batchIds) writer.uint53(hash);
  // Last, and only where there is any: who wants the present alone need not read it.
  if (!change.past || change.past.ordinal === 0) return;
  writer.varint(change.past.ordinal);
  encodeVisitors(change.past.visitors, writer, texts);
}

function encodeVisitors(
  visitors: ReadonlyMap<string, VisitorState>,
  writer: ByteWriter,
  texts: TextWriter,
): void {
  writer.varint(visitors.size);
  // Not by an iterator, which would make an object for each of thousands.
  visitors.forEach((visitor, key) => {
    const end = key.indexOf("\u0000") + 1;
    writer.varint(texts.numberOf(key.slice(0, end)));
    writer.text(key.slice(end));
    encodeVisitor(visitor, writer, texts);
  });
}

/** Reads what `writeChange` wrote and the texts behind it, or what earlier versions wrote. */
export function readChange(reader: ByteReader, version: number): StateChange {
  if (version <= OLD_TEXTS) {
    const readVisitor = (): [string, VisitorState] => [reader.text(), decodeOldVisitor(reader, version)];
    return decodeChange(reader, readVisitor, () => reader.varint());
  }
  const change = new ByteReader(reader.block());
  const texts = new TextReader(reader);
  const readVisitor = (): [string, VisitorState] => [
    texts.textOf(change.varint()) + change.text(),
    decodeVisitor(change, texts),
  ];
  return decodeChange(change, readVisitor, () => change.uint53());
}

function decodeVisitors(
  reader: ByteReader,
  readVisitor: () => [string, VisitorState],
): Map<string, VisitorState> {
  const visitors = new Map<string, VisitorState>();
  for (let left = reader.varint(); left > 0; left--) visitors.set(...readVisitor());
  return visitors;
}

function decodeChange(
  reader: ByteReader,
  readVisitor: () => [string, VisitorState],
  readHash: () => number,
): StateChange {
  const n = reader.varint();
  const to = reader.text();
  const ordinal = reader.varint();
  const watermark = reader.varint();
  const counters: Counters = {
    records: reader.varint(),
    batches: reader.varint(),
    events: reader.varint(),
    late: reader.varint(),
    rejects: {},
  };
  for (let left = reader.varint(); left > 0; left--) counters.rejects[reader.text()] = reader.varint();
  const visitors = decodeVisitors(reader, readVisitor);
  const batchIds: number[] = [];
  for (let left = reader.varint(); left > 0; left--) batchIds.push(readHash());
  let past: PastVisitors | undefined;
  return {
    n,
    to,
    ordinal,
    watermark,
    counters,
    visitors,
    batchIds,
    // Thousands of visitors, of whom those who read the log for its counters want none.
    get past() {
      if (!past && !reader.done)
        past = { ordinal: reader.varint(), visitors: decodeVisitors(reader, readVisitor) };
      return past;
    },
  };
}

function encodeVisitor(state: VisitorState, writer: ByteWriter, texts: TextWriter): void {
  writer.varint(state.ordinal);
  writer.varint(state.receivedAt);
  writer.varint(state.sessions.length);
  for (const session of state.sessions) {
    // Times near each other, as their difference: the newest batch, and the visit's own minute.
    writer.signed(state.receivedAt - session.window);
    writer.signed(session.first - session.window);
    writer.varint(session.last - session.first);
    for (const value of session.attributes) writer.varint(texts.numberOf(value));
    writer.varint(texts.numberOf(session.exitPage));
    writer.signed(session.exitAt - session.first);
    writer.signed(session.born - session.first);
    writer.varint(session.interactive);
    writer.varint(session.pageviews);
    writer.varint(session.events);
    writer.varint(session.engagedMs);
    const { list } = session.seen;
    writer.varint(list.length / 2);
    for (let i = 0; i < list.length; i += 2) {
      writer.uint53(list[i]!);
      writer.varint(list[i + 1]!);
    }
  }
}

/** Since version 3. */
function decodeVisitor(reader: ByteReader, texts: TextReader): VisitorState {
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
      attributes: VISIT_DIMENSIONS.map(() => texts.textOf(reader.varint())),
      exitPage: texts.textOf(reader.varint()),
      exitAt: first + reader.signed(),
      born: first + reader.signed(),
      interactive: reader.varint(),
      pageviews: reader.varint(),
      events: reader.varint(),
      engagedMs: reader.varint(),
      seen: decodeMarks(reader, () => reader.uint53()),
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
