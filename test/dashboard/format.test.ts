/** Numbers, durations and times as a person reads them. */
import { describe, expect, it } from "vitest";
import { formatter } from "../../dashboard/format.ts";
import { en } from "../../dashboard/i18n/en.ts";
import { ko } from "../../dashboard/i18n/ko.ts";
import { fill } from "../../dashboard/i18n/strings.ts";

const english = formatter("en-US", "UTC");
const korean = formatter("ko-KR", "Asia/Seoul");

describe("a metric", () => {
  it.each([
    ["visitors", 1234567, "1,234,567"],
    ["visitors", 23_456_789, "23.46M"],
    ["visitors", null, "–"],
    ["bounce_rate", 42, "42%"],
    ["views_per_visit", 2.4, "2.4"],
    ["conversion_rate", 2, "2.0%"],
    ["visit_duration", 94, "1m 34s"],
    ["visit_duration", 0, "0s"],
    ["visit_duration", 3_720, "1h 2m"],
    ["total_revenue", { value: 12.5, currency: "USD" }, "$12.50"],
    ["total_revenue", { value: 12_500, currency: "KRW" }, "₩12,500"],
    ["total_revenue", null, "–"],
  ] as const)("%s of %j reads %s", (name, value, text) => {
    expect(english.metric(name, value)).toBe(text);
  });

  it("speaks Korean in Korean", () => {
    expect(korean.metric("visit_duration", 94)).toBe("1분 34초");
    expect(korean.lag(1_200)).toBe("1.2초");
    expect(korean.country("KR")).toBe("대한민국");
  });
});

it("durations of a page's loading have one unit and one width", () => {
  expect([640, 999.6, 2_310].map(english.milliseconds)).toEqual(["640 ms", "1.0 sec", "2.3 sec"]);
});

describe("honesty", () => {
  it("says nothing about the error of an exact number", () => {
    expect([english.error(0), english.error(undefined)]).toEqual(["", ""]);
    expect(english.error(0.0123)).toBe("±1.2%");
  });

  it("never shows a lag below zero", () => {
    expect(english.lag(-50)).toBe("0.0s");
  });

  it("tells the time of the site, not of the viewer", () => {
    const noon = Date.parse("2026-03-10T12:04:10Z");
    expect([english.clock(noon), korean.clock(noon)]).toEqual(["12:04:10", "21:04:10"]);
  });

  it("shows a code that no Intl knows as it is", () => {
    expect(english.country("not-a-code!")).toBe("not-a-code!");
  });
});

describe("a sentence with a count", () => {
  it.each([
    { language: english, strings: en, count: 1, says: "1 visitor at 12:00" },
    { language: english, strings: en, count: 0, says: "0 visitors at 12:00" },
    { language: korean, strings: ko, count: 1, says: "12:00 방문자 1명" },
  ])("says '$says'", ({ language, strings, count, says }) => {
    const values = { visitors: language.count(count), time: "12:00" };
    expect(fill(strings.perMinute, values, language.isOne(count))).toBe(says);
  });
});
