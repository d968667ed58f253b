/** Alerts that go on, in the words above the numbers. */
import { expect, it } from "vitest";
import type { Alert } from "../../dashboard/answers.ts";
import { formatter } from "../../dashboard/format.ts";
import { en } from "../../dashboard/i18n/en.ts";
import { alertText, ongoing } from "../../dashboard/ongoing.ts";

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

it("says what is wrong in its own unit, and on which day it began where that is not today", () => {
  const view = { strings: en, format: formatter("en-US", "Asia/Seoul") };
  const since = Date.UTC(2026, 10, 29, 14, 5);
  const said = (one: Partial<Alert>, now = since + 60_000): string =>
    alertText({ ...alert("a", now, "firing"), since, ...one }, view, now);
  expect(said({})).toBe("Far more than usual: 400, expected 100; since 23:05:00");
  expect(said({}, since + 3_600_000)).toBe(
    "Far more than usual: 400, expected 100; since Nov 29, 2026, 23:05:00",
  );
  expect(said({ kind: "lag", value: 95, expected: 60 })).toContain("counted: 1m 35s, expected 1m;");
  expect(said({ kind: "rejects", value: 5.4, expected: 5 })).toContain("refused: 5.4%, expected 5.0%;");
});
