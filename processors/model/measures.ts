/** What is counted for one value of one dimension: integers that add, and sketches that merge. Order never shows. */
import type { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { QuantileSketch } from "../sketches/quantiles.ts";
import type { Roster } from "../sketches/roster.ts";
import { UltraLogLog } from "../sketches/ultraloglog.ts";
import { VITALS, type Vital } from "./event.ts";

/**
 * The additive integers, in encoding order (append only). May be negative in a partial, because a visit that goes
 * on takes back its bounce and moves its exit page; the sum over all partials of a window never is.
 */
export const COUNTS = [
  "events", // page views and custom events; engagement and vitals are reports about a page view, not events
  "pageviews",
  "visits", // visits that began here; for event dimensions: visits in which the value first occurred
  "bounces", // visits with at most one interactive event
  "durationMs", // first to last event of the visits that began here
  "engagedMs", // visible, active time
  "reads", // (visit, page) pairs that reported engaged time
  "scrollSum", // sum over those pairs of the deepest scroll in percent
  "scrolls", // pairs that reported a scroll depth
  "exitVisitors", // only in visit:exit_page: visitors, as an integer, because an exit page can be taken back
] as const;
export type Count = (typeof COUNTS)[number];

export interface Money {
  /** Minor units. */
  minor: number;
  /** Events that carried it. */
  count: number;
}

export class Measures {
  events = 0;
  pageviews = 0;
  visits = 0;
  bounces = 0;
  durationMs = 0;
  engagedMs = 0;
  reads = 0;
  scrollSum = 0;
  scrolls = 0;
  exitVisitors = 0;
  visitors: UltraLogLog | undefined;
  /** By ISO 4217 currency. */
  revenue: Map<string, Money> | undefined;
  vitals: Map<Vital, QuantileSketch> | undefined;

  /** The integers. */
  get counts(): Readonly<Record<Count, number>> {
    return this;
  }

  get extras(): Pick<Measures, "revenue" | "vitals"> {
    return this;
  }

  addVisitor(hi: number, lo: number): void {
    this.visitors ??= new UltraLogLog();
    this.visitors.add(hi, lo);
  }

  addRevenue(currency: string, minor: number, count = 1): void {
    this.revenue ??= new Map();
    const money = this.revenue.get(currency);
    if (money) {
      money.minor += minor;
      money.count += count;
    } else this.revenue.set(currency, { minor, count });
  }

  addVital(name: Vital, value: number): void {
    this.vitals ??= new Map();
    let sketch = this.vitals.get(name);
    if (!sketch) {
      sketch = new QuantileSketch();
      this.vitals.set(name, sketch);
    }
    sketch.add(value);
  }

  /** Adds the integers of `other` alone. */
  addCounts(other: Readonly<Record<Count, number>>): void {
    this.events += other.events;
    this.pageviews += other.pageviews;
    this.visits += other.visits;
    this.bounces += other.bounces;
    this.durationMs += other.durationMs;
    this.engagedMs += other.engagedMs;
    this.reads += other.reads;
    this.scrollSum += other.scrollSum;
    this.scrolls += other.scrolls;
    this.exitVisitors += other.exitVisitors;
  }

  merge(other: Measures): void {
    this.addCounts(other);
    if (other.visitors) {
      if (this.visitors) this.visitors.merge(other.visitors);
      else this.visitors = other.visitors.clone();
    }
    for (const [currency, money] of other.revenue ?? []) this.addRevenue(currency, money.minor, money.count);
    for (const [name, sketch] of other.vitals ?? []) {
      this.vitals ??= new Map();
      const mine = this.vitals.get(name);
      if (mine) mine.merge(sketch);
      else this.vitals.set(name, sketch.clone());
    }
  }

  /** True when nothing is left to say; such rows are not encoded, so that +1 and -1 leave no trace. */
  isZero(): boolean {
    return this.countMask() === 0 && !this.isSketched() && !this.hasExtras();
  }

  /** A bit for each count that is not zero, in the order of COUNTS. Every row of every rollup asks: no loop over names. */
  countMask(): number {
    return (
      (this.events !== 0 ? 1 : 0) |
      (this.pageviews !== 0 ? 2 : 0) |
      (this.visits !== 0 ? 4 : 0) |
      (this.bounces !== 0 ? 8 : 0) |
      (this.durationMs !== 0 ? 16 : 0) |
      (this.engagedMs !== 0 ? 32 : 0) |
      (this.reads !== 0 ? 64 : 0) |
      (this.scrollSum !== 0 ? 128 : 0) |
      (this.scrolls !== 0 ? 256 : 0) |
      (this.exitVisitors !== 0 ? 512 : 0)
    );
  }

  /** Whether it has visitors. */
  isSketched(): boolean {
    return this.visitors !== undefined && !this.visitors.isEmpty;
  }

  /** Whether it has revenue or vitals. */
  hasExtras(): boolean {
    return this.#hasMoney() || this.#hasVitals();
  }

  #hasMoney(): boolean {
    if (this.revenue)
      for (const { minor, count } of this.revenue.values()) if (minor !== 0 || count !== 0) return true;
    return false;
  }

  #hasVitals(): boolean {
    if (this.vitals) for (const sketch of this.vitals.values()) if (!sketch.isEmpty) return true;
    return false;
  }

  /**
   * Canonical: equal content gives equal bytes. A bit mask says which fields follow. With a roster, visitors who are
   * counted exactly are named by it, and `decode` needs the same.
   */
  encode(writer: ByteWriter, roster?: Roster): void {
    const counts = this.countMask();
    const isSketched = this.isSketched();
    const hasMoney = this.#hasMoney();
    const hasVitals = this.#hasVitals();
    writer.varint(
      counts | (isSketched ? VISITORS_BIT : 0) | (hasMoney ? REVENUE_BIT : 0) | (hasVitals ? VITALS_BIT : 0),
    );
    for (let bit = 0; counts >> bit !== 0; bit++)
      if ((counts >> bit) & 1) writer.signed(saturated(this[COUNTS[bit]!]));
    if (isSketched) this.encodeVisitors(writer, roster);
    if (hasMoney) this.#encodeRevenue(writer);
    if (hasVitals) this.#encodeVitals(writer);
  }

  /** Visitors alone, of a row that is sketched. */
  encodeVisitors(writer: ByteWriter, roster?: Roster): void {
    if (roster) this.visitors!.encodeNamed(writer, roster);
    else this.visitors!.encode(writer);
  }

  /** Revenue and vitals alone; no bytes when there are none. */
  encodeExtras(writer: ByteWriter): void {
    const hasMoney = this.#hasMoney();
    const hasVitals = this.#hasVitals();
    if (!hasMoney && !hasVitals) return;
    writer.byte((hasMoney ? EXTRA_REVENUE : 0) | (hasVitals ? EXTRA_VITALS : 0));
    if (hasMoney) this.#encodeRevenue(writer);
    if (hasVitals) this.#encodeVitals(writer);
  }

  /** Adds what `encodeExtras` wrote; nothing where no bytes are left. */
  mergeExtras(reader: ByteReader): void {
    if (reader.done) return;
    const parts = reader.byte();
    if (parts & EXTRA_REVENUE) this.#addRevenueFrom(reader);
    if (parts & EXTRA_VITALS) this.#addVitalsFrom(reader);
  }

  #addRevenueFrom(reader: ByteReader): void {
    for (let left = reader.varint(); left > 0; left--)
      this.addRevenue(reader.text(), reader.signed(), reader.signed());
  }

  #addVitalsFrom(reader: ByteReader): void {
    this.vitals ??= new Map();
    for (let left = reader.varint(); left > 0; left--) {
      const name = VITALS[reader.byte()];
      if (!name) throw new RangeError("unknown vital in a rollup");
      const sketch = QuantileSketch.decode(reader);
      const mine = this.vitals.get(name);
      if (mine) mine.merge(sketch);
      else this.vitals.set(name, sketch);
    }
  }

  #encodeRevenue(writer: ByteWriter): void {
    const revenue = [...this.revenue!].filter(([, m]) => m.minor !== 0 || m.count !== 0).sort(byKey);
    writer.varint(revenue.length);
    for (const [currency, money] of revenue) {
      writer.text(currency);
      writer.signed(saturated(money.minor));
      writer.signed(saturated(money.count));
    }
  }

  #encodeVitals(writer: ByteWriter): void {
    const vitals = VITALS.filter((name) => this.vitals!.get(name)?.isEmpty === false);
    writer.varint(vitals.length);
    for (const name of vitals) {
      writer.byte(VITALS.indexOf(name));
      this.vitals!.get(name)!.encode(writer);
    }
  }

  static decode(reader: ByteReader, roster?: Roster): Measures {
    const measures = new Measures();
    const mask = reader.varint();
    for (let bit = 0; bit < COUNTS.length; bit++)
      if ((mask >> bit) & 1) measures[COUNTS[bit]!] = reader.signed();
    if (mask & VISITORS_BIT) measures.visitors = UltraLogLog.decode(reader, roster);
    if (mask & REVENUE_BIT) measures.#addRevenueFrom(reader);
    if (mask & VITALS_BIT) measures.#addVitalsFrom(reader);
    return measures;
  }
}

// Bits above the counts; 20 leaves room for ten more counts before the layout version must change.
const VISITORS_BIT = 1 << 20;
const REVENUE_BIT = 1 << 21;
const VITALS_BIT = 1 << 22;
/** Flags of the first byte of extras. */
const EXTRA_REVENUE = 1;
const EXTRA_VITALS = 2;

/** Anybody may post absurd prices again and again: a sum stands still at 2^51 rather than stop the counting of all. */
export const saturated = (sum: number): number => Math.max(-(2 ** 51), Math.min(sum, 2 ** 51));

/** Orders map entries by key in code-unit order, which is the same on every machine. */
export const byKey = (a: readonly [string, unknown], b: readonly [string, unknown]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
