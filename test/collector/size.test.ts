import { expect, it } from "vitest";
import { buildCollector, MAX_BROTLI_BYTES } from "../../collector/build.ts";

it("stays within its byte budget", async () => {
  const { code, sizes } = await buildCollector();
  console.log(
    `c.js: ${sizes.raw} raw, ${sizes.gzip} gzip, ${sizes.brotli} brotli (budget ${MAX_BROTLI_BYTES})`,
  );
  expect(sizes.raw).toBe(Buffer.byteLength(code));
  expect(sizes.brotli).toBeLessThanOrEqual(MAX_BROTLI_BYTES);
});
