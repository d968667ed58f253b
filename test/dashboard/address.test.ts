/** What an address of the page asks for, and what of it nobody knows. */
import { expect, it } from "vitest";
import { unreadable } from "../../dashboard/address.ts";

it.each([
  ["?range=7d&compare=off&interval=hour&metric=events&f=is,visit:country,KR&site=a&lang=ko&wall", []],
  ["?range=garbage&range=day", ["range=garbage"]],
  ["?range=2026-02-30..2026-03-01&compare=month", ["range=2026-02-30..2026-03-01", "compare=month"]],
  ["?interval=fortnight&metric=clicks", ["interval=fortnight", "metric=clicks"]],
  ["?f=is,visit:country,KR&f=like,visit:country,K", ["f=like,visit:country,K"]],
])("an address says what of it is not known: %s", (search, unknown) => {
  expect(unreadable(search)).toEqual(unknown);
});
