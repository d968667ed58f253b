import { describe, expect, it } from "vitest";
import { VISIT_DIMENSIONS } from "../../../../processors/model/dimensions.ts";
import { agentParser } from "../../../../processors/pipeline/enrich/agent.ts";
import { languageOf, screenOf } from "../../../../processors/pipeline/enrich/screen.ts";
import { countryOf, visitAttributes } from "../../../../processors/pipeline/enrich/visit.ts";

describe("visitAttributes", () => {
  it("gives every visit dimension its value", () => {
    const event = {
      url: {
        hostname: "example.com",
        path: "/landing",
        query: {
          utm_source: "newsletter",
          utm_medium: "email",
          utm_campaign: "may",
          utm_term: "tea",
          utm_content: "top",
        },
      },
      referrer: "https://mail.google.com/mail/u/0/?x=1",
    };
    const agent = agentParser({ maxEntries: 1 })(
      "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    );
    const values = visitAttributes(event, { screenWidth: 1_366, language: "ko-KR" }, agent, () => "KR");
    expect(
      Object.fromEntries(VISIT_DIMENSIONS.map((dimension, index) => [dimension, values[index]])),
    ).toEqual({
      "visit:source": "newsletter",
      "visit:channel": "Email",
      "visit:referrer": "mail.google.com/mail/u/0",
      "visit:utm_source": "newsletter",
      "visit:utm_medium": "email",
      "visit:utm_campaign": "may",
      "visit:utm_term": "tea",
      "visit:utm_content": "top",
      "visit:entry_page": "/landing",
      "visit:device": "Desktop",
      "visit:browser": "Firefox",
      "visit:os": "Linux",
      "visit:country": "KR",
      "visit:screen": "Laptop",
      "visit:language": "ko",
    });
  });
});

describe("countryOf", () => {
  it.each([
    { edge: "KR", table: "US", country: "KR" },
    { edge: "kr", table: "US", country: "KR" },
    { edge: "", table: "US", country: "US" },
    { edge: "XX", table: "US", country: "US" },
    { edge: "T1", table: "", country: "" },
    { edge: "KOR", table: "US", country: "US" },
    { edge: "<b>", table: "ZZ", country: "" },
    { edge: "", table: "EU", country: "" },
  ])("is '$country' when the edge says '$edge' and the table '$table'", ({ edge, table, country }) => {
    expect(countryOf({ ip: "192.0.2.1", country: edge }, () => table)).toBe(country);
  });

  it("does not look up what the edge has told", () => {
    const lookup = (): string => {
      throw new Error("looked up");
    };
    expect(countryOf({ ip: "192.0.2.1", country: "JP" }, lookup)).toBe("JP");
  });
});

describe("screenOf", () => {
  it.each([
    [0, ""],
    [Number.NaN, ""],
    [1, "Mobile"],
    [575, "Mobile"],
    [576, "Tablet"],
    [991, "Tablet"],
    [992, "Laptop"],
    [1_439, "Laptop"],
    [1_440, "Desktop"],
    [7_680, "Desktop"],
  ])("calls %d pixels '%s'", (width, screen) => {
    expect(screenOf(width)).toBe(screen);
  });
});

describe("languageOf", () => {
  it.each([
    ["en-US", "en"],
    ["KO", "ko"],
    ["zh_Hant_TW", "zh"],
    ["iw-IL", "he"],
    ["yue", "yue"],
    ["", ""],
    ["-en", ""],
    ["*", ""],
  ])("reads '%s' as '%s'", (tag, language) => {
    expect(languageOf(tag)).toBe(language);
  });
});
