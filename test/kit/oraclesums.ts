/**
 * The oracle for who asks it a hundred thousand times: it tells each dimension once for every minute, quarter of an hour
 * and six hours, and a range is the sum of such pieces.
 */
import { newTally, type Oracle, type Tally } from "./oracle.ts";

const MINUTE = 60_000;
/** The longest first. Every zone's hours and days begin at a quarter. */
const LENGTHS: readonly number[] = [360 * MINUTE, 15 * MINUTE, MINUTE];

/** Value -> tally, by start. */
type Pieces = Map<number, Map<string, Tally>>;

export interface Asking {
  /** Whole minutes, half-open. */
  readonly from: number;
  readonly to: number;
  readonly dimension?: string;
  /** The same for all of a minute; a name never comes back after another. */
  readonly bucketOf?: (at: number) => string;
}

export class SummedOracle {
  readonly #oracle: Oracle;
  readonly #site: string;
  readonly #span: { readonly from: number; readonly to: number };
  /** By dimension and length. */
  readonly #pieces = new Map<string, Pieces>();

  constructor(oracle: Oracle, site: string) {
    this.#oracle = oracle;
    this.#site = site;
    this.#span = oracle.span(site);
  }

  /** As the oracle's own `tally`. */
  tally({ from, to, dimension, bucketOf = () => "" }: Asking): Map<string, Tally> {
    const span = this.#span;
    const rows = new Map<string, Tally>();
    let at = Math.max(from, Math.floor(span.from / MINUTE) * MINUTE - 24 * 60 * MINUTE);
    const end = Math.min(to, span.to + 24 * 60 * MINUTE);
    while (at < end) {
      const length = LENGTHS.find(
        (one) =>
          one === MINUTE ||
          (at % one === 0 && at + one <= to && bucketOf(at) === bucketOf(at + one - MINUTE)),
      )!;
      for (const [value, tally] of this.#piecesOf(dimension, length).get(at) ?? []) {
        const key = JSON.stringify([bucketOf(at), value]);
        let row = rows.get(key);
        if (!row) {
          row = newTally();
          rows.set(key, row);
        }
        addTally(row, tally);
      }
      at += length;
    }
    return rows;
  }

  #piecesOf(dimension: string | undefined, length: number): Pieces {
    const name = JSON.stringify([dimension, length]);
    let pieces = this.#pieces.get(name);
    if (!pieces) {
      const shorter = LENGTHS[LENGTHS.indexOf(length) + 1];
      pieces = shorter ? summed(this.#piecesOf(dimension, shorter), length) : this.#minutesOf(dimension);
      this.#pieces.set(name, pieces);
    }
    return pieces;
  }

  #minutesOf(dimension: string | undefined): Pieces {
    const minutes: Pieces = new Map();
    const all = this.#oracle.tally({
      site: this.#site,
      from: 0,
      to: Number.POSITIVE_INFINITY,
      bucketOf: (at) => String(Math.floor(at / MINUTE) * MINUTE),
      ...(dimension === undefined ? {} : { dimension }),
    });
    for (const [key, tally] of all) {
      const [start = "", value = ""] = JSON.parse(key) as string[];
      const minute = minutes.get(Number(start)) ?? new Map<string, Tally>();
      minutes.set(Number(start), minute);
      minute.set(value, tally);
    }
    return minutes;
  }
}

function summed(shorter: Pieces, length: number): Pieces {
  const longer: Pieces = new Map();
  for (const [at, piece] of shorter) {
    const start = Math.floor(at / length) * length;
    const sums = longer.get(start) ?? new Map<string, Tally>();
    longer.set(start, sums);
    for (const [value, tally] of piece) {
      const sum = sums.get(value) ?? newTally();
      sums.set(value, sum);
      addTally(sum, tally);
    }
  }
  return longer;
}

/** Adds all but web vitals. */
export function addTally(into: Tally, more: Tally): void {
  for (const visitor of more.visitors) into.visitors.add(visitor);
  for (const [currency, { minor, count }] of more.revenue) {
    const known = into.revenue.get(currency) ?? { minor: 0, count: 0 };
    into.revenue.set(currency, { minor: known.minor + minor, count: known.count + count });
  }
  for (const name of [
    "events",
    "pageviews",
    "visits",
    "bounces",
    "durationMs",
    "engagedMs",
    "reads",
    "scrolls",
    "scrollSum",
  ] as const)
    into[name] += more[name];
}
