/** The byte budget of each of the collector's files. */
import { expect, it } from "vitest";
import { buildCollector, COLLECTOR_FILES, MAX_BROTLI_BYTES, MAX_GZIP_BYTES } from "../../collector/build.ts";

it.each(COLLECTOR_FILES)("%s stays within its byte budget", async (file) => {
  const { code, sizes } = await buildCollector(file);
  const budget = MAX_BROTLI_BYTES[file];
  console.log(`${file}: ${sizes.raw} raw, ${sizes.gzip} gzip, ${sizes.brotli} brotli (budget ${budget})`);
  expect(sizes.raw).toBe(Buffer.byteLength(code));
  expect(sizes.brotli).toBeLessThanOrEqual(budget);
  expect(sizes.gzip).toBeLessThanOrEqual(MAX_GZIP_BYTES[file]);
});
