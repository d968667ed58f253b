/** How the tests run: real processes, two at a time, and a machine-readable report where somebody asks for one. */
import { defineConfig } from "vitest/config";

const report = process.env.RIVULET_TEST_REPORT;

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Of what is awaited in pages and servers, whatever else the machine is doing.
    expect: { poll: { timeout: 5_000 } },
    pool: "forks",
    maxWorkers: 2,
    ...(report ? { reporters: ["default", "json"], outputFile: { json: report } } : {}),
  },
});
