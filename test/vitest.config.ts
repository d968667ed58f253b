/** How the tests run: real processes, a few at a time, and a machine-readable report where somebody asks for one. */
import { existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;
const report = process.env.RIVULET_TEST_REPORT;
// Whatever is started is compiled once, and the code of all is read from here.
process.env.NODE_COMPILE_CACHE ??= `${root}node_modules/.cache/rivulet-tests`;

/**
 * Where files that live for a moment cost least: in memory where it has room for them, else where the system says. A run
 * holds some hundred MB at once. On a disk up to a fifth of the browser's processor time goes into its own shared memory, which
 * Playwright has it keep among the temporary files; and no test can tell by a killed process whether a disk was synced.
 */
function place(): string {
  const memory = "/dev/shm";
  if (process.env.TMPDIR || !existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 4 * 2 ** 30 ? memory : tmpdir();
}

// What tests and the processes that they kill leave behind goes with the run.
const temporary = mkdtempSync(join(place(), "rivulet-tests-"));
process.env.TMPDIR = temporary;
process.once("exit", () => rmSync(temporary, { recursive: true, force: true, maxRetries: 10 }));

/**
 * Files that may share a process, which is warm then: of code without a clock, randomness, environment and state
 * (docs/architecture.md), but for the one that looks at its heap; and others that leave their process as they found it,
 * but for the one that looks at what is synced.
 */
const SHARING = [
  "test/processors/{model,pipeline,sketches}/**/!(flood).test.ts",
  "test/processors/{archives,explorers,geo,imports,notifiers}/**/!(durable).test.ts",
  "test/dashboard/{address,alerts,change,day,format,gate,period,rating,scale}.test.ts",
  "test/infra/{gateway,local/cost,local/simulate}/**/*.test.ts",
  "test/infra/{api,mapping,workflow}.test.ts",
  "test/kit/{*,faults/*,lambda/mapping}.test.ts",
  "test/processors/{stores,streams}/*.test.ts",
  "test/{protocol,bench}/*.test.ts",
  "test/{architecture,docs}.test.ts",
];
/** The same of what talks to servers and browsers, which are processes of their own. */
const OUTSIDE = [
  "test/e2e/*.test.ts",
  "test/dashboard/{access,archive,controls,login,narrow,page}.test.ts",
  "test/collector/*.test.ts",
  "test/infra/local/!(heap).test.ts",
];
/** Of templates: to load CDK takes longer than most of them. But for the one that sets the environment of a handler. */
const TEMPLATES = ["test/infra/aws/!(import).test.ts"];
/** Of a package whose modules name each other as a bundler finds them, and Node does not. */
const RESOLVED = ["test/processors/pipeline/explore/trino.test.ts"];

export default defineConfig({
  test: {
    root,
    // Generous, because a machine that is busy with other work is no fault of the product.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // To look more often takes the time from what is waited for.
    expect: { poll: { timeout: 20_000, interval: 100 } },
    // By Node's own loader, as the product runs.
    experimental: { viteModuleRunner: false },
    pool: "forks",
    // Twice two cores: many tests wait for servers, browsers and clocks.
    maxWorkers: 4,
    // Tests make much that lives for a moment: fewer and larger collections of it.
    execArgv: ["--min-semi-space-size=16", "--max-semi-space-size=32"],
    projects: [
      // In this order, which is that of their names: what waits for other processes before what only computes.
      { extends: true, test: { name: "aws", include: TEMPLATES, isolate: false } },
      { extends: true, test: { name: "outside", include: OUTSIDE, isolate: false } },
      {
        extends: true,
        test: {
          name: "processes",
          include: ["test/**/*.test.ts"],
          exclude: [...TEMPLATES, ...OUTSIDE, ...RESOLVED, ...SHARING],
        },
      },
      {
        extends: true,
        test: { name: "resolved", include: RESOLVED, experimental: { viteModuleRunner: true } },
      },
      {
        extends: true,
        test: { name: "sharing", include: SHARING, exclude: RESOLVED, isolate: false },
      },
    ],
    ...(report ? { reporters: ["default", "json"], outputFile: { json: report } } : {}),
  },
});
