import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash53, hashPrefix } from "../../../processors/pipeline/hash.ts";
import { anyText } from "../../kit/texts.ts";

describe("hash53", () => {
  it("is cyrb53: the same numbers on every machine and in every version, as states on disk hold them", () => {
    expect([hash53(""), hash53("a"), hash53("event:page\u0000/")]).toEqual([
      3338908027751811, 7929297801672961, 516940567103739,
    ]);
  });

  it("continues a prefix as if both had been one text", () => {
    fc.assert(
      fc.property(anyText(), anyText(), (prefix, text) => {
        expect(hash53(text, hashPrefix(prefix))).toBe(hash53(prefix + text));
      }),
    );
  });
});
