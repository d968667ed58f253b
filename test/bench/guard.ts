/** Compares ratios with those recorded in the repository, so that what was made fast does not become slow unseen. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Row } from "./report.ts";

const FILE = fileURLToPath(new URL("recorded.json", import.meta.url));
/** Less is the noise of a shared machine. */
const MAX_WORSE = 1.5;

/** Recorded ratios by row; the guard measures exactly these. */
export const readRecorded = (): Map<string, number> =>
  new Map(Object.entries(JSON.parse(readFileSync(FILE, "utf8")) as Record<string, number>));

export function writeRecorded(rows: readonly Row[]): void {
  const ratios = rows.map(({ benchmark, measured }) => [benchmark.id, Number(measured.ratio.toPrecision(3))]);
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(ratios), undefined, 2)}\n`);
}

/** What is worse than recorded, in words. The best block of a row counts: other work on the machine only adds. */
export function worse(rows: readonly Row[], recorded: ReadonlyMap<string, number>): string[] {
  return rows.flatMap(({ benchmark: { id, better }, measured: { spread } }) => {
    const before = recorded.get(id);
    if (before === undefined) return [];
    const times = better === "lower" ? spread[0] / before : before / spread[1];
    return times <= MAX_WORSE
      ? []
      : [
          `${id}: ${times.toFixed(2)} times worse than the recorded ratio ${before}, at most ${MAX_WORSE} times is let pass`,
        ];
  });
}
