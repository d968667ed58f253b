import { expect, test } from "vitest";
import { RowNumbers } from "../../../../processors/pipeline/import/rownumbers.ts";
import { Random } from "../../../kit/random.ts";

const SEED = 20261130;
const ROWS = 5_000;
const SENDERS = 700;

test(`rows are told apart by who sent them, and sorted by time as they came (RIVULET_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  const rows = new RowNumbers();
  // Twice: what is cleared leaves nothing behind.
  for (let round = 0; round < 2; round++) {
    rows.clear();
    const added = Array.from({ length: ROWS }, (_, row) => ({
      row,
      sender: random.below(SENDERS),
      at: 1.7e12 + random.below(20),
      url: random.below(1e6),
      referrer: random.below(1e6),
      kind: random.below(9),
    }));
    for (const one of added) rows.push(one);
    const { order, ends } = rows.bySender(SENDERS);
    for (let sender = 0; sender < SENDERS; sender++) {
      const own = added.filter((one) => one.sender === sender);
      const numbers = order.slice(ends[sender - 1] ?? 0, ends[sender]);
      expect([...numbers]).toEqual(own.map(({ row }) => row));
      const sorted = own.toSorted((a, b) => a.at - b.at);
      expect(
        [...rows.byTime(numbers)].map((row) => [
          row,
          rows.at(row),
          rows.url(row),
          rows.referrer(row),
          rows.kind(row),
        ]),
      ).toEqual(sorted.map(({ row, at, url, referrer, kind }) => [row, at, url, referrer, kind]));
    }
  }
});
