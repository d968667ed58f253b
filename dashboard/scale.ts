/** Where numbers land on a chart: round axis values, and which of many points a given width can show. Pure arithmetic. */

export type Points = readonly (number | undefined)[];

const STEPS = [1, 2, 5, 10];
/** A clock's round numbers, in seconds; beyond an hour the decimal ones follow from multiples of it. */
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000];

/** Round axis values from 0 to at least `most`, about `steps` of them above 0. `whole` keeps counts from showing 0.5 visitors. */
export function axisTicks(most: number, kind: "whole" | "fraction" | "seconds", steps = 4): number[] {
  const wanted = Math.max(most, kind === "fraction" ? 0.1 : 1) / steps;
  let step: number;
  const clock = kind === "seconds" ? CLOCK_STEPS.find((one) => one >= wanted) : undefined;
  if (clock) step = clock;
  else {
    const power = 10 ** Math.floor(Math.log10(wanted));
    step = STEPS.map((one) => one * power).find((one) => one >= wanted * 0.999_999) ?? power * 10;
    if (kind !== "fraction") step = Math.max(1, step);
  }
  const count = Math.max(1, Math.ceil(Math.max(most, step) / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** Indices worth drawing on `columns` pixel columns: all, or per column first, lowest, highest and last. */
export function thin(values: Points, columns: number): number[] {
  if (values.length <= columns * 2) return values.map((_, i) => i);
  const kept: number[] = [];
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.floor(((column + 1) * values.length) / columns);
    let low = from;
    let high = from;
    for (let i = from; i < to; i++) {
      if ((values[i] ?? Infinity) < (values[low] ?? Infinity)) low = i;
      if ((values[i] ?? -Infinity) > (values[high] ?? -Infinity)) high = i;
    }
    for (const i of [...new Set([from, Math.min(low, high), Math.max(low, high), to - 1])]) kept.push(i);
  }
  return kept;
}
