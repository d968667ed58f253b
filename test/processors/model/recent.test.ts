import { describe, expect, it } from "vitest";
import { Recent } from "../../../processors/model/recent.ts";

describe("a map of recent things", () => {
  it("keeps the last keys used, at least as many as its size and at most twice as many", () => {
    const recent = new Recent<number, number>(10);
    for (let key = 0; key < 1_000; key++) {
      recent.set(key, key);
      for (let back = 0; back < Math.min(key, 10); back++) expect(recent.get(key - back)).toBe(key - back);
    }
    const kept = Array.from({ length: 1_000 }, (_, key) => recent.get(key)).filter(
      (value) => value !== undefined,
    );
    expect(kept.length).toBeLessThanOrEqual(20);
  });

  it("keeps what is asked for again and again", () => {
    const recent = new Recent<number, string>(4);
    recent.set(-1, "kept");
    for (let key = 0; key < 100; key++) {
      recent.set(key, "");
      expect(recent.get(-1)).toBe("kept");
    }
    expect(recent.get(0)).toBeUndefined();
  });
});
