/** A column of rows as runs of equal values: few, where few rows differ from the one before. Knows no column and no format. */

/** The rows from `from` to before `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

const FIRST_STARTS = 16;

export class Runs<Value = unknown> {
  /** Each stands for the rows from its start to the next one's, or to the end. */
  readonly values: Value[] = [];
  /** With room for more: growing an array of numbers would leave three times as much behind. */
  #starts = new Uint32Array(FIRST_STARTS);
  /** Rows. */
  length = 0;

  /** All rows hold one value. */
  get isUniform(): boolean {
    return this.values.length === 1;
  }

  /** From this row on, which is behind the last start, the column holds another value. Says nothing of how many rows follow. */
  begin(value: Value, row: number): void {
    const run = this.values.length;
    if (run === this.#starts.length) {
      const more = new Uint32Array(run * 2);
      more.set(this.#starts);
      this.#starts = more;
    }
    this.#starts[run] = row;
    this.values.push(value);
  }

  /** `rows` more of this value. */
  append(value: Value, rows = 1): void {
    if (rows === 0) return;
    const { values } = this;
    if (values.length === 0 || !Object.is(values[values.length - 1], value)) this.begin(value, this.length);
    this.length += rows;
  }

  /** Behind the last row of a run. */
  end(run: number): number {
    return run + 1 < this.values.length ? this.#starts[run + 1]! : this.length;
  }

  /** These rows alone, as they follow each other: ranges ascend and do not overlap. */
  select(ranges: readonly Range[]): Runs<Value> {
    const selected = new Runs<Value>();
    if (this.isUniform) {
      selected.append(
        this.values[0]!,
        ranges.reduce((rows, { from, to }) => rows + to - from, 0),
      );
      return selected;
    }
    let run = 0;
    for (const { from, to } of ranges) {
      while (this.end(run) <= from) run++;
      // Ranges may meet in one value.
      selected.append(this.values[run]!, Math.min(this.end(run), to) - from);
      for (; this.end(run) < to; ) {
        run++;
        selected.begin(this.values[run]!, selected.length);
        selected.length += Math.min(this.end(run), to) - this.end(run - 1);
      }
    }
    return selected;
  }

  /** The value of each row. */
  *[Symbol.iterator](): Generator<Value> {
    for (let run = 0, row = 0; run < this.values.length; run++)
      for (; row < this.end(run); row++) yield this.values[run]!;
  }
}
