/** The short way through the decoder says what the plain one says, or leaves the record to it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Envelope } from "../../../../processors/model/envelope.ts";
import { decodeBase64, JsonBytes } from "../../../../processors/pipeline/decode/bytes.ts";
import { Interned } from "../../../../processors/pipeline/decode/interned.ts";
import { decodePlainly, decodeRecord } from "../../../../processors/pipeline/decode/record.ts";
import { scanRecord } from "../../../../processors/pipeline/decode/scan.ts";
import { encodeJson } from "../../../../processors/pipeline/json.ts";
import { anyText } from "../../../kit/texts.ts";
import { base64, envelopeOf, RECEIVED } from "./samples.ts";

const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
/** As the gateway writes a request of the collector. */
const usual = (body: unknown): Envelope => ({
  ...envelopeOf("/v1/events", typeof body === "string" ? body : JSON.stringify(body)),
  ua64: base64(AGENT),
  country: "KR",
  trace64: base64("Root=1-5759e988-bd862e3fe1be46a994272793"),
  origin64: base64("https://example.com"),
});
const recordOf = (data: Uint8Array | string) => ({
  sequence: "1",
  partitionKey: "",
  arrivalAt: RECEIVED + 5,
  data: typeof data === "string" ? new TextEncoder().encode(data) : data,
});
const scan = (data: Uint8Array | string) => scanRecord(recordOf(data).data, RECEIVED + 5);

/** Scans it, if it can be, and holds that to the plain decoder; whether it could. */
function scansAlike(data: Uint8Array | string): boolean {
  const record = recordOf(data);
  const scanned = scanRecord(record.data, record.arrivalAt);
  if (!scanned) return false;
  const plain = decodePlainly(record);
  expect([scanned.batch]).toEqual(plain.batches);
  expect(scanned.agentText).toBe(plain.agentText);
  expect(plain.envelope).toMatchObject(scanned.envelope);
  expect(decodeRecord(record).batches).toEqual(plain.batches);
  return true;
}

const PAGE = {
  k: 1,
  s: "example.com",
  b: "0123456789abcdef0123456789abcdef",
  c: {
    u: "https://example.com/차?utm_source=x",
    r: "https://a.example/",
    w: 1440,
    h: 900,
    l: "ko-KR",
    z: "Asia/Seoul",
  },
  e: [
    { n: "pageview", t: RECEIVED - 900 },
    { n: "add_to_cart", t: RECEIVED - 800, p: { item: "녹차", quantity: 2, gift: true, note: "" }, i: false },
    { n: "purchase", t: RECEIVED - 700, $: { amount: "19.99", currency: "eur" }, u: "http://example.com/a" },
    { n: "engagement", t: RECEIVED - 600.5, ms: 3_700.25, sd: 76.5, r: "" },
    { n: "engagement", t: RECEIVED - 500, sd: 0 },
    { n: "vitals", t: RECEIVED - 400, m: { lcp: 1_800.5, cls: 0.012, inp: 0, ttfb: 87 } },
    { n: "left", m: { lcp: 1 }, ms: 5 },
  ],
  v: "visitor-1",
  d: 3,
  t: RECEIVED - 100,
};

describe("scanning a record", () => {
  it("reads what collectors send, in whatever order, as the plain decoder does", () => {
    expect(scansAlike(JSON.stringify(usual(PAGE)))).toBe(true);
    const { c, e, ...rest } = PAGE;
    for (const body of [
      { e, ...rest },
      { e, c, ...rest },
      { ...rest, e: e.slice(2, 3) },
      { s: PAGE.s, c, e },
    ])
      expect(scansAlike(JSON.stringify(usual(body)))).toBe("c" in body || body.e.length === 1);
    expect(scansAlike(JSON.stringify(Object.fromEntries(Object.entries(usual(PAGE)).reverse())))).toBe(true);
  });

  it("reads a key that comes twice as JSON does: the last time counts", () => {
    const old = JSON.stringify(PAGE).replace('"n":"pageview"', '"n":"pageview","t":1');
    expect(scansAlike(JSON.stringify(usual(old)))).toBe(true);
    const twice = JSON.stringify(PAGE).replace(
      '{"k":1',
      '{"e":[{"n":"a"}],"c":{"u":"https://b.example/"},"k":1',
    );
    expect(scansAlike(JSON.stringify(usual(twice)))).toBe(true);
  });

  it("leaves a key without a value to the plain decoder, though it comes again with one", () => {
    const again = (text: string, key: string): string => text.replace(`"${key}":`, `"${key}":,"${key}":`);
    const isLeft = (text: string): boolean => !scansAlike(text);
    for (const key of Object.keys(PAGE))
      expect(isLeft(JSON.stringify(usual(again(JSON.stringify(PAGE), key)))), key).toBe(true);
    for (const key of Object.keys(usual(PAGE)))
      expect(isLeft(again(JSON.stringify(usual(PAGE)), key)), key).toBe(true);
  });

  it("agrees on mutations of a good batch: another value at a key, or a key that is not there", () => {
    const odd = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        true,
        "",
        " ",
        "pageview",
        "engagement",
        "vitals",
        [],
        {},
        -1,
        0,
        1.5,
        1e3,
      ),
      fc.constantFrom<unknown>(
        1e21,
        1e-7,
        0.1,
        123456789.125,
        12345678901234568,
        "\u0000",
        "\ud800",
        "\ufeffx",
        '"',
        "\\",
      ),
      fc.constantFrom<unknown>(
        "https://example.com/%ED%95%9C",
        "mailto:a@b",
        { a: { b: 1 } },
        { a: "}" },
        { __proto__: 1 },
      ),
      fc.constantFrom<unknown>(
        RECEIVED,
        RECEIVED + 1e9,
        RECEIVED - 1e9,
        { amount: 5, currency: "KRW" },
        "x".repeat(3_000),
      ),
      fc.json().map((text): unknown => JSON.parse(text)),
      anyText(),
      fc.double({ min: 0, noNaN: true }),
    );
    const key = fc.constantFrom(...[..."sbtvcdeknurp$imwhlzx"], "ms", "sd", "__proto__");
    const places = ["", "c", "e.0", "e.1", "e.2", "e.3", "e.5", "envelope"];
    const change = fc.tuple(fc.constantFrom(...places), key, fc.constantFrom(...Object.keys(usual({}))), odd);
    let scanned = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 2 }), (changes) => {
        const body = structuredClone(PAGE) as Record<string, unknown>;
        const around: Record<string, unknown> = {};
        for (const [place, name, outerName, value] of changes) {
          if (place === "envelope") around[outerName] = value;
          else {
            let at: unknown = body;
            for (const step of place.split(".").filter(Boolean))
              at = (at as Record<string, unknown> | undefined)?.[step];
            if (typeof at === "object" && at !== null)
              Object.defineProperty(at, name, {
                value,
                enumerable: true,
                configurable: true,
                writable: true,
              });
          }
        }
        if (scansAlike(JSON.stringify({ ...usual(body), ...around }))) scanned++;
      }),
      { numRuns: 200 },
    );
    // It must not hold because everything is left to the plain decoder.
    expect(scanned).toBeGreaterThan(40);
  });

  it("agrees on bytes that were changed or cut, in the envelope and in the body", () => {
    const body = encodeJson(PAGE);
    const whole = (bytes: Uint8Array): Uint8Array => encodeJson({ ...usual(""), body64: base64(bytes) });
    const damage = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean(), fc.boolean());
    fc.assert(
      fc.property(damage, ([at, byte, isCut, isOutside]) => {
        const bytes = (isOutside ? whole(body) : body).slice();
        bytes[at % bytes.length] = byte;
        const damaged = isCut ? bytes.subarray(0, at % bytes.length) : bytes;
        scansAlike(isOutside ? damaged : whole(damaged));
      }),
      { numRuns: 1_000 },
    );
  });

  it("leaves to the plain decoder what is refused, what is of another route, and what is too much", () => {
    const many = { ...PAGE, e: Array.from({ length: 1_001 }, () => ({ n: "a" })) };
    for (const body of [
      {},
      { ...PAGE, e: [] },
      { ...PAGE, s: "" },
      many,
      { ...PAGE, e: [{ n: "a", u: "x" }] },
    ])
      expect(scan(JSON.stringify(usual(body)))).toBeUndefined();
    for (const more of [
      { route: "/api/event" },
      { at: RECEIVED + 1e6 },
      { at: 5 },
      { later: "x" },
      { body64: "" },
    ])
      expect(scan(JSON.stringify({ ...usual(PAGE), ...more }))).toBeUndefined();
    const large = JSON.stringify({ ...PAGE, z: "x".repeat(300_000) });
    expect(scan(JSON.stringify(usual(large)))).toBeUndefined();
    expect(scan("")).toBeUndefined();
  });
});

describe("JSON read in place", () => {
  it("reads numbers of up to 15 digits as JSON.parse does, and no others", () => {
    const read = (text: string): number => {
      const json = new JsonBytes();
      const bytes = new TextEncoder().encode(text);
      json.open(bytes, bytes.length);
      const value = json.number();
      return json.isDone ? value : -1;
    };
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.nat(999_999), fc.boolean(), (whole, decimals, isWhole) => {
        const text = isWhole ? String(whole) : `${whole}.${String(decimals).padStart(6, "0")}`;
        expect(read(text)).toBe(JSON.parse(text));
      }),
    );
    for (const text of ["", "-1", "01", "1.", ".5", "1e3", "1234567890123456", "12345678.12345678", "NaN"])
      expect(read(text), text).toBe(-1);
  });

  it("decodes padded base64 as Buffer does, and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const encoded = Buffer.from(Buffer.from(bytes).toString("base64"));
        const target = new Uint8Array(80);
        const length = decodeBase64(encoded, 0, encoded.length, target);
        expect([...target.subarray(0, length)]).toEqual([...bytes]);
      }),
    );
    for (const text of ["A", "AA", "AAA", "A===", "====", "AA=A", "AAAA=", "AAA-", "AAA\n"])
      expect(decodeBase64(Buffer.from(text), 0, text.length, new Uint8Array(9)), text).toBe(-1);
  });
});

describe("what is interned", () => {
  it("is what was made of the text, however many there were, and is not made again", () => {
    let made = 0;
    const table = new Interned((text) => {
      made++;
      return text === "none" ? undefined : { text };
    });
    const get = (text: string) => {
      const bytes = new TextEncoder().encode(`..${text}.`);
      return table.get(bytes, 2, bytes.length - 1)?.text;
    };
    for (let i = 0; i < 10_000; i++) expect(get(`text ${i}`)).toBe(`text ${i}`);
    const before = made;
    expect(get("text 9999")).toBe("text 9999");
    expect(made).toBe(before);
    // Alike wherever the hash looks.
    for (let i = 0; i < 100; i++) {
      const alike = `${String(i).padStart(3, "0")}${"-".repeat(60)}`;
      expect(get(alike)).toBe(alike);
    }
    for (const text of ["", "x".repeat(160), "x".repeat(161), "차", "\ufeff"]) expect(get(text)).toBe(text);
    expect(get("none")).toBeUndefined();
    expect(table.get(Uint8Array.of(0xff), 0, 1)).toBeUndefined();
  });
});
