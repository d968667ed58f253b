import { Buffer } from "node:buffer";
import fc from "fast-check";
import { expect, it } from "vitest";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { compareSortKeys } from "../../../processors/stores/store.ts";
import { describeStore } from "../../conformance/store.ts";
import { anyText } from "../../kit/texts.ts";

describeStore("memory", async (clock) => memoryStore({ clock }), { modelRuns: 300 });

it("orders any two sort keys as their UTF-8 bytes", () => {
  const key = anyText({ maxLength: 4 });
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareSortKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
