/** Rows under way: the measures of each cell of numbers, before they are written. */
import { COUNTS, type Count, type Money } from "../model/measures.ts";
import { Cells, IntLists } from "./cells.ts";

/** Where each count stands in a cell. */
const place = (name: Count): number => COUNTS.indexOf(name);
export const EVENTS = place("events");
export const PAGEVIEWS = place("pageviews");
export const VISITS = place("visits");
export const BOUNCES = place("bounces");
export const DURATION_MS = place("durationMs");
export const ENGAGED_MS = place("engagedMs");
export const READS = place("reads");
export const SCROLL_SUM = place("scrollSum");
export const SCROLLS = place("scrolls");
export const EXIT_VISITORS = place("exitVisitors");

/** Rows by number of cell. */
export class Rows {
  readonly cells = new Cells(COUNTS.length);
  /** Numbers of the people that each row has seen; some of them more than once. */
  readonly visitors = new IntLists();
  /** Samples of vitals, as `sampleOf` numbers them. */
  readonly vitals = new IntLists();
  readonly revenue = new Map<number, Map<string, Money>>();

  add(cell: number, place: number, value: number): void {
    this.cells.add(cell, place, value);
  }

  addRevenue(cell: number, currency: string, minor: number, count: number): void {
    let sums = this.revenue.get(cell);
    if (!sums) {
      sums = new Map();
      this.revenue.set(cell, sums);
    }
    const money = sums.get(currency);
    if (money) {
      money.minor += minor;
      money.count += count;
    } else sums.set(currency, { minor, count });
  }
}
