/** Ticks of an axis, lines thinned to pixels, and a line that is only a shape. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sparkPath } from "../../dashboard/path.ts";
import { axisTicks, thin } from "../../dashboard/scale.ts";

const kind = fc.constantFrom("whole" as const, "fraction" as const, "seconds" as const);

describe("axis ticks", () => {
  it("start at zero, rise evenly and hold the highest value in at most six lines", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), kind, (most, of) => {
        const ticks = axisTicks(most, of);
        const step = ticks[1]! - ticks[0]!;
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)!).toBeGreaterThanOrEqual(most * 0.999_999);
        expect(ticks.length).toBeLessThanOrEqual(6);
        for (const [i, tick] of ticks.entries()) expect(tick).toBeCloseTo(i * step, 6);
      }),
    );
  });

  it("never show half a visitor", () => {
    fc.assert(fc.property(fc.nat(10_000), (most) => axisTicks(most, "whole").every(Number.isInteger)));
  });

  it("are round minutes for durations", () => {
    expect(axisTicks(400, "seconds")).toEqual([0, 120, 240, 360, 480]);
  });
});

describe("thinning", () => {
  const values = fc.array(fc.option(fc.integer(), { nil: undefined }), { minLength: 1, maxLength: 2_000 });

  it("keeps ends and extremes, in order, within four points a column", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 300 }), (points, columns) => {
        const kept = thin(points, columns);
        const seen = (indices: readonly number[]) =>
          indices.map((i) => points[i]).filter((value) => value !== undefined);
        const all = seen(points.map((_, i) => i));
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(kept[0]).toBe(0);
        expect(kept.at(-1)).toBe(points.length - 1);
        expect(kept.length).toBeLessThanOrEqual(Math.max(columns * 4, columns * 2));
        expect(Math.max(...seen(kept))).toBe(Math.max(...all));
        expect(Math.min(...seen(kept))).toBe(Math.min(...all));
      }),
    );
  });
});

describe("a line without axes", () => {
  it("ends at its right edge with the newest value, however much of the period is to come", () => {
    const day = [1, 2, 4];
    expect(sparkPath([...day, undefined, undefined])).toBe(sparkPath(day));
    expect(sparkPath(day)).toMatch(/100 1$/);
  });

  it("is none for fewer than two values", () => {
    expect([sparkPath([]), sparkPath([3, undefined])]).toEqual(["", ""]);
  });
});
