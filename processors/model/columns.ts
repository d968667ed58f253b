/**
 * A table as it lies in a rollup item: values, then each integer of all rows, how many visitors each has at most, then the sketches. So integers are added
 * up without looking at sketches, and a sketch is decoded only where somebody asks for it. Rows are in order of value.
 */
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { UltraLogLog } from "../sketches/ultraloglog.ts";
import { COUNTS, Measures, saturated } from "./measures.ts";

const LAYOUT = 1;
/** Bits of the mask of columns, above those of COUNTS. */
const VISITORS = 1 << 20;
const EXTRAS = 1 << 21;

/** Canonical: equal rows give equal bytes. Rows of nothing are left out; no bytes when there is no other. */
export function writeColumns(writer: ByteWriter, table: ReadonlyMap<string, Measures>): void {
  // Texts sort by code unit as they are, which is much faster than comparing entries.
  const values = [...table.keys()].sort().filter((value) => !table.get(value)!.isZero());
  if (values.length === 0) return;
  const rows = values.map((value) => table.get(value)!);
  const present = COUNTS.map((name) => rows.some((row) => row[name] !== 0));
  const visitors = blobs(rows, (row, to) => {
    if (row.visitors && !row.visitors.isEmpty) row.visitors.encode(to);
  });
  const extras = blobs(rows, (row, to) => row.encodeExtras(to));
  writer.byte(LAYOUT);
  writer.varint(
    present.reduce((mask, is, bit) => (is ? mask | (1 << bit) : mask), 0) |
      (visitors.bytes.length > 0 ? VISITORS : 0) |
      (extras.bytes.length > 0 ? EXTRAS : 0),
  );
  writer.varint(values.length);
  for (const value of values) writer.text(value);
  for (const [bit, name] of COUNTS.entries())
    if (present[bit]) for (const row of rows) writer.signed(saturated(row[name]));
  if (visitors.bytes.length > 0) for (const { visitors: one } of rows) writer.varint(one?.atMost() ?? 0);
  for (const { lengths, bytes } of [visitors, extras]) {
    if (bytes.length === 0) continue;
    for (const length of lengths) writer.varint(length);
    writer.bytes(bytes);
  }
}

function blobs(
  rows: readonly Measures[],
  write: (row: Measures, to: ByteWriter) => void,
): { lengths: number[]; bytes: Uint8Array } {
  const writer = new ByteWriter(64);
  const lengths = rows.map((row) => {
    const before = writer.length;
    write(row, writer);
    return writer.length - before;
  });
  return { lengths, bytes: writer.finish() };
}

/** The sketches, revenue and vitals of all rows, undecoded. */
export class SketchColumns {
  readonly #bytes: Uint8Array;
  /** Where each row's part begins, and one more where the last ends; undefined when no row has any. */
  readonly #visitors: Uint32Array | undefined;
  readonly #extras: Uint32Array | undefined;

  constructor(bytes: Uint8Array, visitors: Uint32Array | undefined, extras: Uint32Array | undefined) {
    this.#bytes = bytes;
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
    const sketch = UltraLogLog.decode(this.#part(this.#visitors!, row));
    if (to.visitors) to.visitors.merge(sketch);
    else to.visitors = sketch;
  }

  /** Adds revenue and vitals. */
  addExtras(row: number, to: Measures): void {
    if (this.hasExtras(row)) to.mergeExtras(this.#part(this.#extras!, row));
  }

  #part(starts: Uint32Array, row: number): ByteReader {
    return new ByteReader(this.#bytes.subarray(starts[row]!, starts[row + 1]!));
  }
}

/** What `writeColumns` wrote, read in place. RangeError for other bytes: of sketches not before they are asked for. */
export class ColumnTable {
  readonly byteLength: number;
  readonly values: readonly string[];
  readonly sketches: SketchColumns;
  /** In the order of COUNTS; undefined where all are 0. */
  readonly #counts: readonly (Float64Array | undefined)[];
  readonly #mostVisitors: Float64Array | undefined;

  constructor(bytes: Uint8Array) {
    this.byteLength = bytes.length;
    const reader = new ByteReader(bytes);
    const layout = reader.byte();
    if (layout !== LAYOUT) throw new RangeError(`table layout ${layout}, this code reads ${LAYOUT}`);
    const mask = reader.varint();
    const size = reader.varint();
    const values: string[] = [];
    for (let i = 0; i < size; i++) values.push(reader.text());
    this.values = values;
    const column = (read: () => number): Float64Array => {
      const numbers = new Float64Array(size);
      for (let i = 0; i < size; i++) numbers[i] = read();
      return numbers;
    };
    this.#counts = COUNTS.map((_, bit) =>
      ((mask >> bit) & 1) === 0 ? undefined : column(() => reader.signed()),
    );
    this.#mostVisitors = mask & VISITORS ? column(() => reader.varint()) : undefined;
    const visitors = mask & VISITORS ? offsets(reader, size) : undefined;
    this.sketches = new SketchColumns(bytes, visitors, mask & EXTRAS ? offsets(reader, size) : undefined);
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

  /** All rows, decoded. */
  *rows(): Generator<[value: string, measures: Measures]> {
    for (const [i, value] of this.values.entries()) {
      const measures = new Measures();
      this.addRow(i, measures);
      yield [value, measures];
    }
  }
}

const hasPart = (starts: Uint32Array | undefined, row: number): boolean =>
  starts !== undefined && starts[row + 1]! > starts[row]!;

function offsets(reader: ByteReader, size: number): Uint32Array {
  const starts = new Uint32Array(size + 1);
  let length = 0;
  for (let i = 0; i < size; i++) {
    length += reader.varint();
    starts[i + 1] = length;
  }
  const first = reader.position;
  for (let i = 0; i <= size; i++) starts[i]! += first;
  reader.bytes(length);
  return starts;
}
