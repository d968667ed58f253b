import { expect, it } from "vitest";
import type { Alert } from "../../dashboard/answers.ts";
import { ongoing } from "../../dashboard/ongoing.ts";

const alert = (rule: string, at: number, state: Alert["state"]): Alert => ({
  rule,
  kind: "spike",
  state,
  since: 0,
  at,
  value: 400,
  expected: 100,
});

it("shows an alert as long as its end has not been told, and its latest word only", () => {
  const recent = [
    alert("a", 1, "firing"),
    alert("a", 3, "firing"),
    alert("b", 1, "firing"),
    alert("b", 2, "over"),
  ];
  expect(ongoing(recent)).toEqual([alert("a", 3, "firing")]);
  expect(ongoing([])).toEqual([]);
});
