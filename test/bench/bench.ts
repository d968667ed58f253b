/**
 * `npm run bench`: measures each row of docs/performance.md against its baseline and writes the table there.
 * `--only ID` (repeatable) measures some rows, `--budget SECONDS` bounds the whole run, `--json FILE` writes the results
 * too, `--no-page` leaves the page alone, `--list` only names the rows. `--guard` measures the rows in recorded.json and
 * fails when one became worse than 1.5 times what it was; `--record` writes what it is now there. `--curves` prints how
 * costs grow instead. RIVULET_SEED changes the data.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.ts";
import { drawCurves } from "./curves.ts";
import { readRecorded, worse, writeRecorded } from "./guard.ts";
import { describeRow, machine, type Row, resultOf, writePage } from "./report.ts";

const { only, budget, json, list, page, guard, record, curves } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    budget: { type: "string", default: "600" },
    json: { type: "string" },
    list: { type: "boolean", default: false },
    page: { type: "boolean", default: true },
    guard: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    curves: { type: "boolean", default: false },
  },
  allowNegative: true,
}).values;
const seed = Number(process.env.RIVULET_SEED ?? 42);
if (!(Number(budget) > 0)) throw new RangeError(`--budget: not a number of seconds: ${budget}`);

const all = await loadRows();
const recorded = guard || record ? readRecorded() : new Map<string, number>();
const chosen =
  recorded.size > 0
    ? all.filter(({ id }) => recorded.has(id))
    : only
      ? all.filter(({ id }) => only.includes(id))
      : all;
const unknown = only?.filter((id) => !all.some((row) => row.id === id)) ?? [];
if (unknown.length > 0)
  throw new RangeError(`--only ${unknown.join()}: rows are ${all.map(({ id }) => id).join(", ")}`);

if (list) for (const { id, what } of all) console.log(`${id}: ${what}`);
else {
  console.log(`${machine()}, seed ${seed}`);
  const directory = await mkdtemp(join(tmpdir(), "rivulet-bench-"));
  try {
    if (curves) await drawCurves({ budgetMs: Number(budget) * 1_000, seed, directory, print: console.log });
    else await measureAll(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureAll(directory: string): Promise<void> {
  const rows: Row[] = [];
  const notes: string[] = [];
  const endsAt = performance.now() + Number(budget) * 1_000;
  for (const [index, benchmark] of chosen.entries()) {
    const left = endsAt - performance.now();
    if (left <= 0) {
      console.log(`${benchmark.id}: no time left`);
      continue;
    }
    const note = (line: string): void => {
      notes.push(line);
      console.log(`  ${line}`);
    };
    const budgetMs = left / (chosen.length - index);
    const measured = await benchmark.run({ budgetMs, seed, directory, note }).catch((error: unknown) => {
      // The other rows are still worth having; the exit code tells.
      console.error(`${benchmark.id} failed:`, error);
      process.exitCode = 1;
      return undefined;
    });
    if (measured === undefined) {
      console.log(`${benchmark.id}: cannot be measured here`);
      continue;
    }
    rows.push({ benchmark, measured });
    console.log(describeRow({ benchmark, measured }));
  }
  if (guard) {
    const slower = worse(rows, recorded);
    for (const line of slower) console.log(line);
    if (slower.length > 0) process.exitCode = 1;
  }
  if (record) writeRecorded(rows);
  if (page && !guard && !record && rows.length > 0) writePage(rows, notes);
  if (json) writeFileSync(json, `${JSON.stringify(rows.map(resultOf), undefined, 2)}\n`);
}

/** Every file in rows/ exports `benchmarks`; a new row is a new entry there and nothing else. */
async function loadRows(): Promise<Benchmark[]> {
  const folder = new URL("rows/", import.meta.url);
  const rows: Benchmark[] = [];
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .sort()) {
    const { benchmarks } = (await import(new URL(file, folder).href)) as {
      benchmarks?: readonly Benchmark[];
    };
    rows.push(...(benchmarks ?? []));
  }
  return rows;
}
