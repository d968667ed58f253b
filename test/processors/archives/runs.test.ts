import { describe, expect, it } from "vitest";
import { type Range, Runs } from "../../../processors/archives/runs.ts";
import { Random } from "../../kit/random.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_130);

describe(`a column as runs (RIVULET_SEED=${SEED})`, () => {
  it("gives the value of each row, and of selected rows alone, in as few runs as there can be", () => {
    for (let seed = SEED; seed < SEED + 200; seed++) {
      const random = new Random(seed);
      const kinds = random.pick([1, 2, 5]);
      const rows = Array.from({ length: random.between(1, 60) }, () => random.below(kinds) || null);
      const runs = new Runs<number | null>();
      for (const value of rows) runs.append(value);
      const ranges: Range[] = [];
      for (let from = random.below(4); from < rows.length; from = ranges.at(-1)!.to + random.below(4))
        ranges.push({ from, to: Math.min(rows.length, from + random.between(1, 9)) });
      const selected = runs.select(ranges);
      const expected = ranges.flatMap(({ from, to }) => rows.slice(from, to));
      expect([...runs], `seed ${seed}`).toEqual(rows);
      expect([...selected], `seed ${seed}`).toEqual(expected);
      for (const [column, values] of [[runs, rows] as const, [selected, expected] as const])
        expect(column.values, `seed ${seed}`).toEqual(
          values.filter((value, i) => i === 0 || value !== values[i - 1]),
        );
    }
  });
});
