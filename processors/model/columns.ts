/**
 * A table as it lies in a rollup item: values, then each integer of all rows, how many visitors each has at most, then
 * the sketches. So integers are added up without looking at sketches, and a sketch is decoded only where somebody asks
 * for it. Rows are in order of value. Visitors who stand in many rows are named once, in a roster of the rollup or of
 * the table.
 */
import { ByteReader, type ByteWriter } from "../sketches/bytes.ts";
import { NumberSet } from "../sketches/numberset.ts";
import { Roster } from "../sketches/roster.ts";
import { UltraLogLog } from "../sketches/ultraloglog.ts";
import { COUNTS, type Measures, saturated } from "./measures.ts";

const LAYOUT = 1;
/** The same behind a roster of its own. */
const ROSTER_LAYOUT = 2;
/** Bits of the mask of columns, above those of COUNTS. */
const VISITORS = 1 << 20;
const EXTRAS = 1 << 21;

/** In how many rows a visitor must stand on average: below, their number costs more than it saves. */
const ROSTER_PAYS = 2;
/** Of so many visitors in rows or more, one in SAMPLED says whether they repeat. */
const MANY = 4_096;
const SAMPLED = 16;

/** Names for the visitors of rows that are counted exactly; undefined where they hardly repeat. */
export function rosterOf(rows: Iterable<Measures>): Roster | undefined {
  const sketches: UltraLogLog[] = [];
  let uses = 0;
  for (const { visitors } of rows) {
    if (!visitors?.isExact) continue;
    sketches.push(visitors);
    uses += visitors.estimate();
  }
  const told = new NumberSet();
  const tell = (every: number): number => sketches.reduce((sum, one) => sum + one.tell(told, every), 0);
  const every = uses < MANY ? 1 : SAMPLED;
  if (tell(every) < ROSTER_PAYS * told.size || told.size === 0) return undefined;
  if (every > 1) tell(1);
  return Roster.of(told);
}

/**
 * Canonical: equal rows give equal bytes. Rows of nothing are left out; no bytes when there is no other. `roster` is that
 * of the rollup, with every visitor of the table in it, which is then needed to read it.
 */
export function writeColumns(
  writer: ByteWriter,
  table: ReadonlyMap<string, Measures>,
  roster?: Roster,
): void {
  const values = filledValues(table);
  if (values.length === 0) return;
  writer.byte(LAYOUT);
  writeBody(writer, table, values, roster);
}

/** The same with a roster of its own, for a table that lies apart. */
export function writeTableApart(writer: ByteWriter, table: ReadonlyMap<string, Measures>): void {
  const values = filledValues(table);
  if (values.length === 0) return;
  const roster = rosterOf(table.values());
  writer.byte(roster ? ROSTER_LAYOUT : LAYOUT);
  roster?.encode(writer);
  writeBody(writer, table, values, roster);
}

function filledValues(table: ReadonlyMap<string, Measures>): string[] {
  // Texts sort by code unit as they are, which is much faster than comparing entries.
  const values: string[] = [];
  table.forEach((row, value) => {
    if (!row.isZero()) values.push(value);
  });
  return values.sort();
}

function writeBody(
  writer: ByteWriter,
  table: ReadonlyMap<string, Measures>,
  values: readonly string[],
  roster: Roster | undefined,
): void {
  const rows = values.map((value) => table.get(value)!);
  let mask = 0;
  for (const row of rows)
    mask |= row.countMask() | (row.isSketched() ? VISITORS : 0) | (row.hasExtras() ? EXTRAS : 0);
  writer.varint(mask);
  writer.varint(values.length);
  for (const value of values) writer.text(value);
  for (let bit = 0; bit < COUNTS.length; bit++) {
    if (((mask >> bit) & 1) === 0) continue;
    const name = COUNTS[bit]!;
    for (const row of rows) writer.signed(saturated(row[name]));
  }
  if (mask & VISITORS) {
    for (const { visitors } of rows) writer.varint(visitors?.atMost() ?? 0);
    writer.parts(rows, (row) => {
      if (row.isSketched()) row.encodeVisitors(writer, roster);
    });
  }
  if (mask & EXTRAS) writer.parts(rows, writeExtras);
}

const writeExtras = (row: Measures, writer: ByteWriter): void => row.encodeExtras(writer);

/** The sketches, revenue and vitals of all rows, undecoded. */
export class SketchColumns {
  readonly #bytes: Uint8Array;
  /** Where each row's part begins, and one more where the last ends; undefined when no row has any. */
  readonly #visitors: readonly number[] | undefined;
  readonly #extras: readonly number[] | undefined;
  readonly #roster: Roster | undefined;

  constructor(
    bytes: Uint8Array,
    visitors: readonly number[] | undefined,
    extras: readonly number[] | undefined,
    roster: Roster | undefined,
  ) {
    this.#bytes = bytes;
    this.#roster = roster;
    this.#visitors = visitors;
    this.#extras = extras;
  }

  hasVisitors(row: number): boolean {
    return hasPart(this.#visitors, row);
  }

  hasExtras(row: number): boolean {
    return hasPart(this.#extras, row);
  }

  /** Adds the visitors of a row. RangeError for bytes that are no sketch, as by `addExtras`. */
  addVisitors(row: number, to: Measures): void {
    if (!this.hasVisitors(row)) return;
    const sketch = UltraLogLog.decode(this.#part(this.#visitors!, row), this.#roster);
    if (to.visitors) to.visitors.merge(sketch);
    else to.visitors = sketch;
  }

  /** Adds revenue and vitals. */
  addExtras(row: number, to: Measures): void {
    if (this.hasExtras(row)) to.mergeExtras(this.#part(this.#extras!, row));
  }

  #part(starts: readonly number[], row: number): ByteReader {
    return new ByteReader(this.#bytes.subarray(starts[row]!, starts[row + 1]!));
  }
}

/** What `writeColumns` wrote, read in place, with the roster that it was given. RangeError for other bytes: of sketches not before they are asked for. */
export class ColumnTable {
  readonly byteLength: number;
  readonly values: readonly string[];
  readonly sketches: SketchColumns;
  /** In the order of COUNTS; undefined where all are 0. */
  readonly #counts: readonly (readonly number[] | undefined)[];
  readonly #mostVisitors: readonly number[] | undefined;

  constructor(bytes: Uint8Array, shared?: Roster) {
    this.byteLength = bytes.length;
    const reader = new ByteReader(bytes);
    const layout = reader.byte();
    if (layout !== LAYOUT && layout !== ROSTER_LAYOUT)
      throw new RangeError(`table layout ${layout}, this code reads ${LAYOUT} and ${ROSTER_LAYOUT}`);
    const roster = layout === ROSTER_LAYOUT ? Roster.decode(reader) : shared;
    const mask = reader.varint();
    const size = reader.varint();
    const values: string[] = [];
    for (let i = 0; i < size; i++) values.push(reader.text());
    this.values = values;
    const counts: (number[] | undefined)[] = [];
    for (let bit = 0; bit < COUNTS.length; bit++)
      counts.push((mask >> bit) & 1 ? integers(reader, size) : undefined);
    this.#counts = counts;
    this.#mostVisitors = mask & VISITORS ? lengths(reader, size) : undefined;
    const visitors = mask & VISITORS ? offsets(reader, size) : undefined;
    const extras = mask & EXTRAS ? offsets(reader, size) : undefined;
    this.sketches = new SketchColumns(bytes, visitors, extras, roster);
    if (!reader.done) throw new RangeError(`table of ${size} rows: bytes are left over`);
  }

  /** Adds the integers of a row. */
  addCounts(row: number, to: Measures): void {
    for (let bit = 0; bit < COUNTS.length; bit++) {
      const column = this.#counts[bit];
      if (column) to[COUNTS[bit]!] += column[row]!;
    }
  }

  /** No row has more visitors, as `UltraLogLog.atMost` has it. */
  mostVisitors(row: number): number {
    return this.#mostVisitors?.[row] ?? 0;
  }

  /** Adds all that a row has. */
  addRow(row: number, to: Measures): void {
    this.addCounts(row, to);
    this.sketches.addVisitors(row, to);
    this.sketches.addExtras(row, to);
  }
}

const hasPart = (starts: readonly number[] | undefined, row: number): boolean =>
  starts !== undefined && starts[row + 1]! > starts[row]!;

// Plain arrays: most tables have few rows, and a typed array takes 200 bytes before its first number.

function integers(reader: ByteReader, size: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < size; i++) numbers.push(reader.signed());
  return numbers;
}

function lengths(reader: ByteReader, size: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < size; i++) numbers.push(reader.varint());
  return numbers;
}

function offsets(reader: ByteReader, size: number): number[] {
  const starts = lengths(reader, size);
  let start = reader.position;
  for (let i = 0; i < size; i++) {
    const length = starts[i]!;
    starts[i] = start;
    start += length;
  }
  starts.push(start);
  reader.bytes(start - reader.position);
  return starts;
}
