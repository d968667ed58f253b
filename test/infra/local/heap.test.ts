/** That V8 does what its flags are set for; another Node may not. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const HEAP = fileURLToPath(new URL("../../../infra/local/heap.ts", import.meta.url));

/** Makes and keeps objects until the young generation has grown, or gives up; prints its size, MB. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from "node:v8";
  import { setImmediate as turn } from "node:timers/promises";
  import { growYoungWhenBusy, keepHeapSmall } from ${JSON.stringify(HEAP)};
  const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size / 2 ** 20;
  keepHeapSmall();
  growYoungWhenBusy();
  const startedAt = performance.now();
  while (young() < 16 && performance.now() - startedAt < 10_000) {
    globalThis.kept = Array.from({ length: 20_000 }, (_, i) => ({ i, text: String(i) }));
    await turn();
  }
  console.log(young());`;

it("grows the young generation of a busy process, and not without bound", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", PROGRAM]);
  expect(Number(stdout)).toBeGreaterThanOrEqual(16);
  expect(Number(stdout)).toBeLessThanOrEqual(64);
});
