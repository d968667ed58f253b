import { describe, expect, it } from "vitest";
import { decodeApi, onlyEvent, onlyReject, RECEIVED } from "./samples.ts";

const page = { n: "pageview", u: "https://example.com/", d: "example.com" };

describe("what the npm tracker 0.4.6 sends", () => {
  it("counts a page view; its v is the script's version, not a visitor", () => {
    const body = {
      n: "pageview",
      v: 36,
      u: "https://www.example.com/a?utm_source=x",
      d: "example.com",
      r: null,
    };
    expect(decodeApi(body)).toEqual([
      {
        ...{ site: "example.com", id: "", visitor: "", screenWidth: 0, language: "", rejects: [] },
        events: [
          {
            ...{ name: "pageview", at: RECEIVED, referrer: "", props: [], interactive: true },
            url: { hostname: "www.example.com", path: "/a", query: { utm_source: "x" } },
          },
        ],
      },
    ]);
  });

  it("refuses a name that is a report of our own: it would be neither counted nor refused", () => {
    expect(onlyReject(decodeApi({ ...page, n: "vitals" }))).toMatchObject({ reason: "invalid_name" });
  });

  it("counts an engagement report, with props and in hash mode", () => {
    const body = {
      n: "engagement",
      sd: 64,
      d: "example.com",
      u: "https://example.com/#/cart",
      p: { plan: "pro" },
      e: 3_482,
      v: 36,
      h: 1,
    };
    expect(onlyEvent(decodeApi(body))).toMatchObject({
      ...{
        name: "engagement",
        engagedMs: 3_482,
        scrollDepth: 64,
        interactive: false,
        props: [["plan", "pro"]],
      },
      url: { path: "/#/cart" },
    });
  });

  it("counts the engagement of a page without height, whose scroll depth it sends as null", () => {
    const event = onlyEvent(decodeApi({ ...page, n: "engagement", sd: null, e: 3_000 }));
    expect(event).toMatchObject({ engagedMs: 3_000 });
    expect(event).not.toHaveProperty("scrollDepth");
  });

  it("counts a tagged click without revenue, for which it sends an empty object", () => {
    const event = onlyEvent(decodeApi({ ...page, n: "Download", p: { url: "https://a.com/x.pdf" }, $: {} }));
    expect(event).not.toHaveProperty("revenue");
  });

  it("counts revenue, whose amount a tagged click sends as text", () => {
    const $ = { amount: "10.29", currency: "EUR" };
    expect(onlyEvent(decodeApi({ ...page, n: "Purchase", $ })).revenue).toEqual({
      currency: "EUR",
      minor: 1_029,
    });
  });

  it("counts an event that is not interactive", () => {
    expect(onlyEvent(decodeApi({ ...page, n: "404", i: false })).interactive).toBe(false);
  });
});

describe("what the Events API takes besides", () => {
  it("knows every key by its long name", () => {
    const body = {
      name: "Signup",
      url: "https://example.com/join",
      domain: "example.com",
      referrer: "https://t.co/x",
      props: { plan: "pro" },
      revenue: { amount: 5, currency: "USD" },
      interactive: false,
      screen_width: 390,
    };
    expect(decodeApi(body)).toMatchObject([
      {
        ...{ site: "example.com", screenWidth: 390 },
        events: [
          {
            ...{ name: "Signup", referrer: "https://t.co/x", props: [["plan", "pro"]], interactive: false },
            revenue: { currency: "USD", minor: 500 },
          },
        ],
      },
    ]);
  });

  it("counts one event for each site of a list, once even if a site is named twice", () => {
    const result = decodeApi({ ...page, d: "a.com, b.com,a.com," });
    expect(result).toMatchObject([{ site: "a.com" }, { site: "b.com" }]);
    expect(result).toHaveLength(2);
  });

  it("takes the page's host for the site when none is named", () => {
    expect(decodeApi({ n: "pageview", u: "https://www.example.com/" })).toMatchObject([
      { site: "example.com" },
    ]);
  });

  it("reads props and revenue from JSON text, and meta for props", () => {
    const body = { ...page, m: '{"a":1}', p: { b: 2 }, $: '{"amount":"1.5","currency":"USD"}' };
    expect(onlyEvent(decodeApi(body))).toMatchObject({ props: [["a", "1"]], revenue: { minor: 150 } });
  });

  it("leaves out nested props, as that API does", () => {
    expect(onlyEvent(decodeApi({ ...page, p: { a: [1], b: { c: 1 }, d: "x" } })).props).toEqual([["d", "x"]]);
  });

  it("treats a query in the fragment as any other in hash mode", () => {
    const { url } = onlyEvent(decodeApi({ ...page, u: "https://a.com/#/reset?token=secret&ref=hn", h: 1 }));
    expect(url).toEqual({ hostname: "a.com", path: "/#/reset", query: { ref: "hn" } });
    const both = onlyEvent(decodeApi({ ...page, u: "https://a.com/?ref=own#/a?ref=hn", h: 1 }));
    expect(both.url).toEqual({ hostname: "a.com", path: "/#/a", query: { ref: "own" } });
  });

  it("knows hash mode as true as well", () => {
    expect(onlyEvent(decodeApi({ ...page, u: "https://a.com/#b", hashMode: true })).url.path).toBe("/#b");
    expect(onlyEvent(decodeApi({ ...page, u: "https://a.com/#b", h: 0 })).url.path).toBe("/");
  });

  it.each([
    { name: "no object", body: "x", reason: "malformed", message: "body: not an object" },
    { name: "no name", body: { ...page, n: undefined }, reason: "malformed", message: "n: required" },
    { name: "no URL", body: { ...page, u: undefined }, reason: "invalid_url", message: "u: required" },
    { name: "no URL and no site", body: { n: "pageview" }, reason: "invalid_url", message: "u: required" },
    { name: "an empty list of sites", body: { ...page, d: " , " }, reason: "malformed", message: "d: empty" },
    {
      name: "a site that is no text",
      body: { ...page, d: ["a.com"] },
      reason: "malformed",
      message: "d: not a string",
    },
    {
      name: "too many sites",
      body: { ...page, d: "abcdefghijk".split("").join() },
      reason: "too_large",
      message: "d: over 10 sites",
    },
    { name: "props that are no object", body: { ...page, p: "x" }, reason: null, message: null },
    {
      name: "revenue that cannot be read",
      body: { ...page, $: { amount: "a lot", currency: "USD" } },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      name: "an engagement time of text",
      body: { ...page, n: "engagement", e: "1" },
      reason: "malformed",
      message: "e: not a duration in ms",
    },
  ])("answers $name with $reason", ({ body, reason, message }) => {
    if (reason === null) expect(onlyEvent(decodeApi(body)).props).toEqual([]);
    else expect(onlyReject(decodeApi(body))).toEqual({ reason, message });
  });

  it("tells the site of a bad event, so that its owner can see the reject", () => {
    expect(decodeApi({ ...page, n: "" })).toMatchObject([
      { site: "example.com", events: [], rejects: [{ reason: "invalid_name" }] },
    ]);
  });
});
