/** How the tests run: real processes, a few at a time, and a machine-readable report where somebody asks for one. */
import { defineConfig } from "vitest/config";

const report = process.env.RIVULET_TEST_REPORT;

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
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
