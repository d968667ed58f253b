/** Writes what a run of the benchmarks found: on the screen, into docs/performance.md, and as JSON. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { type Benchmark, type Measured, type Result, verdict } from "./benchmark.ts";
import { short } from "./measure.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

export interface Row {
  readonly benchmark: Benchmark;
  readonly measured: Measured;
}

export const resultOf = ({
  benchmark: { id, floor, aim, better },
  measured: { value, baseline, ratio },
}: Row): Result => ({
  id,
  value,
  baseline,
  ratio,
  floor,
  aim,
  better,
});

/** One row, for people. */
export function describeRow({ benchmark, measured }: Row): string {
  const { id, unit, floor, aim } = benchmark;
  const { value, baseline, ratio, spread, runs, discarded } = measured;
  const marks = `floor ${floor}, aim ${aim}`;
  return `${id}: ${short(value)} ${unit} against ${short(baseline)}: ratio ${short(ratio)} (${short(spread[0])} to ${short(spread[1])}, ${runs} runs, ${discarded} discarded), ${marks}: ${words[verdict(resultOf({ benchmark, measured }))]}`;
}

const words = { aim: "aim met", floor: "floor met", missed: "missed" } as const;

export function machine(): string {
  const [cpu] = cpus();
  const model = (cpu?.model ?? "unknown").replace(/\s+/g, " ").replace(/\((R|TM)\)/g, "");
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${model}), ${memoryGb} GB of memory, ${process.platform} ${release().split("-")[0]} ${process.arch}, Node ${process.versions.node}`;
}

/** Puts the rows between the page's markers; rows that were not measured now stay as they were. */
export function writePage(rows: readonly Row[], notes: readonly string[]): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE}: the markers ${BEGIN} and ${END} are gone`);
  const old = page.slice(begin, end).split("\n");
  const lines = new Map(
    old.filter((line) => line.startsWith("| `")).map((line) => [/`([^`]+)`/.exec(line)![1]!, line]),
  );
  for (const row of rows) lines.set(row.benchmark.id, tableLine(row));
  const oldNotes = old.filter((line) => line.startsWith("- "));
  const fresh = new Set(rows.map(({ benchmark }) => benchmark.id));
  const kept = oldNotes.filter((line) => !fresh.has(line.slice(2).split(":", 1)[0]!));
  const block = [
    BEGIN,
    "",
    `Measured with \`npm run bench\`, some rows alone with \`--only\`, on ${machine()}.`,
    "",
    "| id | what | against | ours | theirs | ratio | spread, runs | floor | aim | |",
    "|---|---|---|---:|---:|---:|---|---:|---:|---|",
    ...[...lines.values()],
    "",
    ...[...kept, ...notes.map((note) => `- ${note}`)],
    "",
  ];
  writeFileSync(PAGE, page.slice(0, begin) + block.join("\n") + page.slice(end));
}

function tableLine(row: Row): string {
  const { id, what, against, unit, floor, aim } = row.benchmark;
  const { value, baseline, ratio, spread, runs } = row.measured;
  const cells = [
    `\`${id}\``,
    what,
    against,
    `${short(value)} ${unit}`,
    `${short(baseline)} ${unit}`,
    `**${short(ratio)}**`,
    `${short(spread[0])} to ${short(spread[1])}, ${runs}`,
    short(floor),
    short(aim),
    words[verdict(resultOf(row))],
  ];
  return `| ${cells.join(" | ")} |`;
}
