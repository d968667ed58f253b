/**
 * The rows of one chunk as numbers: who sent them, when, and where the texts of each stand. As objects ten thousand of them
 * outlive their youth, and what was collecting the old took a sixth of an import's time.
 */
import type { EpochMs } from "../../model/time.ts";

/** All but the time are numbers of values that somebody else keeps. */
export interface NumberedRow {
  readonly sender: number;
  readonly at: EpochMs;
  readonly url: number;
  readonly referrer: number;
  readonly kind: number;
}

const FIELDS = 5;
const FIRST_ROWS = 1_024;

export class RowNumbers {
  #numbers = new Float64Array(FIRST_ROWS * FIELDS);
  length = 0;

  push({ sender, at, url, referrer, kind }: NumberedRow): void {
    const start = this.length * FIELDS;
    if (start === this.#numbers.length) {
      const more = new Float64Array(2 * start);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    const numbers = this.#numbers;
    numbers[start] = sender;
    numbers[start + 1] = at;
    numbers[start + 2] = url;
    numbers[start + 3] = referrer;
    numbers[start + 4] = kind;
    this.length++;
  }

  at = (row: number): EpochMs => this.#numbers[row * FIELDS + 1]!;
  url = (row: number): number => this.#numbers[row * FIELDS + 2]!;
  referrer = (row: number): number => this.#numbers[row * FIELDS + 3]!;
  kind = (row: number): number => this.#numbers[row * FIELDS + 4]!;

  /** Numbers of all rows, sender after sender and of each as they came; `ends`: where in them each sender's end. */
  bySender(senders: number): { readonly order: Uint32Array; readonly ends: Uint32Array } {
    const ends = new Uint32Array(senders);
    for (let row = 0; row < this.length; row++) ends[this.#numbers[row * FIELDS]!]!++;
    // Where each begins, which moves to its end while its rows are put down.
    for (let sender = 0, start = 0; sender < senders; sender++) {
      const count = ends[sender]!;
      ends[sender] = start;
      start += count;
    }
    const order = new Uint32Array(this.length);
    for (let row = 0; row < this.length; row++) order[ends[this.#numbers[row * FIELDS]!]!++] = row;
    return { order, ends };
  }

  /** Sorts numbers of rows by their time, those of one time as they are. Most files are in order. */
  byTime(rows: Uint32Array): Uint32Array {
    for (let i = 1; i < rows.length; i++)
      if (this.at(rows[i]!) < this.at(rows[i - 1]!))
        return rows.sort((a, b) => this.at(a) - this.at(b) || a - b);
    return rows;
  }

  clear(): void {
    this.length = 0;
  }
}
