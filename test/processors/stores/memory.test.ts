import { Buffer } from "node:buffer";
import fc from "fast-check";
import { expect, it } from "vitest";
import { compareUtf8, memoryStore } from "../../../processors/stores/memory.ts";
import { describeStore } from "../../conformance/store.ts";

describeStore("memory", async (clock) => memoryStore({ clock }), { modelRuns: 300 });

it("orders any two texts as their UTF-8 bytes", () => {
  const anyText = fc.string({ unit: "binary", maxLength: 4 });
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
