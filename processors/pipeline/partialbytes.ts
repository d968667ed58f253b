/**
 * The bytes of a commit's partials. Values are named once for each site, visitors too, and rows by their numbers: a
 * commit has thousands of rows, and most of what they would repeat is text and hashes. What a visit adds stands once for
 * each window, not in a row under each of its attributes: whoever reads a table puts it together.
 */
import { REJECT_REASONS, VITALS, type Vital } from "../model/event.ts";
import { byKey, type Money, saturated } from "../model/measures.ts";
import type { ByteWriter } from "../sketches/bytes.ts";
import { binOf } from "../sketches/quantiles.ts";
import { type Cells, type IntLists, orderedBy } from "./cells.ts";
import { encodeFeed } from "./feed.ts";
import { ALWAYS, type PartialFold } from "./partial.ts";
import type { Rows } from "./rows.ts";
import { BINS_PER_VITAL, REVENUE_BIT, VISITORS_BIT, VITALS_BIT } from "./storedrows.ts";
import type { TextWriter } from "./texts.ts";

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
    // Numbered first: of all texts, those of attributes stand in most places.
    const lists = Int32Array.from(partial.profiles, (attributes) => texts.numberOfList(attributes));
    encodeColumns(partial, writer, texts);
    encodeWindows(partial, writer, lists);
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

function encodeWindows(partial: PartialFold, writer: ByteWriter, lists: Int32Array): void {
  const { starts } = partial;
  const windows = [...starts.keys()].sort((a, b) => starts[a]! - starts[b]!);
  const ranks = new Int32Array(windows.length);
  for (const [rank, window] of windows.entries()) ranks[window] = rank;
  const shares = new OrderedShares(partial.shares, ranks, lists, writer);
  const rows = new OrderedRows(partial, ranks, writer);
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
    writer.measured(() => shares.writeWindow(rank));
    rows.writeWindow(rank);
  }
}

/** What visits add to windows, by window, each under the number of the visit's attributes. */
class OrderedShares {
  readonly #writer: ByteWriter;
  readonly #rows: RowWriter;
  readonly #cells: Cells;
  /** By profile. */
  readonly #lists: Int32Array;
  /** By cell. */
  readonly #windowOf: Int32Array;
  readonly #ordered: Int32Array;
  #at = 0;

  /** `windowRanks`: of each window, its place in order of time. */
  constructor(shares: Rows, windowRanks: Int32Array, lists: Int32Array, writer: ByteWriter) {
    this.#writer = writer;
    this.#rows = new RowWriter(shares, writer);
    this.#cells = shares.cells;
    this.#lists = lists;
    const { size } = shares.cells;
    this.#windowOf = new Int32Array(size);
    const unordered = new Int32Array(size);
    for (let cell = 0; cell < size; cell++) {
      unordered[cell] = cell;
      this.#windowOf[cell] = windowRanks[shares.cells.windowOf(cell)]!;
    }
    this.#ordered = orderedBy(unordered, this.#windowOf, windowRanks.length);
  }

  writeWindow(window: number): void {
    for (; this.#at < this.#ordered.length; this.#at++) {
      const cell = this.#ordered[this.#at]!;
      if (this.#windowOf[cell] !== window) return;
      const mask = this.#rows.maskOf(cell);
      if (mask === 0) continue;
      this.#writer.varint(this.#lists[this.#cells.columnOf(cell)]!);
      this.#rows.write(cell, mask);
    }
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

  /** `windowRanks`: of each window, its place in order of time. */
  constructor({ rows, dimensions, columnCount }: PartialFold, windowRanks: Int32Array, writer: ByteWriter) {
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
    this.#ordered = orderedBy(byColumn, this.#windowOf, windowRanks.length);
  }

  /** Writes the next window's tables, each behind the number of its dimension, from 1. */
  writeWindow(window: number): void {
    const writer = this.#writer;
    while (this.#at < this.#ordered.length) {
      const cell = this.#ordered[this.#at]!;
      const dimension = this.#dimensionOf[this.#rankOf[cell]!]!;
      if (!this.#isNext(window, dimension)) break;
      writer.varint(dimension + 1);
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
