/** How much a number moved, in percent and in points. */
import { expect, it } from "vitest";
import { pointChange, relativeChange } from "../../dashboard/change.ts";

it.each([
  { name: "more", now: 12, before: 10, change: 0.2 },
  { name: "less", now: 5, before: 10, change: -0.5 },
  { name: "nothing after nothing", now: 0, before: 0, change: 0 },
  { name: "something after nothing", now: 5, before: 0, change: undefined },
  { name: "a rise from what refunds left", now: 50, before: -100, change: 1.5 },
  { name: "no value", now: null, before: 10, change: undefined },
  {
    name: "the same currency",
    now: { value: 3, currency: "EUR" },
    before: { value: 2, currency: "EUR" },
    change: 0.5,
  },
  {
    name: "another currency",
    now: { value: 3, currency: "EUR" },
    before: { value: 4000, currency: "KRW" },
    change: undefined,
  },
])("the change of $name is $change", ({ now, before, change }) => {
  expect(relativeChange(now, before)).toBe(change);
});

it("says of a share how many points it moved", () => {
  expect(pointChange(51, 32)).toBe(19);
  expect(pointChange(0, 32)).toBe(-32);
  expect(pointChange(null, 32)).toBeUndefined();
});
