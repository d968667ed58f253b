/** What one row of the performance table is: a figure of ours, a figure of something everybody knows, and their ratio. */

export interface Benchmark {
  /** Short and lasting: `--only` and the recorded ratios name rows by it. */
  readonly id: string;
  /** What is measured, and the unit of the figure, as the table says it. */
  readonly what: string;
  /** What it is measured against, in the same run and the same unit. */
  readonly against: string;
  readonly unit: string;
  /** Whether a lower ratio (time, bytes) or a higher one (throughput) is better. */
  readonly better: "lower" | "higher";
  /** The ratio to reach, and the one to strive for. */
  readonly floor: number;
  readonly aim: number;
  /** Measures it within about `budgetMs`. Undefined where what it needs is not on this machine. */
  run(context: BenchContext): Promise<Measured | undefined>;
}

export interface BenchContext {
  readonly budgetMs: number;
  readonly seed: number;
  /** A directory of this run's own, on the disk that the product would write to. */
  readonly directory: string;
  /** Prints a line that explains a figure: shares, sizes, percentiles. It also goes below the table. */
  readonly note: (line: string) => void;
}

export interface Measured {
  /** Medians of the runs kept. */
  readonly value: number;
  readonly baseline: number;
  /** Median of the ratios of neighbouring runs. */
  readonly ratio: number;
  /** Lowest and highest of those ratios. */
  readonly spread: readonly [lowest: number, highest: number];
  readonly runs: number;
  /** Runs thrown away because the machine was slower by half than at its quietest. */
  readonly discarded: number;
}

/** What `--json` writes, and nothing else: the table has the spread. */
export interface Result extends Pick<Measured, "value" | "baseline" | "ratio"> {
  readonly id: string;
  readonly floor: number;
  readonly aim: number;
  readonly better: "lower" | "higher";
}

export type Verdict = "aim" | "floor" | "missed";

/** Which of its two marks a ratio reaches. */
export function verdict({
  ratio,
  floor,
  aim,
  better,
}: Pick<Result, "ratio" | "floor" | "aim" | "better">): Verdict {
  const reaches = (mark: number): boolean => (better === "lower" ? ratio <= mark : ratio >= mark);
  return reaches(aim) ? "aim" : reaches(floor) ? "floor" : "missed";
}
