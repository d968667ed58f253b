/**
 * Measures two things side by side on a machine that has other work to do: in alternating blocks, by processor time
 * where that is what counts, and without the blocks during which the machine itself was slow.
 */
import type { Measured } from "./benchmark.ts";

/** Blocks of each contender that are kept, unless the budget ends first. */
const RUNS = 9;
const LEAST_RUNS = 5;
/** A block counts only if the calibration loop beside it took at most this many times its quietest. */
const MAX_SLOWDOWN = 1.5;

/** Measures one block and returns its figure, such as microseconds per event. */
export type Contender = (block: number) => number | Promise<number>;

/** Processor milliseconds of this process, its helper threads (collector of garbage, compiler) included, that `work` takes. */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** Milliseconds on the wall. */
export async function wallMs(work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs both in turn: block 0 of each warms up, the rest count. Goes on to 5 runs beyond the budget, but to twice of it at most. */
export async function sideBySide(
  { subject, baseline, runs = RUNS }: { subject: Contender; baseline: Contender; runs?: number },
  budgetMs: number,
): Promise<Measured> {
  const pairs: Pair[] = [];
  await subject(0);
  await baseline(0);
  const startedAt = performance.now();
  for (let block = 1; ; block++) {
    const before = await calibrate();
    const value = await subject(block);
    const between = await calibrate();
    const base = await baseline(block);
    const after = await calibrate();
    pairs.push({ value, baseline: base, slowness: Math.max(before, between, after) });
    const kept = quiet(pairs).length;
    const spent = performance.now() - startedAt;
    const isEnough =
      kept >= runs || (spent > budgetMs && kept >= LEAST_RUNS) || (spent > 2 * budgetMs && kept > 0);
    if (isEnough) return summary(pairs);
  }
}

interface Pair {
  readonly value: number;
  readonly baseline: number;
  readonly slowness: number;
}

const quiet = (pairs: readonly Pair[]): Pair[] => {
  const quietest = Math.min(...pairs.map(({ slowness }) => slowness));
  return pairs.filter(({ slowness }) => slowness <= MAX_SLOWDOWN * quietest);
};

function summary(pairs: readonly Pair[]): Measured {
  const kept = quiet(pairs);
  const ratios = kept.map(({ value, baseline }) => value / baseline).sort((a, b) => a - b);
  return {
    value: median(kept.map(({ value }) => value)),
    baseline: median(kept.map(({ baseline }) => baseline)),
    ratio: median(ratios),
    spread: [ratios[0]!, ratios.at(-1)!],
    runs: kept.length,
    discarded: pairs.length - kept.length,
  };
}

/** For figures without noise, such as bytes: one run says it all. */
export const exactly = (value: number, baseline: number): Measured => ({
  value,
  baseline,
  ratio: value / baseline,
  spread: [value / baseline, value / baseline],
  runs: 1,
  discarded: 0,
});

/** Three significant digits, without exponents. */
export const short = (value: number): string =>
  value === 0
    ? "0"
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString("en-US")
      : String(Number(value.toPrecision(3)));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const memory = new Int32Array(1 << 21).map((_, i) => Math.imul(i, 0x9e3779b1) & ((1 << 21) - 1));

/** Processor milliseconds of a fixed loop of arithmetic and reads all over 8 MB: how slow the machine is just now. */
async function calibrate(): Promise<number> {
  return cpuMs(() => {
    let at = 1;
    for (let i = 0; i < 400_000; i++) at = memory[(at + Math.imul(at, i)) & (memory.length - 1)]! ^ (i & 1);
    if (at < 0) throw new Error("never: it keeps the loop from being left out");
  });
}
