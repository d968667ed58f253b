/** What a rebuild changes in a window: the rollup that is read and the one that was made again, held against each other. Reads and writes nothing. */
import { COUNTS, Measures } from "../../model/measures.ts";
import { type DeferredTable, isDeferred, type Rollup, type Table } from "../../model/rollup.ts";
import type { EpochMs } from "../../model/time.ts";
import { ByteWriter } from "../../sketches/bytes.ts";

/** A window that is not what it was. */
export interface WindowChange {
  readonly granularity: "minute" | "hour";
  readonly start: EpochMs;
  /** By count, visitors among them: what is read now, and what a rebuild makes of it. Only where they differ. */
  readonly counts: Readonly<Record<string, readonly [live: number, rebuilt: number]>>;
  /** Tables that differ. */
  readonly dimensions: readonly string[];
}

/** By time, an hour before the minute that it begins with. */
export const compareChanges = (a: WindowChange, b: WindowChange): number =>
  a.start - b.start || (a.granularity < b.granularity ? -1 : 1);

/** Undefined where both say the same. */
export function differenceOf(
  live: Rollup,
  rebuilt: Rollup,
): Pick<WindowChange, "counts" | "dimensions"> | undefined {
  const [counts, dimensions] = [countsOf(live, rebuilt), dimensionsOf(live, rebuilt)];
  const isSame =
    Object.keys(counts).length === 0 && dimensions.length === 0 && areSame(live.totals, rebuilt.totals);
  return isSame ? undefined : { counts, dimensions };
}

export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function countsOf(live: Rollup, rebuilt: Rollup): WindowChange["counts"] {
  const counts: Record<string, readonly [number, number]> = {};
  const compareCount = (name: string, a: number, b: number): void => {
    if (a !== b) counts[name] = [a, b];
  };
  const visitors = ({ totals }: Rollup): number => Math.round(totals.visitors?.estimate() ?? 0);
  compareCount("visitors", visitors(live), visitors(rebuilt));
  for (const name of COUNTS) compareCount(name, live.totals[name], rebuilt.totals[name]);
  compareCount("late", live.late, rebuilt.late);
  for (const reason of new Set([...live.rejects.keys(), ...rebuilt.rejects.keys()]))
    compareCount(`rejected: ${reason}`, live.rejects.get(reason) ?? 0, rebuilt.rejects.get(reason) ?? 0);
  return counts;
}

function dimensionsOf(live: Rollup, rebuilt: Rollup): string[] {
  return [...new Set([...live.dimensions, ...rebuilt.dimensions])]
    .filter((dimension) => !areSameTables(dimension, live, rebuilt))
    .sort();
}

/** Integers of all rows first: where they differ, nobody decodes a sketch. */
function areSameTables(dimension: string, live: Rollup, rebuilt: Rollup): boolean {
  const [a, b] = [countsIn(live.readTable(dimension)), countsIn(rebuilt.readTable(dimension))];
  const nothing = new Measures();
  const isEach = (same: (one: Measures, other: Measures) => boolean, one: Table, other: Table): boolean => {
    for (const [value, row] of one) if (!same(row, other.get(value) ?? nothing)) return false;
    for (const [value, row] of other) if (!one.has(value) && !same(row, nothing)) return false;
    return true;
  };
  const haveSameCounts = (one: Measures, other: Measures): boolean =>
    COUNTS.every((name) => one[name] === other[name]);
  return (
    isEach(haveSameCounts, a, b) &&
    isEach(areSame, live.table(dimension) ?? new Map(), rebuilt.table(dimension) ?? new Map())
  );
}

function countsIn(table: Table | DeferredTable | undefined): Table {
  if (!isDeferred(table)) return table ?? new Map();
  const counts: Table = new Map();
  for (let row = 0; row < table.values.length; row++) {
    const measures = new Measures();
    table.addCounts(row, measures);
    counts.set(table.values[row]!, measures);
  }
  return counts;
}

const areSame = (a: Measures, b: Measures): boolean => areEqual(bytesOf(a), bytesOf(b));

function bytesOf(measures: Measures): Uint8Array {
  const writer = new ByteWriter(64);
  measures.encode(writer);
  return writer.finish();
}
