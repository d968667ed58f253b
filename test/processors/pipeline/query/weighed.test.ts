/** What is kept while there is room, and what goes first. */
import { expect, it } from "vitest";
import { Weighed } from "../../../../processors/pipeline/query/weighed.ts";

const kept = (map: Weighed<string, number>): string =>
  ["a", "b", "c", "d"].filter((key) => map.get(key) !== undefined).join("");

it("lets what was put in first go first, once it takes too much", () => {
  const map = new Weighed<string, number>(10);
  map.set("a", 1, 4);
  map.set("b", 2, 6);
  expect(kept(map)).toBe("ab");
  map.set("a", 3, 4);
  map.set("c", 4, 1);
  expect(kept(map)).toBe("ac");
  expect(map.get("a")).toBe(3);
});

it("weighs again what is put in again, and no more what was taken out", () => {
  const map = new Weighed<string, number>(10);
  map.set("a", 1, 10);
  map.set("a", 1, 2);
  map.set("b", 2, 8);
  expect(kept(map)).toBe("ab");
  map.delete("b");
  map.delete("b");
  map.set("c", 3, 8);
  expect(kept(map)).toBe("ac");
  map.clear();
  map.set("d", 4, 10);
  expect(kept(map)).toBe("d");
});

it("keeps nothing that is larger than all of it", () => {
  const map = new Weighed<string, number>(10);
  map.set("a", 1, 1);
  map.set("b", 2, 11);
  expect(kept(map)).toBe("");
});
