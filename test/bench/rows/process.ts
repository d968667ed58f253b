/** What it costs to be there: start, idle memory, a function's cold import, and the heap of open counts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bundleHandler, HANDLERS, type HandlerName } from "../../../infra/aws/bundle.ts";
import { ENV } from "../../../processors/env.ts";
import { type ServerProcess, startServer } from "../../kit/server.ts";
import type { Benchmark } from "../benchmark.ts";
import { residentMb } from "../load.ts";
import { exactly, median, short, sideBySide } from "../measure.ts";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Milliseconds until a process of Node's has done this and ended. */
async function nodeMs(args: readonly string[], env: Record<string, string> = {}): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, { stdio: "inherit", env: { ...process.env, ...env } });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`node ${args.join(" ")} ended with ${code}`);
  return performance.now() - startedAt;
}

const empty = (): Promise<number> => nodeMs(["-e", "0"]);

const ready: Benchmark = {
  id: "ready",
  what: "start of the process to /healthz 200 on an empty directory, beyond an empty Node",
  against: "400 ms",
  unit: "ms",
  better: "lower",
  floor: 1,
  aim: 150 / 400,
  run: async ({ budgetMs, directory }) =>
    sideBySide(
      {
        async subject() {
          const data = await mkdtemp(join(directory, "r-"));
          const startedAt = performance.now();
          const server = await startServer({ data });
          const ms = performance.now() - startedAt;
          await server.stop();
          return ms - (await empty());
        },
        baseline: () => 400,
        runs: 5,
      },
      budgetMs,
    ),
};

/** At the same time: they only wait. */
const IDLE_SERVERS = 5;

const idle: Benchmark = {
  id: "idle-memory",
  what: "resident memory 15 s after the start, no traffic",
  against: "120 MB",
  unit: "MB",
  better: "lower",
  floor: 1,
  aim: 80 / 120,
  async run({ directory }) {
    const servers: ServerProcess[] = [];
    try {
      for (let i = 0; i < IDLE_SERVERS; i++)
        servers.push(await startServer({ data: await mkdtemp(join(directory, "m-")) }));
      await sleep(15_000);
      const sizes = servers.map(({ pid }) => residentMb(pid)).sort((a, b) => a - b);
      const spread = [sizes[0]! / 120, sizes.at(-1)! / 120] as const;
      return { ...exactly(median(sizes), 120), spread, runs: sizes.length };
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};

const lambda: Benchmark = {
  id: "lambda-import",
  what: "import of the bundle that consumes the stream on Lambda, process included",
  against: "an empty Node",
  unit: "ms",
  better: "lower",
  floor: 1.8,
  aim: 1.15,
  async run({ budgetMs, directory, note }) {
    const env = {
      ...Object.fromEntries(Object.values(ENV).map((name) => [name, "1"])),
      [ENV.sites]: "demo@UTC",
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "none",
      AWS_SECRET_ACCESS_KEY: "none",
    };
    const importMs = (handler: HandlerName): Promise<number> => {
      const entry = JSON.stringify(join(directory, handler, "index.mjs"));
      return nodeMs(["--input-type=module", "-e", `await import(${entry}); process.exit(0)`], env);
    };
    const medians: string[] = [];
    for (const handler of HANDLERS) {
      bundleHandler(handler, join(directory, handler));
      const times: number[] = [];
      for (let run = 0; run < 7; run++) times.push(await importMs(handler));
      medians.push(`${handler} ${short(median(times.sort((a, b) => a - b)))}`);
    }
    note(`lambda-import: medians of 7 in ms: ${medians.join(", ")}`);
    return sideBySide({ subject: () => importMs("aggregate"), baseline: empty }, budgetMs);
  },
};

/** Heap of the process that `cells.ts` fills in one of two ways, MB. */
async function heapMb(way: "ours" | "sets"): Promise<number> {
  const child = spawn(process.execPath, ["--expose-gc", path("../servers/cells.ts"), way], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  await once(child, "exit");
  return Number(line);
}

const heap: Benchmark = {
  id: "heap-cells",
  what: "heap of 160,000 open counts (minute, dimension and value) with a million visitors in them",
  against: "a Map of objects with a Set of visitors each",
  unit: "MB",
  better: "lower",
  floor: 0.6,
  aim: 0.4,
  async run({ note }) {
    const [ours, sets] = [await heapMb("ours"), await heapMb("sets")];
    note(
      `heap-cells: ${short((ours * 1e6) / 160_000)} bytes a count against ${short((sets * 1e6) / 160_000)}`,
    );
    return exactly(ours, sets);
  },
};

export const benchmarks: readonly Benchmark[] = [ready, idle, lambda, heap];
