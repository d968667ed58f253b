/** How the tests run: real processes, a few at a time, and a machine-readable report where somebody asks for one. */
import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;
const report = process.env.RIVULET_TEST_REPORT;
// Each file runs in a process of its own, and starts others: compiled once, the code of all is read from here.
process.env.NODE_COMPILE_CACHE ??= `${root}node_modules/.cache/rivulet-tests`;

export default defineConfig({
  test: {
    root,
    include: ["test/**/*.test.ts"],
    // Generous, because a machine that is busy with other work is no fault of the product.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    // One more than cores: many tests wait for servers, browsers and clocks.
    maxWorkers: 3,
    ...(report ? { reporters: ["default", "json"], outputFile: { json: report } } : {}),
  },
});
