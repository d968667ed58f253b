import { describe, expect, it } from "vitest";
import { LIMITS, MAX_EVENT_AGE_MS, MAX_SKEW_MS } from "../../../../processors/model/event.ts";
import { DAY_MS, MINUTE_MS } from "../../../../processors/model/time.ts";
import { decodeBatches } from "../../../../processors/pipeline/decode/decode.ts";
import { batchOf, decodeV1, envelopeOf, onlyEvent, onlyReject, RECEIVED } from "./samples.ts";

const pageview = { n: "pageview" };

describe("a whole batch", () => {
  it("keeps what its events share, and the events in the order they were sent", () => {
    const result = decodeV1({
      s: "example.com",
      b: "0197",
      t: RECEIVED,
      v: "visitor-1",
      c: {
        u: "https://Example.COM/a?utm_source=x&token=secret",
        r: "https://news.ycombinator.com/",
        w: 1440,
        h: 900,
        l: "en-US",
      },
      e: [
        { n: "signup", t: RECEIVED - 1_000, p: { plan: "pro" } },
        { n: "pageview", t: RECEIVED - 2_000 },
      ],
    });
    const shared = {
      url: { hostname: "example.com", path: "/a", query: { utm_source: "x" } },
      referrer: "https://news.ycombinator.com/",
      interactive: true,
    };
    expect(result).toEqual([
      {
        ...{
          site: "example.com",
          id: "0197",
          visitor: "visitor-1",
          screenWidth: 1440,
          language: "en-US",
          rejects: [],
        },
        events: [
          { ...shared, name: "signup", at: RECEIVED - 1_000, props: [["plan", "pro"]] },
          { ...shared, name: "pageview", at: RECEIVED - 2_000, props: [] },
        ],
      },
    ]);
  });

  it("is preceded by the one that it carries, which keeps its id and was sent when this one was", () => {
    const left = batchOf({ n: "engagement", t: RECEIVED - 90_000, ms: 4_000 }, { b: "left", v: "a" });
    const carrying = batchOf(pageview, {
      b: "now",
      t: RECEIVED - 60_000,
      q: JSON.stringify({ ...left, q: JSON.stringify(left) }),
    });
    expect(decodeV1(carrying)).toMatchObject([
      // A minute of skew, as the carrying batch's time of sending shows.
      { id: "left", visitor: "a", events: [{ name: "engagement", engagedMs: 4_000, at: RECEIVED - 30_000 }] },
      { id: "now", visitor: "", events: [{ name: "pageview" }], rejects: [] },
    ]);
  });

  it.each([
    ["no text", { ...batchOf(pageview) }, "q: not the text of a batch"],
    ["no JSON", "{", "q: not the text of a batch"],
    ["a list", "[]", "q: not the text of a batch"],
    ["a batch without a site", JSON.stringify(batchOf(pageview, { s: "" })), "q: s: required"],
  ])("loses nothing but what it carries when that is %s", (_, q, message) => {
    expect(decodeV1(batchOf(pageview, { b: "now", q }))).toMatchObject([
      { id: "now", events: [{ name: "pageview" }], rejects: [{ reason: "malformed", message }] },
    ]);
  });

  it("loses only the events that are bad, each with its own reason and place", () => {
    const [batch] = decodeV1({
      s: "example.com",
      c: { u: "https://example.com/" },
      e: [pageview, 7, { n: "" }, { n: "x", u: "ftp://example.com/" }, pageview],
    }) as Exclude<ReturnType<typeof decodeV1>, { reason: string }>;
    expect(batch!.events).toHaveLength(2);
    expect(batch!.rejects).toEqual([
      { reason: "malformed", message: "e[1]: not an object" },
      { reason: "invalid_name", message: "e[2].n: empty" },
      { reason: "invalid_url", message: "e[3].u: not an http(s) URL" },
    ]);
  });

  it.each([
    { name: "a list", body: [], reason: "malformed", message: "body: not an object" },
    { name: "null", body: null, reason: "malformed", message: "body: not an object" },
    {
      name: "no site",
      body: batchOf(pageview, { s: undefined }),
      reason: "malformed",
      message: "s: required",
    },
    {
      name: "an empty site",
      body: batchOf(pageview, { s: "" }),
      reason: "malformed",
      message: "s: required",
    },
    {
      name: "a site that is no text",
      body: batchOf(pageview, { s: 1 }),
      reason: "malformed",
      message: "s: not a string",
    },
    {
      name: "a site with a line break",
      body: batchOf(pageview, { s: "a\nb" }),
      reason: "malformed",
      message: "s: control characters",
    },
    {
      name: "a site that is too long",
      body: batchOf(pageview, { s: "a".repeat(254) }),
      reason: "too_large",
      message: "s: over 253 characters",
    },
    {
      name: "a batch id that is no text",
      body: batchOf(pageview, { b: 5 }),
      reason: "malformed",
      message: "b: not a string",
    },
    {
      name: "a visitor id that is too long",
      body: batchOf(pageview, { v: "v".repeat(129) }),
      reason: "too_large",
      message: "v: over 128 characters",
    },
    {
      name: "a clock that is text",
      body: batchOf(pageview, { t: "now" }),
      reason: "malformed",
      message: "t: not a time in epoch milliseconds",
    },
    {
      name: "a clock past all dates",
      body: batchOf(pageview, { t: 1e300 }),
      reason: "malformed",
      message: "t: not a time in epoch milliseconds",
    },
    {
      name: "a context that is a list",
      body: batchOf(pageview, { c: [] }),
      reason: "malformed",
      message: "c: not an object",
    },
    {
      name: "no events",
      body: batchOf(pageview, { e: undefined }),
      reason: "malformed",
      message: "e: not a list",
    },
    {
      name: "an empty list of events",
      body: batchOf(pageview, { e: [] }),
      reason: "malformed",
      message: "e: empty",
    },
    {
      name: "too many events",
      body: batchOf(pageview, { e: Array(1_001).fill(1) }),
      reason: "too_large",
      message: "e: over 1000 events",
    },
  ])("is refused for $name", ({ body, reason, message }) => {
    expect(decodeV1(body)).toEqual({ reason, message });
  });

  it.each([
    { name: "no JSON", body: '{"s":"example.com"', message: "body: not JSON" },
    { name: "an empty body's blank", body: " ", message: "body: not JSON" },
    { name: "no UTF-8", body: Uint8Array.of(0x7b, 0xc3, 0x28, 0x7d), message: "body: not base64 of UTF-8" },
  ])("is refused for $name", ({ body, message }) => {
    expect(decodeBatches(envelopeOf("/v1/events", body))).toEqual({ reason: "malformed", message });
  });

  it("is refused when its body is not base64, or nobody knows its route", () => {
    const envelope = envelopeOf("/v1/events", "{}");
    expect(decodeBatches({ ...envelope, body64: "%%%" })).toEqual({
      reason: "malformed",
      message: "body: not base64 of UTF-8",
    });
    expect(decodeBatches({ ...envelope, route: "/v9" })).toEqual({
      reason: "malformed",
      message: "envelope.route: no decoder for it",
    });
  });

  it("may fill the limit to the last byte, and not one more", () => {
    const body = JSON.stringify(batchOf(pageview));
    const full = body + " ".repeat(LIMITS.bodyBytes - body.length);
    expect(decodeBatches(envelopeOf("/v1/events", full))).toHaveLength(1);
    expect(decodeBatches(envelopeOf("/v1/events", `${full} `))).toEqual({
      reason: "too_large",
      message: "body: over 262144 bytes",
    });
  });

  it("takes null for absent everywhere", () => {
    const nothing = { t: null, u: null, r: null, p: null, $: null, i: null };
    const event = onlyEvent(decodeV1(batchOf({ ...pageview, ...nothing }, { b: null, v: null, t: null })));
    expect(event).toMatchObject({
      name: "pageview",
      at: RECEIVED,
      referrer: "",
      props: [],
      interactive: true,
    });
  });

  it.each([
    { d: 3, dropped: 3 },
    { d: 1e9, dropped: 1_000_000 },
    { d: 0, dropped: undefined },
    { d: -1, dropped: undefined },
    { d: 1.5, dropped: undefined },
    { d: "3", dropped: undefined },
  ])("says how many events its sender gave up, if $d is a count", ({ d, dropped }) => {
    const [batch] = decodeV1({ s: "example.com", e: [pageview], d }) as Exclude<
      ReturnType<typeof decodeV1>,
      { reason: string }
    >;
    expect(batch!.dropped).toBe(dropped);
  });

  it("ignores a screen or language that makes no sense, because they only describe", () => {
    for (const w of ["wide", -1, 0, 1e9, null]) {
      const c = { u: "https://example.com/", w, l: "not a tag!" };
      expect(decodeV1(batchOf(pageview, { c }))).toMatchObject([{ screenWidth: 0, language: "" }]);
    }
  });
});

describe("event time", () => {
  const clock = RECEIVED - 40 * 365 * DAY_MS;
  it.each([
    { name: "is the receiving time without any clock", t: undefined, sent: undefined, at: RECEIVED },
    { name: "is the receiving time without its own", t: undefined, sent: clock, at: RECEIVED },
    {
      name: "is taken as it is without a sending time",
      t: RECEIVED - 5_000,
      sent: undefined,
      at: RECEIVED - 5_000,
    },
    {
      name: "is corrected by a clock that is decades off",
      t: clock - 5_000,
      sent: clock,
      at: RECEIVED - 5_000,
    },
    { name: "is never later than received: just sent", t: clock, sent: clock, at: RECEIVED },
    {
      name: "is never later than received: clock set back meanwhile",
      t: clock + MAX_SKEW_MS,
      sent: clock,
      at: RECEIVED,
    },
    {
      name: "is never later than received: fast clock, no sending time",
      t: RECEIVED + MAX_SKEW_MS,
      sent: undefined,
      at: RECEIVED,
    },
    {
      name: "may be as old as the limit",
      t: clock - MAX_EVENT_AGE_MS,
      sent: clock,
      at: RECEIVED - MAX_EVENT_AGE_MS,
    },
    { name: "loses fractions of a millisecond", t: RECEIVED - 0.5, sent: undefined, at: RECEIVED - 1 },
  ])("$name", ({ t, sent, at }) => {
    expect(onlyEvent(decodeV1(batchOf({ ...pageview, t }, { t: sent }))).at).toBe(at);
  });

  it.each([
    { name: "later than it was sent", t: clock + MAX_SKEW_MS + 1, sent: clock, reason: "from_future" },
    {
      name: "later than it was received",
      t: RECEIVED + MAX_SKEW_MS + 1,
      sent: undefined,
      reason: "from_future",
    },
    { name: "older than a week", t: RECEIVED - MAX_EVENT_AGE_MS - 1, sent: undefined, reason: "too_old" },
    {
      name: "older than a week by the client's clock",
      t: clock - MAX_EVENT_AGE_MS - 1,
      sent: clock,
      reason: "too_old",
    },
    { name: "text", t: "yesterday", sent: undefined, reason: "malformed" },
    { name: "beyond all dates", t: -1e300, sent: undefined, reason: "malformed" },
  ])("refuses an event that is $name", ({ t, sent, reason }) => {
    const reject = onlyReject(decodeV1(batchOf({ ...pageview, t }, { t: sent })));
    expect(reject.reason).toBe(reason);
    expect(reject.message).toMatch(/^e\[0]\.t: /);
  });

  it("keeps the distance between two events of a batch", () => {
    const result = decodeV1(
      batchOf(null, {
        t: clock,
        e: [
          { ...pageview, t: clock - 9 * MINUTE_MS },
          { ...pageview, t: clock - MINUTE_MS },
        ],
      }),
    );
    expect(result).toMatchObject([
      { events: [{ at: RECEIVED - 9 * MINUTE_MS }, { at: RECEIVED - MINUTE_MS }] },
    ]);
  });
});

describe("one event", () => {
  it.each([
    { name: "without a name", event: {}, reason: "malformed", field: "n" },
    { name: "whose name is no text", event: { n: 5 }, reason: "malformed", field: "n" },
    { name: "whose name is blank", event: { n: "  " }, reason: "invalid_name", field: "n" },
    {
      name: "whose name holds a control character",
      event: { n: "a\u0007b" },
      reason: "invalid_name",
      field: "n",
    },
    { name: "whose name is too long", event: { n: "n".repeat(121) }, reason: "too_large", field: "n" },
    { name: "whose URL is no text", event: { ...pageview, u: 1 }, reason: "malformed", field: "u" },
    {
      name: "whose URL has no scheme",
      event: { ...pageview, u: "example.com/a" },
      reason: "invalid_url",
      field: "u",
    },
    {
      name: "of a local file",
      event: { ...pageview, u: "file:///etc/passwd" },
      reason: "invalid_url",
      field: "u",
    },
    {
      name: "of a data URL",
      event: { ...pageview, u: "data:text/html,x" },
      reason: "invalid_url",
      field: "u",
    },
    {
      name: "whose path is too long",
      event: { ...pageview, u: `https://a.com/${"p".repeat(2_000)}` },
      reason: "too_large",
      field: "u",
    },
    { name: "whose referrer is no text", event: { ...pageview, r: {} }, reason: "malformed", field: "r" },
    {
      name: "whose referrer's path is too long",
      event: { ...pageview, r: `https://a.com/${"p".repeat(2_000)}` },
      reason: "too_large",
      field: "r",
    },
    { name: "whose props are a list", event: { ...pageview, p: ["a"] }, reason: "invalid_props", field: "p" },
    {
      name: "whose props are nested",
      event: { ...pageview, p: { a: { b: 1 } } },
      reason: "invalid_props",
      field: "p",
    },
    { name: "with an empty key", event: { ...pageview, p: { "": 1 } }, reason: "invalid_props", field: "p" },
    {
      name: "with a control character in a key",
      event: { ...pageview, p: { "a\n": 1 } },
      reason: "invalid_props",
      field: "p",
    },
    {
      name: "with a key that is too long",
      event: { ...pageview, p: { ["k".repeat(301)]: 1 } },
      reason: "too_large",
      field: "p",
    },
    {
      name: "with a value that is too long",
      event: { ...pageview, p: { k: "v".repeat(2_001) } },
      reason: "too_large",
      field: "p",
    },
    {
      name: "with too many props",
      event: { ...pageview, p: Object.fromEntries(Array.from({ length: 31 }, (_, i) => [i, i])) },
      reason: "too_large",
      field: "p",
    },
    {
      name: "whose interactive mark is text",
      event: { ...pageview, i: "no" },
      reason: "malformed",
      field: "i",
    },
    {
      name: "that engages with neither time nor scroll",
      event: { n: "engagement" },
      reason: "malformed",
      field: "ms",
    },
    {
      name: "that engages for less than nothing",
      event: { n: "engagement", ms: -1 },
      reason: "malformed",
      field: "ms",
    },
    {
      name: "that engages for over a day",
      event: { n: "engagement", ms: LIMITS.engagedMs + 1 },
      reason: "too_large",
      field: "ms",
    },
    { name: "whose scroll is text", event: { n: "engagement", sd: "all" }, reason: "malformed", field: "sd" },
    { name: "whose vitals are missing", event: { n: "vitals" }, reason: "malformed", field: "m" },
    {
      name: "whose vitals are all unknown",
      event: { n: "vitals", m: { fid: 3 } },
      reason: "malformed",
      field: "m",
    },
    {
      name: "with a negative vital",
      event: { n: "vitals", m: { lcp: -3 } },
      reason: "malformed",
      field: "m.lcp",
    },
    {
      name: "with a vital of hours",
      event: { n: "vitals", m: { inp: 1e9 } },
      reason: "too_large",
      field: "m.inp",
    },
  ])("$name is refused as $reason", ({ event, reason, field }) => {
    const reject = onlyReject(decodeV1(batchOf(event)));
    expect(reject.reason).toBe(reason);
    expect(reject.message.startsWith(`e[0].${field}: `)).toBe(true);
  });

  it("names the batch's field when that is the bad one", () => {
    expect(onlyReject(decodeV1(batchOf(pageview, { c: { u: "nowhere" } }))).message).toBe(
      "c.u: not an http(s) URL",
    );
    expect(onlyReject(decodeV1(batchOf(pageview, { c: { u: "https://a.com/", r: 1 } }))).message).toBe(
      "c.r: not a string",
    );
    expect(onlyReject(decodeV1(batchOf(pageview, { c: undefined }))).message).toBe("e[0].u: required");
  });

  it("refuses numbers that JSON reads as infinite", () => {
    const body = '{"s":"a.com","e":[{"n":"x","u":"https://a.com/","p":{"k":1e400}}]}';
    expect(onlyReject(decodeBatches(envelopeOf("/v1/events", body))).reason).toBe("invalid_props");
  });

  it("sorts props by key, writes scalars as text, and leaves out empty ones", () => {
    const p = { z: 1.5, a: "x", é: true, m: "", n: null, "10": false };
    const sorted = [
      ["10", "false"],
      ["a", "x"],
      ["z", "1.5"],
      ["é", "true"],
    ];
    expect(onlyEvent(decodeV1(batchOf({ ...pageview, p }))).props).toEqual(sorted);
  });

  it("takes a key that is special to JavaScript for a key like others", () => {
    const body = '{"s":"a.com","e":[{"n":"x","u":"https://a.com/","p":{"__proto__":"1","constructor":"2"}}]}';
    const { props } = onlyEvent(decodeBatches(envelopeOf("/v1/events", body)));
    expect(props).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
  });

  it("mends lone surrogates, which no UTF-8 can hold", () => {
    const event = onlyEvent(
      decodeV1(
        batchOf({
          n: "a\ud800",
          r: "https://a.com/\udc00",
          p: { "k\ud800": "v\udfff" },
          u: "https://a.com/\ud800",
        }),
      ),
    );
    expect(event).toMatchObject({
      name: "a\ufffd",
      props: [["k\ufffd", "v\ufffd"]],
      referrer: "https://a.com/\ufffd",
      url: { path: "/\ufffd" },
    });
  });

  it("cuts a long referrer at its query, and keeps a short one whole", () => {
    const long = `https://a.com/path?q=${"x".repeat(3_000)}`;
    expect(onlyEvent(decodeV1(batchOf({ ...pageview, r: long }))).referrer).toBe("https://a.com/path");
    expect(onlyEvent(decodeV1(batchOf({ ...pageview, r: "https://a.com/?q=1" }))).referrer).toBe(
      "https://a.com/?q=1",
    );
  });

  it("rounds and clamps engagement as browsers report it", () => {
    const event = onlyEvent(decodeV1(batchOf({ n: "engagement", ms: 4_200.4, sd: 104.6 })));
    expect(event).toMatchObject({ engagedMs: 4_200, scrollDepth: 100, interactive: false });
    expect(onlyEvent(decodeV1(batchOf({ n: "engagement", sd: -3 })))).toEqual(
      expect.objectContaining({ scrollDepth: 0 }),
    );
    expect(onlyEvent(decodeV1(batchOf({ n: "engagement", sd: 50 })))).not.toHaveProperty("engagedMs");
  });

  it("is interactive unless it says otherwise or only reports", () => {
    const interactive = (event: object): boolean => onlyEvent(decodeV1(batchOf(event))).interactive;
    expect(interactive(pageview)).toBe(true);
    expect(interactive({ n: "signup" })).toBe(true);
    expect(interactive({ n: "video", i: false })).toBe(false);
    expect(interactive({ n: "engagement", ms: 1, i: true })).toBe(false);
    expect(interactive({ n: "vitals", m: { cls: 0 } })).toBe(false);
  });

  it("keeps the vitals that are known", () => {
    expect(
      onlyEvent(decodeV1(batchOf({ n: "vitals", m: { lcp: 1800.5, cls: 0.02, inp: null, fid: 9 } }))).vitals,
    ).toEqual({ lcp: 1800.5, cls: 0.02 });
  });

  it("may fill every limit exactly", () => {
    const event = onlyEvent(
      decodeV1(
        batchOf(
          {
            n: "n".repeat(LIMITS.nameChars),
            u: `https://a.com/${"p".repeat(LIMITS.urlChars - 1)}?utm_source=${"s".repeat(LIMITS.urlChars)}`,
            r: "r".repeat(LIMITS.urlChars),
            p: Object.fromEntries(
              Array.from({ length: LIMITS.props }, (_, i) => [
                String(i).padStart(LIMITS.propKeyChars, "k"),
                "v".repeat(LIMITS.propValueChars),
              ]),
            ),
          },
          { s: "s".repeat(LIMITS.siteChars), b: "b".repeat(LIMITS.idChars), v: "v".repeat(LIMITS.idChars) },
        ),
      ),
    );
    expect(event.props).toHaveLength(LIMITS.props);
    expect(event.url.path).toHaveLength(LIMITS.urlChars);
  });
});
