import { expect, test } from "vitest";
import { Marks } from "../../../processors/pipeline/marks.ts";

const listed = (marks: Marks): [number, number][] => {
  const list: [number, number][] = [];
  marks.forEach((hash, mark) => {
    list.push([hash, mark]);
  });
  return list;
};

test("marks come back in the order in which they came, however many there are", () => {
  const marks = new Marks();
  const all = Array.from({ length: 30 }, (_, i): [number, number] => [2 ** 52 + i, i]);
  for (const [hash, mark] of all) {
    expect(marks.get(hash)).toBeUndefined();
    marks.set(hash, mark);
    expect(marks.get(hash)).toBe(mark);
  }
  expect(marks.size).toBe(30);
  expect(listed(marks)).toEqual(all);
});

test("what is set again keeps its place, and room that is not used is no mark", () => {
  const marks = new Marks([7, 1]);
  marks.set(8, 2);
  marks.set(7, 3);
  expect(listed(marks)).toEqual([
    [7, 3],
    [8, 2],
  ]);
  expect(marks.get(0.5)).toBeUndefined();
});

test("a copy and what it was copied from change apart", () => {
  const marks = new Marks();
  marks.set(1, 1);
  const copy = marks.clone();
  copy.set(1, 2);
  copy.set(2, 2);
  marks.set(3, 3);
  expect(listed(marks)).toEqual([
    [1, 1],
    [3, 3],
  ]);
  expect(listed(copy)).toEqual([
    [1, 2],
    [2, 2],
  ]);
});
