/** History as it comes in and is counted again: an access log imported by the command line, and its archive folded anew. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeLog } from "../accesslog.ts";
import type { BenchContext, Benchmark } from "../benchmark.ts";
import { peakMb, processMs } from "../load.ts";
import { exactly, short } from "../measure.ts";

const CLI = fileURLToPath(new URL("../../../infra/local/bin.js", import.meta.url));
const SITE = "example.com";
/** Whole days in the past, of which no minutes are kept. */
const BEGAN = Date.UTC(2026, 0, 1);
/** A log this long in the usual budget; a month of five million wants `--budget 340`, one of ten million `--budget 670`. */
const LINES = { least: 50_000, most: 10_000_000, perBudgetSecond: 15_000 };
/** A log is a month at most: a shorter one has as many lines a day as one of five million. */
const DAYS = 30;
const LEAST_A_DAY = 166_000;
const linesADay = (lines: number): number => Math.max(LEAST_A_DAY, Math.ceil(lines / DAYS));
const FLOOR_A_SECOND = 50_000;
/** A month of ten million events in five minutes. */
const FLOOR_US_A_ROW = 30;
const LOOK_MS = 100;

interface Ran {
  readonly output: string;
  readonly ms: number;
  /** Processor time of all threads, and the most memory that was resident. */
  readonly cpuMs: number;
  readonly peakMb: number;
}

/** Runs the command line to its end and watches it. Throws when it fails. */
async function run(...args: readonly string[]): Promise<Ran> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  let [cpu, peak] = [0, 0];
  const watch = setInterval(() => {
    try {
      cpu = processMs(child.pid!);
      // One that has ended and is not collected yet has no memory any more.
      peak = peakMb(child.pid!) || peak;
    } catch {} // nor anything else once it is
  }, LOOK_MS);
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(watch);
  if (code !== 0) throw new Error(`rivulet ${args.join(" ")} ended with ${code}: ${output}`);
  return { output, ms: performance.now() - startedAt, cpuMs: cpu, peakMb: peak };
}

interface Imported extends Ran {
  readonly lines: number;
  readonly data: string;
}
let imported: Promise<Imported> | undefined;

async function importLog({ seed, budgetMs, directory }: BenchContext): Promise<Imported> {
  const wanted = Math.round((budgetMs / 1_000) * LINES.perBudgetSecond);
  const lines = Math.min(LINES.most, Math.max(LINES.least, wanted));
  const log = join(directory, "import.log");
  await writeLog(log, { seed, lines, from: BEGAN, viewsADay: linesADay(lines) });
  const data = await mkdtemp(join(directory, "import-"));
  return { ...(await run("import", log, "--site", SITE, "--data", data)), lines, data };
}

const numberBefore = (text: string, output: string): number =>
  Number(new RegExp(`([\\d,]+) ${text}`).exec(output)?.[1]?.replaceAll(",", ""));

const importing: Benchmark = {
  id: "import",
  what: "`rivulet import` of an access log into an empty directory, events a second by the clock",
  against: "50,000 a second",
  unit: "/s",
  better: "higher",
  floor: 1,
  aim: 1.5,
  async run(context) {
    imported ??= importLog(context);
    const { lines, ms, cpuMs, peakMb: peak, output } = await imported;
    const events = numberBefore("events of", output);
    if (events !== lines) throw new Error(`${events} of ${lines} events imported: ${output}`);
    context.note(
      `import: ${lines.toLocaleString("en-US")} lines of ${linesADay(lines).toLocaleString("en-US")} a day, start and end of the process included; ${short((cpuMs * 1_000) / lines)} µs of processor an event, at most ${short(peak)} MB resident`,
    );
    return exactly((lines * 1_000) / ms, FLOOR_A_SECOND);
  },
};

const rebuilding: Benchmark = {
  id: "rebuild",
  what: "`rivulet rebuild --dry-run` of what was imported, µs by the clock per archived row",
  against: "30 µs: ten million rows in five minutes",
  unit: "µs",
  better: "lower",
  floor: 1,
  aim: 0.5,
  async run(context) {
    imported ??= importLog(context);
    const { data, lines } = await imported;
    const {
      output,
      ms,
      cpuMs,
      peakMb: peak,
    } = await run("rebuild", "--data", data, "--site", SITE, "--dry-run");
    const rows = numberBefore("rows folded", output);
    if (rows !== lines) throw new Error(`${rows} of ${lines} rows folded: ${output}`);
    const [windows, differ] = [numberBefore("windows;", output), numberBefore("differ", output)];
    context.note(
      `rebuild: ${short(rows)} rows, ${differ} of ${windows} windows differ; ${short((cpuMs * 1_000) / rows)} µs of processor a row, at most ${short(peak)} MB resident`,
    );
    return exactly((ms * 1_000) / rows, FLOOR_US_A_ROW);
  },
};

export const benchmarks: readonly Benchmark[] = [importing, rebuilding];
