import { readdir } from "node:fs/promises";
import { expect, it } from "vitest";
import { inOrder, type Run } from "../../../processors/archives/inorder.ts";
import { type CountedRow, compareRows } from "../../../processors/model/archive.ts";
import { counted, row } from "../../conformance/archive.ts";
import { Random } from "../../kit/random.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_129);
const folder = temporaryDirectory();

const runOf = (rows: readonly CountedRow[]): Run => {
  const sorted = rows.toSorted(compareRows);
  return { first: sorted[0]!, read: async () => [...sorted] };
};

async function all(portions: AsyncIterable<readonly CountedRow[]>): Promise<CountedRow[]> {
  const rows: CountedRow[] = [];
  for await (const portion of portions) rows.push(...portion);
  return rows;
}

const rows = Array.from({ length: 1_500 }, (_, i) =>
  counted(row(i + 1, { shard: `shard-${Math.floor(i / 1_000)}`, props: [["key", String(i)]] })),
);

it.each([
  ["that follow each other", 0, 100_000],
  ["with stragglers of all", 0.05, 100_000],
  ["in no order, more of them than are held", 1, 400],
])(`gives the rows of runs %s in order, each once (RIVULET_SEED=${SEED})`, async (_, astray, maxHeld) => {
  const random = new Random(SEED);
  const runs: CountedRow[][] = Array.from({ length: 30 }, () => []);
  const held: CountedRow[] = [];
  for (const [i, one] of rows.entries()) {
    runs[random.chance(astray) ? random.below(30) : Math.floor(i / 50)]!.push(one);
    // Some twice, and some in a journal.
    if (random.chance(0.05)) runs[random.below(30)]!.push(one);
    if (random.chance(0.05)) held.push(one);
  }
  expect(await all(inOrder(runs.map(runOf), held, folder, maxHeld))).toEqual(rows);
});

it("writes down no row where those that are held are few", async () => {
  const { length } = await readdir(folder);
  expect(await all(inOrder([runOf(rows.slice(0, 10))], rows.slice(5, 20), folder))).toEqual(
    rows.slice(0, 20),
  );
  expect(await all(inOrder([], rows.slice(0, 5), folder))).toEqual(rows.slice(0, 5));
  expect(await readdir(folder)).toHaveLength(length);
});
