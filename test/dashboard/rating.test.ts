/** How good a web vital is, and where that is on its scale. */
import { describe, expect, it } from "vitest";
import { placeOf, rated } from "../../dashboard/rating.ts";

const INP = { good: 200, poor: 500 };

describe("a web vital", () => {
  it.each([
    { value: 0, rating: "good", place: 0 },
    { value: 200, rating: "good", place: 1 / 3 },
    { value: 260, rating: "fair", place: 1 / 3 + 0.2 / 3 },
    { value: 500, rating: "fair", place: 2 / 3 },
    { value: 750, rating: "poor", place: 2 / 3 + 0.5 / 3 },
    { value: 9_000, rating: "poor", place: 1 },
  ])("of $value ms stands in the third of its rating, $rating", ({ value, rating, place }) => {
    expect(rated(INP, value)).toBe(rating);
    expect(placeOf(INP, value)).toBeCloseTo(place, 9);
  });
});
