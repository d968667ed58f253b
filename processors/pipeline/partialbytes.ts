/**
 * The bytes of a commit's partials. Values are named once for each site, visitors too, and rows by their numbers: a
 * commit has thousands of rows, and most of what they would repeat is text and hashes. A table is read when it is asked for.
 */
import { REJECT_REASONS, VITALS, type Vital } from "../model/event.ts";
import { byKey, type Money, saturated } from "../model/measures.ts";
import { Rollup } from "../model/rollup.ts";
import type { EpochMs } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { binOf } from "../sketches/quantiles.ts";
import { type IntLists, orderedBy } from "./cells.ts";
import { decodeFeed, encodeFeed, type FeedEntry } from "./feed.ts";
import { ALWAYS, type Partial, type PartialFold, TOTALS } from "./partial.ts";
import {
  BINS_PER_VITAL,
  decodeRow,
  type Names,
  PartialTable,
  REVENUE_BIT,
  VISITORS_BIT,
  VITALS_BIT,
} from "./partialtable.ts";
import type { Rows } from "./rows.ts";
import { TextReader, TextWriter } from "./texts.ts";

/** A vital's value as one number. */
export const sampleOf = (vital: Vital, value: number): number =>
  VITALS.indexOf(vital) * BINS_PER_VITAL + binOf(value);

export function encodePartials(
  partials: ReadonlyMap<string, PartialFold>,
  writer: ByteWriter,
  texts: TextWriter,
): void {
  writer.varint(partials.size);
  for (const [site, partial] of [...partials].sort(byKey)) {
    writer.varint(texts.numberOf(site));
    partial.settle();
    encodePeople(partial, writer);
    encodeColumns(partial, writer, texts);
    encodeWindows(partial, writer);
    encodeFeed(partial.feed, writer, texts);
  }
}

function encodePeople({ people }: PartialFold, writer: ByteWriter): void {
  const ids = [...people];
  writer.varint(ids.length);
  for (const id of ids) {
    writer.uint32(Number.parseInt(id.slice(0, 8), 16));
    writer.uint32(Number.parseInt(id.slice(8, 16), 16));
  }
}

function encodeColumns({ dimensions }: PartialFold, writer: ByteWriter, texts: TextWriter): void {
  writer.varint(dimensions.length - ALWAYS.length);
  for (const { name, columns, index } of dimensions) {
    if (index >= ALWAYS.length) writer.varint(texts.numberOf(name));
    writer.varint(columns.size);
    columns.forEach(({ value }) => {
      writer.varint(texts.numberOf(value));
    });
  }
}

function encodeWindows(partial: PartialFold, writer: ByteWriter): void {
  const { starts } = partial;
  const windows = [...starts.keys()].sort((a, b) => starts[a]! - starts[b]!);
  const rows = new OrderedRows(partial, windows, writer);
  let previous = 0;
  writer.varint(windows.length);
  for (const [rank, window] of windows.entries()) {
    const start = starts[window]!;
    const { late, rejects } = partial.about(window);
    writer.varint(start - previous);
    previous = start;
    writer.varint(late);
    const reasons = REJECT_REASONS.filter((reason) => rejects?.get(reason));
    writer.varint(reasons.length);
    for (const reason of reasons) {
      writer.byte(REJECT_REASONS.indexOf(reason));
      writer.varint(rejects!.get(reason)!);
    }
    rows.writeWindow(rank);
  }
}

/** A partial's rows that have something to say, by window and dimension. */
class OrderedRows {
  readonly #writer: ByteWriter;
  readonly #rows: RowWriter;
  /** By rank: columns in order of dimension. */
  readonly #dimensionOf: Int32Array;
  readonly #firstRanks: readonly number[];
  /** By cell. */
  readonly #rankOf: Int32Array;
  readonly #windowOf: Int32Array;
  readonly #masks: Int32Array;
  readonly #ordered: Int32Array;
  #at = 0;

  /** `windows`: their numbers in order of time. */
  constructor(
    { rows, dimensions, columnCount }: PartialFold,
    windows: readonly number[],
    writer: ByteWriter,
  ) {
    this.#writer = writer;
    this.#rows = new RowWriter(rows, writer);
    const ranks = new Int32Array(columnCount);
    this.#dimensionOf = new Int32Array(columnCount);
    let rank = 0;
    this.#firstRanks = dimensions.map((dimension) => {
      const firstRank = rank;
      dimension.columns.forEach(({ index }) => {
        this.#dimensionOf[rank] = dimension.index;
        ranks[index] = rank++;
      });
      return firstRank;
    });
    const windowRanks = new Int32Array(windows.length);
    for (const [rank, window] of windows.entries()) windowRanks[window] = rank;
    const { cells } = rows;
    this.#rankOf = new Int32Array(cells.size);
    this.#windowOf = new Int32Array(cells.size);
    this.#masks = new Int32Array(cells.size);
    const unordered = new Int32Array(cells.size);
    let count = 0;
    for (let cell = 0; cell < cells.size; cell++) {
      this.#rankOf[cell] = ranks[cells.columnOf(cell)]!;
      this.#windowOf[cell] = windowRanks[cells.windowOf(cell)]!;
      this.#masks[cell] = this.#rows.maskOf(cell);
      // A row that says nothing is left out: +1 and -1 leave no trace.
      if (this.#masks[cell] !== 0) unordered[count++] = cell;
    }
    const byColumn = orderedBy(unordered.subarray(0, count), this.#rankOf, columnCount);
    this.#ordered = orderedBy(byColumn, this.#windowOf, windows.length);
  }

  /** Writes the next window's totals and tables. */
  writeWindow(window: number): void {
    const writer = this.#writer;
    // The totals are the only row of the first dimension.
    if (this.#isNext(window, 0)) this.#writeRow();
    else writer.varint(0);
    while (this.#at < this.#ordered.length) {
      const cell = this.#ordered[this.#at]!;
      const dimension = this.#dimensionOf[this.#rankOf[cell]!]!;
      if (!this.#isNext(window, dimension)) break;
      writer.varint(dimension);
      writer.measured(() => this.#writeTable(window, dimension));
    }
    writer.varint(0);
  }

  #writeTable(window: number, dimension: number): void {
    let next = this.#firstRanks[dimension]!;
    while (this.#isNext(window, dimension)) {
      const rank = this.#rankOf[this.#ordered[this.#at]!]!;
      this.#writer.varint(rank - next);
      next = rank + 1;
      this.#writeRow();
    }
  }

  #isNext(window: number, dimension: number): boolean {
    if (this.#at >= this.#ordered.length) return false;
    const cell = this.#ordered[this.#at]!;
    return this.#windowOf[cell] === window && this.#dimensionOf[this.#rankOf[cell]!] === dimension;
  }

  #writeRow(): void {
    const cell = this.#ordered[this.#at++]!;
    this.#rows.write(cell, this.#masks[cell]!);
  }
}

/** Writes rows: a mask that says which parts follow, then those. */
class RowWriter {
  readonly #rows: Rows;
  readonly #writer: ByteWriter;

  constructor(rows: Rows, writer: ByteWriter) {
    this.#rows = rows;
    this.#writer = writer;
  }

  /** 0 for a row that has nothing to say. */
  maskOf(cell: number): number {
    const { cells, visitors, vitals, revenue } = this.#rows;
    let mask = cells.maskOf(cell);
    if (!visitors.isEmpty(cell)) mask |= VISITORS_BIT;
    if (!vitals.isEmpty(cell)) mask |= VITALS_BIT;
    if (revenue.size > 0 && hasMoney(revenue.get(cell))) mask |= REVENUE_BIT;
    return mask;
  }

  write(cell: number, mask: number): void {
    const writer = this.#writer;
    const { cells, visitors, vitals, revenue } = this.#rows;
    writer.varint(mask);
    for (let rest = mask & (VISITORS_BIT - 1); rest !== 0; rest &= rest - 1)
      writer.signed(saturated(cells.get(cell, lowestBit(rest))));
    if (mask & VISITORS_BIT) writeSet(writer, visitors, visitors.gather(cell));
    if (mask & REVENUE_BIT) {
      const sums = [...revenue.get(cell)!].filter(([, { minor, count }]) => minor !== 0 || count !== 0);
      writer.varint(sums.length);
      for (const [currency, { minor, count }] of sums.sort(byKey)) {
        writer.text(currency);
        writer.signed(saturated(minor));
        writer.signed(saturated(count));
      }
    }
    if (mask & VITALS_BIT) writeBag(writer, vitals, vitals.gather(cell));
  }
}

/** The number of the lowest bit of a mask that is set. */
const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

function hasMoney(sums: ReadonlyMap<string, Money> | undefined): boolean {
  if (sums) for (const { minor, count } of sums.values()) if (minor !== 0 || count !== 0) return true;
  return false;
}

/** Writes ascending numbers from 0, some of them repeated, each once. */
function writeSet(writer: ByteWriter, { gathered }: IntLists, count: number): void {
  writer.varint(distinct(gathered, count));
  let next = 0;
  for (let i = 0; i < count; i++) {
    const value = gathered[i]!;
    if (value < next) continue;
    writer.varint(value - next);
    next = value + 1;
  }
}

/** Writes ascending numbers from 0, each with how often it occurs. */
function writeBag(writer: ByteWriter, { gathered }: IntLists, count: number): void {
  writer.varint(distinct(gathered, count));
  let next = 0;
  for (let i = 0; i < count; ) {
    const value = gathered[i]!;
    const from = i;
    while (i < count && gathered[i] === value) i++;
    writer.varint(value - next);
    writer.varint(i - from);
    next = value + 1;
  }
}

function distinct(ascending: Int32Array, count: number): number {
  let found = 0;
  for (let i = 0; i < count; i++) if (i === 0 || ascending[i] !== ascending[i - 1]) found++;
  return found;
}

// ---- reading

/** What was folded, as readers see it. */
export function rollupsOf(partial: PartialFold): ReadonlyMap<EpochMs, Rollup> {
  const writer = new ByteWriter(4096);
  const texts = new TextWriter();
  encodePartials(new Map([["", partial]]), writer, texts);
  const written = writer.finish();
  const textWriter = new ByteWriter(1024);
  texts.encodeTo(textWriter);
  const read = decodePartials(new ByteReader(written), new TextReader(new ByteReader(textWriter.finish())));
  return read.get("")!.windows;
}

/** Version 3 of commits had the feed as JSON. */
export const decodeJsonFeed = (reader: ByteReader): FeedEntry[] => JSON.parse(reader.text()) as FeedEntry[];

/** RangeError for bytes that end early or name what is not there. */
export function decodePartials(
  reader: ByteReader,
  texts: TextReader,
  readFeed = decodeFeed,
): Map<string, Partial> {
  const partials = new Map<string, Partial>();
  for (let sites = reader.varint(); sites > 0; sites--) {
    const site = texts.textOf(reader.varint());
    const names = decodeNames(reader, texts);
    const windows = new Map<EpochMs, Rollup>();
    let start = 0;
    for (let left = reader.varint(); left > 0; left--) {
      start += reader.varint();
      windows.set(start, decodeWindow(reader, names));
    }
    partials.set(site, { windows, feed: readFeed(reader, texts) });
  }
  return partials;
}

function decodeNames(reader: ByteReader, texts: TextReader): Names {
  const people = new Uint32Array(reader.varint() * 2);
  for (let i = 0; i < people.length; i++) people[i] = reader.uint32();
  const dimensions: { name: string; firstRank: number }[] = [];
  const values: number[] = [];
  const count = ALWAYS.length + reader.varint();
  for (let index = 0; index < count; index++) {
    dimensions.push({ name: ALWAYS[index] ?? texts.textOf(reader.varint()), firstRank: values.length });
    for (let columns = reader.varint(); columns > 0; columns--) values.push(reader.varint());
  }
  return { people, dimensions, valueOf: (rank) => texts.textOf(values[rank] ?? -1) };
}

function decodeWindow(reader: ByteReader, names: Names): Rollup {
  const late = reader.varint();
  const rejects: [(typeof REJECT_REASONS)[number], number][] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const reason = REJECT_REASONS[reader.byte()];
    if (!reason) throw new RangeError("unknown reject reason in a commit");
    rejects.push([reason, reader.varint()]);
  }
  const rollup = new Rollup(decodeRow(reader, names));
  rollup.late = late;
  for (const [reason, count] of rejects) rollup.reject(reason, count);
  for (let index = reader.varint(); index > 0; index = reader.varint()) {
    const dimension = names.dimensions[index];
    if (!dimension || dimension.name === TOTALS) throw new RangeError(`dimension ${index} in a commit`);
    const bytes = reader.block();
    // Read once: compaction merges it into a minute and an hour, and every new question looks at all that came since.
    let table: PartialTable | undefined;
    rollup.defer(dimension.name, () => {
      table ??= new PartialTable(bytes, dimension.firstRank, names);
      return table;
    });
  }
  return rollup;
}
