import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeEnvelope } from "../../../../processors/pipeline/decode/envelope.ts";
import { encodeJson } from "../../../../processors/pipeline/json.ts";
import { envelopeOf } from "./samples.ts";

const good = envelopeOf("/v1/events", "{}");

describe("decodeEnvelope", () => {
  it("reads back what the edge wrote", () => {
    expect(decodeEnvelope(encodeJson(good))).toEqual(good);
  });

  it("takes what the edge may not know as empty, and ignores keys of a later version", () => {
    const { route, at, body64 } = good;
    expect(decodeEnvelope(encodeJson({ route, at, body64, country: null, region: "eu" }))).toEqual({
      ...{ route, at, body64 },
      ...{ id: "", ip: "", ua64: "", country: "", trace64: "", origin64: "" },
    });
  });

  it.each([
    { name: "no JSON", data: new TextEncoder().encode("{"), message: "envelope: not JSON" },
    { name: "no UTF-8", data: Uint8Array.of(0x22, 0xff, 0x22), message: "envelope: not UTF-8" },
    { name: "nothing", data: new Uint8Array(), message: "envelope: not JSON" },
    { name: "a list", data: encodeJson([good]), message: "envelope: not an object" },
    { name: "null", data: encodeJson(null), message: "envelope: not an object" },
    {
      name: "a time as text",
      data: encodeJson({ ...good, at: "1" }),
      message: "envelope.at: not a time in epoch milliseconds",
    },
    {
      name: "a negative time",
      data: encodeJson({ ...good, at: -1 }),
      message: "envelope.at: not a time in epoch milliseconds",
    },
    {
      name: "a time past all dates",
      data: encodeJson({ ...good, at: 9e15 }),
      message: "envelope.at: not a time in epoch milliseconds",
    },
    {
      name: "no route",
      data: encodeJson({ ...good, route: undefined }),
      message: "envelope.route: required",
    },
    { name: "no body", data: encodeJson({ ...good, body64: "" }), message: "envelope.body64: required" },
    {
      name: "an address that is no text",
      data: encodeJson({ ...good, ip: 1 }),
      message: "envelope.ip: not a string",
    },
    {
      name: "a country that is no text",
      data: encodeJson({ ...good, country: ["KR"] }),
      message: "envelope.country: not a string",
    },
  ])("refuses $name", ({ data, message }) => {
    expect(decodeEnvelope(data)).toEqual({ reason: "malformed", message });
  });

  it("never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (data) => {
          const result = decodeEnvelope(data);
          expect("reason" in result ? result.reason : "ok").toMatch(/^(malformed|ok)$/);
        },
      ),
    );
  });
});
