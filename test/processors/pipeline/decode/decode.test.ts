import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Batch,
  type ClickEvent,
  LIMITS,
  MAX_EVENT_AGE_MS,
  QUERY_KEYS,
  REJECT_REASONS,
  type Reject,
} from "../../../../processors/model/event.ts";
import { decodeBatches } from "../../../../processors/pipeline/decode/decode.ts";
import { MAX_MINOR } from "../../../../processors/pipeline/decode/revenue.ts";
import { fastestMs } from "../../../kit/fastest.ts";
import { anyText } from "../../../kit/texts.ts";
import { envelopeOf, RECEIVED } from "./samples.ts";

/** Values that sit on the edges of the checks, mixed with anything that JSON can hold. */
const text = fc.oneof(
  anyText({ maxLength: 40 }),
  fc.constantFrom("", " ", "pageview", "engagement", "vitals", "USD", "\ud800", "\u0000", "__proto__"),
  fc.nat(2_500).map((length) => "x".repeat(length)),
);
const number = fc.oneof(
  fc.double(),
  fc.constantFrom(
    0,
    -0,
    -1,
    1e21,
    -1e300,
    Number.MAX_SAFE_INTEGER,
    RECEIVED,
    RECEIVED + 1e6,
    RECEIVED - 1e10,
  ),
);
const url = fc.webUrl({ withQueryParameters: true, withFragments: true });
const money = fc.record({
  amount: fc.oneof(number, text),
  currency: fc.constantFrom("USD", "KRW", "KWD", "xx", 5),
});
const props = fc.dictionary(text, fc.oneof(text, number, fc.boolean(), fc.constant(null)), { maxKeys: 35 });
const edge = fc.oneof(fc.jsonValue({ maxDepth: 3 }), text, number, url, money, props, fc.constant(null));

/** `good` with no field changed or one: two errors at once would hide each other. */
const almost = (good: fc.Arbitrary<object>, keys: string): fc.Arbitrary<unknown> =>
  fc.oneof(
    good,
    fc
      .tuple(good, fc.constantFrom(...keys.split(" ")), edge)
      .map(([value, key, odd]) => ({ ...value, [key]: odd })),
  );

const goodEvent = fc.record(
  {
    n: fc.oneof(fc.constantFrom("pageview", "engagement", "vitals"), fc.string({ minLength: 1 })),
    t: fc.integer({ min: RECEIVED - 1e8, max: RECEIVED }),
    u: url,
    r: url,
    d: fc.constantFrom("a.com", "a.com,b.com"),
    p: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 4 }),
    $: fc.record({ amount: fc.integer({ min: -1e6, max: 1e6 }), currency: fc.constantFrom("USD", "KRW") }),
    ms: fc.nat(1e6),
    e: fc.nat(1e6),
    sd: fc.nat(120),
    m: fc.record({ lcp: fc.nat(9_000), cls: fc.double({ min: 0, max: 1, noNaN: true }) }),
    h: fc.constantFrom(0, 1),
  },
  { requiredKeys: ["n", "u", "ms", "m"] },
);
const event = almost(goodEvent, "n t u r d p $ ms e sd m h i");
const context = almost(fc.record({ u: url, r: url, w: fc.nat(3_000), l: fc.constant("ko-KR") }), "u r w l");
const goodBatch = fc.record({
  s: fc.constant("a.com"),
  c: context,
  e: fc.array(event, { minLength: 1, maxLength: 6 }),
});
const body = fc.oneof(event, almost(goodBatch, "s b t v c e"), fc.jsonValue());

const isWithin = (value: string, maxChars: number): boolean =>
  value.length <= maxChars && value.isWellFormed();

function expectClean(event: ClickEvent): void {
  expect(event.name).not.toBe("");
  expect(event.name).not.toMatch(/\p{Cc}/u);
  expect(isWithin(event.name, LIMITS.nameChars)).toBe(true);
  expect(Number.isSafeInteger(event.at)).toBe(true);
  expect(event.at).toBeLessThanOrEqual(RECEIVED);
  expect(event.at).toBeGreaterThanOrEqual(RECEIVED - MAX_EVENT_AGE_MS);
  expect(event.url.hostname).not.toBe("");
  expect(isWithin(event.url.hostname, LIMITS.siteChars)).toBe(true);
  expect(event.url.path.startsWith("/")).toBe(true);
  expect(isWithin(event.url.path, LIMITS.urlChars)).toBe(true);
  for (const [key, value] of Object.entries(event.url.query)) {
    expect(QUERY_KEYS).toContain(key);
    expect(value !== "" && isWithin(value, LIMITS.urlChars)).toBe(true);
  }
  expect(isWithin(event.referrer, LIMITS.urlChars)).toBe(true);
  const keys = event.props.map(([key]) => key);
  expect(keys).toEqual([...new Set(keys)].sort());
  expect(keys.length).toBeLessThanOrEqual(LIMITS.props);
  for (const [key, value] of event.props) {
    expect(key !== "" && isWithin(key, LIMITS.propKeyChars) && isWithin(value, LIMITS.propValueChars)).toBe(
      true,
    );
  }
  if (event.revenue) {
    expect(Number.isSafeInteger(event.revenue.minor)).toBe(true);
    expect(Math.abs(event.revenue.minor)).toBeLessThanOrEqual(MAX_MINOR);
  }
  for (const [value = 0, max] of [
    [event.engagedMs, LIMITS.engagedMs],
    [event.scrollDepth, 100],
  ] as const) {
    expect(Number.isInteger(value) && value >= 0 && value <= max).toBe(true);
  }
  for (const value of Object.values(event.vitals ?? {}))
    expect(Number.isFinite(value) && value >= 0).toBe(true);
}

function expectReject({ reason, message }: Reject): void {
  expect(REJECT_REASONS).toContain(reason);
  // A field, a colon and words of ours: nothing that was sent.
  expect(message).toMatch(/^[a-z_0-9[\].$]+(?:\.[a-z$]+)*: [\w ,()/.-]+$/i);
}

function expectLawful(result: Batch[] | Reject): void {
  if ("reason" in result) {
    expectReject(result);
    return;
  }
  expect(result.length).toBeGreaterThan(0);
  for (const batch of result) {
    expect(batch.site !== "" && isWithin(batch.site, LIMITS.siteChars)).toBe(true);
    expect(isWithin(batch.id, LIMITS.idChars) && isWithin(batch.visitor, LIMITS.idChars)).toBe(true);
    expect(batch.events.length + batch.rejects.length).toBeGreaterThan(0);
    batch.events.forEach(expectClean);
    batch.rejects.forEach(expectReject);
  }
}

const routes = ["/v1/events", "/api/event"] as const;

describe.each(routes)("decodeBatches on %s", (route) => {
  it("never throws on any JSON, and lets only clean events through", () => {
    let passed = 0;
    fc.assert(
      fc.property(body, (value) => {
        const result = decodeBatches(envelopeOf(route, JSON.stringify(value) ?? ""));
        expectLawful(result);
        if (!("reason" in result)) passed += result[0]!.events.length;
      }),
      { numRuns: 2_000 },
    );
    // A law about events means nothing where none get through.
    expect(passed).toBeGreaterThan(200);
  });

  it("never throws on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expectLawful(decodeBatches(envelopeOf(route, bytes)));
      }),
    );
  });

  it("never throws on any cut through a good body", () => {
    const whole = JSON.stringify({
      s: "a.com",
      d: "a.com",
      n: "x",
      u: "https://a.com/차",
      e: [{ n: "pageview", u: "https://a.com/차" }],
    });
    const bytes = new TextEncoder().encode(whole);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeBatches(envelopeOf(route, bytes.slice(0, length)))).toMatchObject({ reason: "malformed" });
    }
  });

  it("refuses nesting that would overflow a stack instead of failing", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expectLawful(decodeBatches(envelopeOf(route, deep)));
    expectLawful(
      decodeBatches(
        envelopeOf(route, `{"s":"a.com","d":"a.com","n":"x","u":"https://a.com/","p":${deep},"e":${deep}}`),
      ),
    );
  });

  it("gives equal output for equal input: nothing outside the envelope has a say", () => {
    fc.assert(
      fc.property(body, (value) => {
        const envelope = envelopeOf(route, JSON.stringify(value) ?? "");
        expect(decodeBatches(envelope)).toEqual(decodeBatches(envelope));
      }),
    );
  });
});

it.each([
  { name: "a path", c: { u: `https://a.com/${"p".repeat(240_000)}` } },
  { name: "an encoded path within the limit", c: { u: `https://a.com/${"%41".repeat(5_000)}` } },
  { name: "a host", c: { u: `https://${"a.".repeat(120_000)}com/` } },
  { name: "a query", c: { u: `https://a.com/?${"a&".repeat(120_000)}` } },
  { name: "a referrer", c: { u: "https://a.com/", r: `https://a.com/?${"r".repeat(240_000)}` } },
])("$name of any length costs a batch of a thousand events no more than a blink", ({ c }) => {
  const envelope = envelopeOf(
    "/v1/events",
    JSON.stringify({ s: "a.com", c, e: Array(1_000).fill({ n: "a" }) }),
  );
  expect(decodeBatches(envelope)).toHaveLength(1);
  expect(fastestMs(() => decodeBatches(envelope), 150)).toBeLessThan(150);
});
