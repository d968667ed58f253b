/** The X-Amzn-Trace-Id header and the sampling decision. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatTraceHeader,
  parseTraceHeader,
  sampler,
  segmentId,
  type TraceHeader,
  traceId,
} from "../../../processors/model/trace.ts";
import { anyText } from "../../kit/texts.ts";

const ROOT = "1-5759e988-bd862e3fe1be46a994272793";
const PARENT = "53995c3f42cd8ad8";

describe("parseTraceHeader", () => {
  it.each<{ name: string; text: string; header: TraceHeader }>([
    {
      name: "all three fields",
      text: `Root=${ROOT};Parent=${PARENT};Sampled=1`,
      header: { root: ROOT, parent: PARENT, sampled: true },
    },
    { name: "the trace alone", text: `Root=${ROOT}`, header: { root: ROOT } },
    { name: "a refusal", text: `Root=${ROOT};Sampled=0`, header: { root: ROOT, sampled: false } },
    { name: "an open decision as no decision", text: `Root=${ROOT};Sampled=?`, header: { root: ROOT } },
    {
      name: "spaces, any order, any letter case of the keys",
      text: ` sampled=1 ; root=${ROOT} `,
      header: { root: ROOT, sampled: true },
    },
    {
      name: "and skips what it does not know",
      text: `Self=1-00000000-000000000000000000000000;Root=${ROOT};Lineage=a:1|b:0`,
      header: { root: ROOT },
    },
  ])("reads $name", ({ text, header }) => {
    expect(parseTraceHeader(text)).toEqual(header);
  });

  it.each([
    ["nothing", ""],
    ["no trace id", `Parent=${PARENT};Sampled=1`],
    ["a trace id of another version", `Root=2-5759e988-bd862e3fe1be46a994272793`],
    ["a trace id in capitals", `Root=${ROOT.toUpperCase()}`],
    ["a trace id with more behind it", `Root=${ROOT}0`],
    ["markup", `Root=<script>;Sampled=1`],
    ["a parent of the wrong length", `Root=${ROOT};Parent=abc`],
    ["an unknown decision", `Root=${ROOT};Sampled=yes`],
    ["a field without a name", `Root=${ROOT};=1`],
    ["a field without a value", `Root=${ROOT};Sampled`],
    ["a field given twice", `Root=${ROOT};Sampled=0;Sampled=1`],
    ["a header that is too long", `Root=${ROOT};Lineage=${"a".repeat(600)}`],
  ])("takes %s for no header", (_name, text) => {
    expect(parseTraceHeader(text)).toBeUndefined();
  });

  it("never throws, whatever a client sends", () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        parseTraceHeader(text);
        parseTraceHeader(`Root=${ROOT};${text}`);
      }),
    );
  });

  it("reads back what formatTraceHeader writes", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const header = fc
      .record(
        {
          root: fc
            .tuple(fc.integer({ min: 0, max: 4e12 }), bytes(12))
            .map(([now, random]) => traceId(now, random)),
          parent: bytes(8).map(segmentId),
          sampled: fc.boolean(),
        },
        { requiredKeys: ["root"] },
      )
      .map((record) => ({ ...record }));
    fc.assert(
      fc.property(header, (value) => {
        expect(parseTraceHeader(formatTraceHeader(value))).toEqual(value);
      }),
    );
  });
});

describe("sampler", () => {
  const manual = (random: number, options = {}) => {
    const clock = {
      at: 1_763_800_000_000,
      now() {
        return this.at;
      },
    };
    return { clock, sample: sampler({ clock, random: () => random, ...options }) };
  };

  it("takes the first request of each second for sure", () => {
    const { clock, sample } = manual(0.99);
    expect([sample(), sample(), sample()]).toEqual([true, false, false]);
    clock.at += 1000;
    expect([sample(), sample()]).toEqual([true, false]);
  });

  it("takes the given share of the others", () => {
    expect([0.049, 0.05].map((random) => manual(random, { perSecond: 0 }).sample())).toEqual([true, false]);
  });

  it("takes no more of the others in a second than it may", () => {
    const { clock, sample } = manual(0, { perSecond: 1, sharedPerSecond: 2 });
    const second = (): boolean[] => [sample(), sample(), sample(), sample()];
    expect(second()).toEqual([true, true, true, false]);
    clock.at += 1000;
    expect(second()).toEqual([true, true, true, false]);
  });

  it("always lets a caller refuse, and does not spend the reservoir on it", () => {
    const { sample } = manual(0.99);
    expect([sample(false), sample(false), sample()]).toEqual([false, false, true]);
  });

  it("grants a caller's wish only so often per second", () => {
    const { clock, sample } = manual(0.99, { askedPerSecond: 2 });
    expect([sample(true), sample(true), sample(true)]).toEqual([true, true, false]);
    clock.at += 1000;
    expect(sample(true)).toBe(true);
  });
});
