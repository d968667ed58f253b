import fc from "fast-check";
import { expect, it } from "vitest";
import { Lru } from "../../../../processors/pipeline/enrich/lru.ts";

it("forgets the entry that was used longest ago", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.get("a");
  lru.set("c", 3);
  expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual([1, undefined, 3]);
});

it("replaces an entry without growing", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.set("a", 3);
  expect([lru.size, lru.get("a"), lru.get("b")]).toEqual([2, 3, 2]);
});

it("never holds more than it may, and what it holds is the newest value", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.tuple(fc.nat(9), fc.nat())),
      (maxEntries, writes) => {
        const lru = new Lru<number, number>(maxEntries);
        const newest = new Map<number, number>();
        for (const [key, value] of writes) {
          lru.set(key, value);
          newest.set(key, value);
          expect(lru.get(key)).toBe(value);
          expect(lru.size).toBeLessThanOrEqual(maxEntries);
        }
        for (const [key, value] of newest) expect([undefined, value]).toContain(lru.get(key));
      },
    ),
  );
});
