/** How the tests run: real processes, a few at a time, and a machine-readable report where somebody asks for one. */
import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;
const report = process.env.RIVULET_TEST_REPORT;
// Whatever is started is compiled once, and the code of all is read from here.
process.env.NODE_COMPILE_CACHE ??= `${root}node_modules/.cache/rivulet-tests`;

/**
 * Of code without a clock, randomness, environment and state (docs/architecture.md): their files may share a process, which is
 * warm then. But for the one that looks at the heap of its process.
 */
const PURE = ["test/processors/{model,pipeline,sketches}/**/!(flood).test.ts"];

export default defineConfig({
  test: {
    root,
    // Generous, because a machine that is busy with other work is no fault of the product.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    // One more than cores: many tests wait for servers, browsers and clocks.
    maxWorkers: 3,
    projects: [
      { extends: true, test: { name: "pure", include: PURE, isolate: false } },
      { extends: true, test: { name: "processes", include: ["test/**/*.test.ts"], exclude: PURE } },
    ],
    ...(report ? { reporters: ["default", "json"], outputFile: { json: report } } : {}),
  },
});
