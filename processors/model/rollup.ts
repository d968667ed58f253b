/**
 * The mergeable aggregate of one (site, window): totals, and for each dimension a bounded table value -> measures.
 * Merging is addition and union, so any order of merging gives the same bytes (except for a table that overflowed).
 */
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { Roster } from "../sketches/roster.ts";
import { ColumnTable, rosterOf, writeColumns } from "./columns.ts";
import { PROPS_PREFIX } from "./dimensions.ts";
import { REJECT_REASONS, type RejectReason } from "./event.ts";
import { Measures } from "./measures.ts";

export type Table = Map<string, Measures>;

/** Property keys in one rollup. Later keys are dropped whole; totals and the other dimensions stay exact. */
export const MAX_PROPS_TABLES = 44;

/** Rows one after the other: of commits, and of items before there were columns. */
const ROWS_VERSION = 1;
const COLUMNS_VERSION = 2;
/** Columns behind a roster, which names the visitors of all tables: where that is shorter. */
const ROSTER_VERSION = 3;

export class Rollup {
  /** Or whatever reads them when somebody asks. */
  #totals: Measures | (() => Measures);
  /** Events whose window had ended longer than the allowed lateness before their batch was received; counted all the same. */
  late = 0;
  readonly rejects = new Map<RejectReason, number>();
  /** Undecoded tables stay bytes, or whatever is read by a function, until somebody asks: a query for one dimension must not pay for all. */
  readonly #tables = new Map<string, StoredTable>();

  constructor(totals: Measures | (() => Measures) = new Measures()) {
    this.#totals = totals;
  }

  get totals(): Measures {
    if (typeof this.#totals === "function") this.#totals = this.#totals();
    return this.#totals;
  }

  get dimensions(): string[] {
    return [...this.#tables.keys()].sort();
  }

  get #propsTables(): number {
    let count = 0;
    for (const dimension of this.#tables.keys()) if (dimension.startsWith(PROPS_PREFIX)) count++;
    return count;
  }

  /** The table of a dimension, or undefined if nothing was counted for it. */
  table(dimension: string): Table | undefined {
    const stored = this.#tables.get(dimension);
    const table = stored && tableOf(stored);
    if (table && table !== stored) this.#tables.set(dimension, table);
    return table;
  }

  /** The same for one who reads it only: what is still bytes stays bytes. Rows may be shared; never change them. */
  readTable(dimension: string): Table | DeferredTable | undefined {
    const stored = this.#tables.get(dimension);
    if (stored instanceof Columns) return stored.read();
    return typeof stored === "function" ? stored() : stored && tableOf(stored);
  }

  /** Takes a table that is read when somebody asks for it. It may turn out to have no rows. */
  defer(dimension: string, read: () => DeferredTable): void {
    this.#tables.set(dimension, read);
  }

  /** Has this table instead of any other; its rows are the rollup's own from now on. */
  setTable(dimension: string, table: Table): void {
    this.#tables.set(dimension, table);
  }

  /** The row to add to, made if needed. Undefined when there are too many dimensions. */
  row(dimension: string, value: string): Measures | undefined {
    const table = this.#tableToAddTo(dimension);
    return table && rowIn(table, value);
  }

  #tableToAddTo(dimension: string): Table | undefined {
    let table = this.table(dimension);
    if (!table) {
      if (dimension.startsWith(PROPS_PREFIX) && this.#propsTables >= MAX_PROPS_TABLES) return undefined;
      table = new Map();
      this.#tables.set(dimension, table);
    }
    return table;
  }

  reject(reason: RejectReason, count = 1): void {
    this.rejects.set(reason, (this.rejects.get(reason) ?? 0) + count);
  }

  /** Adds `other` into this; `other` is not changed and shares nothing with this afterwards. */
  merge(other: Rollup): void {
    this.mergeTotals(other);
    for (const dimension of other.dimensions) this.mergeTable(dimension, other.readTable(dimension));
  }

  /** Adds all but the tables. */
  mergeTotals(other: Rollup): void {
    this.totals.merge(other.totals);
    this.late += other.late;
    for (const [reason, count] of other.rejects) this.reject(reason, count);
  }

  /** Adds one table, which is not changed. */
  mergeTable(dimension: string, other: Table | DeferredTable | undefined): void {
    const size = isDeferred(other) ? other.values.length : (other?.size ?? 0);
    const table = size > 0 ? this.#tableToAddTo(dimension) : undefined;
    if (!table) return;
    if (isDeferred(other)) for (let i = 0; i < size; i++) other.addRow(i, rowIn(table, other.values[i]!));
    else
      other?.forEach((measures, value) => {
        rowIn(table, value).merge(measures);
      });
  }

  /** Canonical bytes: sorted, zero rows left out, version first. */
  encode(): Uint8Array<ArrayBuffer> {
    const writer = new ByteWriter(1024);
    this.encodeTo(writer);
    return writer.finish();
  }

  encodeTo(writer: ByteWriter): void {
    writer.byte(ROWS_VERSION);
    this.#encodeTotals(writer);
    this.#encodeTables(writer, encodeTable);
  }

  /** As `encodeTo`, for what is read by column: canonical too, and read by `decode` as well. */
  encodeColumnsTo(writer: ByteWriter): void {
    // Read here, each once, because a roster needs all of them.
    const tables = this.dimensions.flatMap((dimension) => [...this.table(dimension)!.values()]);
    const roster = rosterOf([this.totals, ...tables]);
    writer.byte(roster ? ROSTER_VERSION : COLUMNS_VERSION);
    roster?.encode(writer);
    this.#encodeTotals(writer, roster);
    this.#encodeTables(writer, (stored) => writeColumns(writer, tableOf(stored), roster));
  }

  #encodeTotals(writer: ByteWriter, roster?: Roster): void {
    this.totals.encode(writer, roster);
    writer.varint(this.late);
    const rejects = REJECT_REASONS.filter((reason) => this.rejects.get(reason));
    writer.varint(rejects.length);
    for (const reason of rejects) {
      writer.byte(REJECT_REASONS.indexOf(reason));
      writer.varint(this.rejects.get(reason) ?? 0);
    }
  }

  #encodeTables(writer: ByteWriter, encode: (table: StoredTable, writer: ByteWriter) => void): void {
    const dimensions = this.dimensions.filter((dimension) => isFilled(this.#tables.get(dimension)));
    writer.varint(dimensions.length);
    for (const dimension of dimensions) {
      writer.text(dimension);
      writer.measured(() => encode(this.#tables.get(dimension)!, writer));
    }
  }

  static decode(bytes: Uint8Array): Rollup {
    const reader = new ByteReader(bytes);
    const version = reader.byte();
    if (version < ROWS_VERSION || version > ROSTER_VERSION)
      throw new RangeError(`rollup version ${version}, this code reads ${ROWS_VERSION} to ${ROSTER_VERSION}`);
    const roster = version === ROSTER_VERSION ? Roster.decode(reader) : undefined;
    const rollup = new Rollup(Measures.decode(reader, roster));
    rollup.late = reader.varint();
    for (let left = reader.varint(); left > 0; left--) {
      const reason = REJECT_REASONS[reader.byte()];
      if (!reason) throw new RangeError("unknown reject reason in a rollup");
      rollup.rejects.set(reason, reader.varint());
    }
    for (let left = reader.varint(); left > 0; left--) {
      const dimension = reader.text();
      const bytes = reader.block();
      rollup.#tables.set(dimension, version === ROWS_VERSION ? bytes : new Columns(bytes, roster));
    }
    return rollup;
  }
}

function rowIn(table: Table, value: string): Measures {
  let row = table.get(value);
  if (!row) {
    row = new Measures();
    table.set(value, row);
  }
  return row;
}

/** A table whose integers are added up without looking at sketches: those are decoded where somebody asks for them. */
export interface DeferredTable {
  readonly byteLength: number;
  readonly values: readonly string[];
  readonly sketches: DeferredSketches;
  /** Adds the integers of a row. */
  addCounts(row: number, to: Measures): void;
  /** No row has more visitors, as `UltraLogLog.atMost` has it. */
  mostVisitors(row: number): number;
  /** Adds all that a row has. */
  addRow(row: number, to: Measures): void;
}

/** Visitors, and revenue and vitals, of the rows of a table. */
export interface DeferredSketches {
  hasVisitors(row: number): boolean;
  hasExtras(row: number): boolean;
  addVisitors(row: number, to: Measures): void;
  addExtras(row: number, to: Measures): void;
}

export const isDeferred = (table: Table | DeferredTable | undefined): table is DeferredTable =>
  table !== undefined && !(table instanceof Map);

function wholeTable(deferred: DeferredTable): Table {
  const table: Table = new Map();
  for (let row = 0; row < deferred.values.length; row++) {
    const measures = new Measures();
    deferred.addRow(row, measures);
    table.set(deferred.values[row]!, measures);
  }
  return table;
}

/** Undecoded columns. */
class Columns {
  readonly bytes: Uint8Array;
  readonly #roster: Roster | undefined;

  constructor(bytes: Uint8Array, roster: Roster | undefined) {
    this.bytes = bytes;
    this.#roster = roster;
  }

  read(): ColumnTable {
    return new ColumnTable(this.bytes, this.#roster);
  }
}

/** A table, its rows as bytes, its columns, or who reads it. */
type StoredTable = Table | Uint8Array | Columns | (() => DeferredTable);

function tableOf(stored: StoredTable): Table {
  if (stored instanceof Uint8Array) return decodeTable(stored);
  if (stored instanceof Columns) return wholeTable(stored.read());
  return typeof stored === "function" ? wholeTable(stored()) : stored;
}

function isFilled(stored: StoredTable | undefined): boolean {
  if (stored instanceof Uint8Array) return stored.length > 0;
  if (stored instanceof Columns) return stored.bytes.length > 0;
  if (typeof stored === "function") return stored().values.length > 0;
  const table = stored && tableOf(stored);
  if (table) for (const measures of table.values()) if (!measures.isZero()) return true;
  return false;
}

function encodeTable(stored: StoredTable, writer: ByteWriter): void {
  if (stored instanceof Uint8Array) {
    writer.bytes(stored);
    return;
  }
  const table = tableOf(stored);
  // Texts sort by code unit as they are, which is much faster than comparing entries.
  for (const value of [...table.keys()].sort()) {
    const measures = table.get(value)!;
    if (measures.isZero()) continue;
    writer.text(value);
    measures.encode(writer);
  }
}

function decodeTable(bytes: Uint8Array): Table {
  const reader = new ByteReader(bytes);
  const table: Table = new Map();
  while (!reader.done) table.set(reader.text(), Measures.decode(reader));
  return table;
}
