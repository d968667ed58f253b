import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { byFolder } from "../../../processors/archives/layout.ts";
import { decodeParquet, encodeColumns, encodeParquet } from "../../../processors/archives/parquet.ts";
import { columnsIn, rowGroups } from "../../../processors/archives/parquetread.ts";
import { RowColumns } from "../../../processors/archives/rowcolumns.ts";
import { Runs } from "../../../processors/archives/runs.ts";
import { rowOf, valuesOf } from "../../../processors/archives/values.ts";
import {
  ARCHIVE_COLUMNS,
  type ArchiveRow,
  type Column,
  type ColumnType,
} from "../../../processors/model/archive.ts";
import { row } from "../../conformance/archive.ts";
import { Random } from "../../kit/random.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";
import { HOUR, NOON } from "../pipeline/lines.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_129);
const root = temporaryDirectory();

/** Columns of every kind: of one value, of few, of as many as rows, of hardly any, and of none. */
function randomRows(seed: number, count: number): ArchiveRow[] {
  const random = new Random(seed);
  const maybe = <T>(value: T, chance: number): T | null => (random.chance(chance) ? value : null);
  return Array.from({ length: count }, (_, i) =>
    row(i + 1, {
      sequence: String(random.below(2 ** 40)),
      index: random.below(2 ** 31),
      late: random.chance(0.5),
      interactive: random.chance(0.9),
      visitor: maybe(random.below(count).toString(16).padStart(16, "0"), 0.9),
      page: `/${"é한😀".repeat(random.below(3))}${random.below(count)}`,
      visit_source: maybe(["Google", "", "Direct / None"][random.below(3)]!, 0.99),
      visit_country: maybe("KR", 0.01),
      amount_minor: maybe((2 ** 53 - 1 - random.below(2 ** 50)) * (random.chance(0.5) ? 1 : -1), 0.5),
      scroll_depth: maybe(-random.below(2 ** 31), 0.5),
      cls: maybe(random.below(1_000_000) / 7 - 70_000, 0.5),
      props: Array.from({ length: random.below(3) }, (_, n) => [`key ${n}`, `"${random.below(9)}"\u0001`]),
    }),
  );
}

const VALUES: Readonly<Record<ColumnType, readonly unknown[]>> = {
  text: ["", "a", "é한😀", "x".repeat(200)],
  int: [0, -1, 2 ** 31 - 1, -(2 ** 31)],
  long: [0, -1, 2 ** 32, 2 ** 53 - 1, 1 - 2 ** 53],
  bool: [true, false],
  double: [0, -0, 0.5, -1e300],
  map: [
    [],
    [["key", "value"]],
    [
      ["a", ""],
      ["b", "한"],
    ],
  ],
};

/** Runs of one length each: of all rows, of one, or as chance has it. */
function randomRuns(random: Random, { type, nullable }: Column, count: number): Runs {
  const values = nullable ? [null, ...VALUES[type]] : VALUES[type];
  const most = random.pick([1, 3, 20, count]);
  const runs = new Runs();
  while (runs.length < count)
    runs.append(random.pick(values), Math.min(random.between(1, most), count - runs.length));
  return runs;
}

/** The same rows as another writer has them: other pages and encodings. */
async function rewrittenByDuckDb(bytes: Uint8Array): Promise<Uint8Array> {
  const [from, to] = [join(root, "ours.parquet"), join(root, "theirs.parquet")];
  await writeFile(from, bytes);
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT * FROM read_parquet('${from}')) TO '${to}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`,
  );
  connection.closeSync();
  instance.closeSync();
  return readFile(to);
}

describe(`a Parquet file of archive rows (RIVULET_SEED=${SEED})`, () => {
  it.each([1, 9, 700])("holds %i rows as they were, in however many row groups", async (count) => {
    const rows = randomRows(SEED, count);
    const bytes = encodeParquet(rows.map(valuesOf), 256);
    expect((await decodeParquet(bytes)).map(rowOf)).toEqual(rows);
  });

  it.each(["as this project writes it", "as DuckDB does"])("is read by column, %s", async (by) => {
    const rows = [...randomRows(SEED + 2, 700), ...Array.from({ length: 9 }, (_, i) => row(i + 1))];
    let bytes: Uint8Array = encodeParquet(rows.map(valuesOf), 256);
    if (by === "as DuckDB does") bytes = await rewrittenByDuckDb(bytes);
    const names = ARCHIVE_COLUMNS.map(({ name }) => name);
    const read: Record<string, unknown>[] = [];
    for (const group of rowGroups(bytes)) {
      const columns = columnsIn(group, names);
      for (let i = 0; i < group.rows; i++) {
        const values = ARCHIVE_COLUMNS.map(({ name }) => [name, columns[name]![i] ?? null]);
        read.push(Object.fromEntries(values));
      }
    }
    expect(read).toEqual(rows);
  });

  it("is the same file where the rows became columns one by one", () => {
    const rows = randomRows(SEED + 2, 700).map((one, i) => ({
      ...one,
      site: i % 50 < 20 ? "example.com" : "example.org",
      at: NOON + (Math.floor(i / 7) % 3) * HOUR,
    }));
    const columns = new RowColumns();
    for (const one of rows) columns.push(one);
    expect([...columns]).toEqual(rows);
    const folders = columns.byFolder();
    expect(folders.size).toBe(6);
    for (const [folder, values] of byFolder(rows.map(valuesOf))) {
      const own = folders.get(folder)!;
      const bytes = encodeColumns(columns.columns(own), 100);
      expect(bytes).toEqual(encodeParquet(values, 100));
    }
  });

  it("holds a column of runs as the same column row by row, of one value, changing each row, with nulls and empty", async () => {
    for (let seed = SEED; seed < SEED + 12; seed++) {
      const random = new Random(seed);
      const count = random.pick([1, 7, 8, 9, 63, 300]);
      const columns = ARCHIVE_COLUMNS.map((column) => randomRuns(random, column, count));
      const rows = Array.from({ length: count }, () => [] as unknown[]);
      for (const column of columns) for (const [i, value] of [...column].entries()) rows[i]!.push(value);
      const rowGroup = random.pick([count, 100]);
      const bytes = encodeColumns(columns, rowGroup);
      expect(bytes, `seed ${seed}`).toEqual(encodeParquet(rows, rowGroup));
      expect(await decodeParquet(bytes), `seed ${seed}`).toEqual(rows);
    }
  });

  it("is read alike by DuckDB", async () => {
    const rows = randomRows(SEED + 1, 700);
    const path = join(root, "rows.parquet");
    await writeFile(path, encodeParquet(rows.map(valuesOf), 256));
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    const columns = ARCHIVE_COLUMNS.map(({ name, type }) =>
      type === "map" ? `map_entries("${name}")` : `"${name}"`,
    );
    const found = await connection.runAndReadAll(
      `SELECT CAST(to_json([${columns.map((column) => `to_json(${column})`).join(", ")}]) AS VARCHAR) FROM read_parquet($1)`,
      [path],
    );
    connection.closeSync();
    instance.closeSync();
    const read = found.getRows().map(([text]) => JSON.parse(String(text)) as unknown[]);
    const written = rows.map((one) =>
      valuesOf(one).map((value) =>
        Array.isArray(value) ? value.map(([key, text]) => ({ key, value: text })) : value,
      ),
    );
    expect(read).toEqual(written);
  });

  it("holds half a surrogate pair as what cannot be read, and no number that is too large", async () => {
    const [values] = await decodeParquet(encodeParquet([valuesOf(row(1, { page: "/\ud800" }))]));
    expect(rowOf(values!).page).toBe("/\ufffd");
    for (const over of [{ index: 2 ** 31 }, { at: 2 ** 53 }, { scroll_depth: 0.5 }])
      expect(() => encodeParquet([valuesOf(row(1, over))])).toThrow(RangeError);
  });
});
