import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeParquet } from "../../../processors/archives/parquet.ts";
import { duckdbExplorer } from "../../../processors/explorers/duckdb.ts";
import type { Explorer, Extent, Source } from "../../../processors/explorers/explorer.ts";
import { ARCHIVE_COLUMNS, LATER_COLUMNS } from "../../../processors/model/archive.ts";

const HOUR = 3_600_000;
const FROM = Date.UTC(2026, 10, 23, 7);

let directory: string;
let explorer: Explorer;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "rivulet-duckdb-"));
  explorer = duckdbExplorer({ directory });
});
afterEach(async () => {
  await explorer.close();
  await rm(directory, { recursive: true });
});

/** Rows with these sequence numbers, all else empty. */
async function file(
  site: string,
  hour: number,
  fileName: string,
  sequences: readonly number[],
  others: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const folder = join(directory, `site=${site}`, "dt=2026-11-23", `hour=0${hour}`);
  await mkdir(folder, { recursive: true });
  const values: Record<string, unknown> = {
    ...others,
    site,
    shard: "0",
    index: 0,
    at: FROM,
    received_at: FROM,
  };
  const empty = { text: "", int: 0, long: 0, bool: false, double: 0, map: [] };
  const rows = sequences.map((sequence) =>
    ARCHIVE_COLUMNS.map(({ name, type, nullable }) =>
      name === "sequence" ? String(sequence) : (values[name] ?? (nullable ? null : empty[type])),
    ),
  );
  await writeFile(join(folder, fileName), encodeParquet(rows));
}

const extent = (from = FROM, to = FROM + 2 * HOUR) => ({ site: "a", from, to });
const sourceOf = async (of: Extent = extent()) => (await explorer.source(of, 10_000)) as { source?: Source };
const rowsOf = async (text: string, values: readonly (string | number)[] = []) => {
  const outcome = await explorer.run({ text, values }, 10_000);
  return outcome.rows;
};
/** Takes a minute or so of a processor. */
const ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3";

describe("DuckDB", () => {
  it("names the files of the hours asked for, of no other site", async () => {
    await file("a", 6, "0.parquet", [1]);
    await file("a", 7, "0.parquet", [2]);
    await file("a", 8, "0.parquet", [3]);
    await file("b", 7, "0.parquet", [4]);
    const { source } = await sourceOf(extent(FROM + 1, FROM + HOUR));
    expect(source?.values).toEqual([[join(directory, "site=a/dt=2026-11-23/hour=07/0.parquet")]]);
    expect(await sourceOf({ site: "c", from: FROM, to: FROM + HOUR })).toEqual({ source: undefined });
  });

  it("tells whether rows stand there twice, and notices when files change", async () => {
    await file("a", 7, "0.parquet", [1, 2]);
    await file("a", 8, "0.parquet", [3]);
    expect((await sourceOf()).source?.mayRepeat).toBe(false);
    await file("a", 7, "1.parquet", [2]);
    expect((await sourceOf()).source?.mayRepeat).toBe(true);
    await rm(join(directory, "site=a/dt=2026-11-23/hour=07/1.parquet"));
    expect((await sourceOf()).source?.mayRepeat).toBe(false);
  });

  it("lets nobody wait who came while others are being answered, and finds for whoever comes again", async () => {
    await file("a", 7, "0.parquet", [1]);
    explorer = duckdbExplorer({ directory, timeoutMs: 300 });
    const busy = explorer.run({ text: ENDLESS, values: [] }, 60_000).catch(({ message }) => message);
    expect(await explorer.source(extent(), 20)).toMatchObject({
      progress: { elapsedMs: expect.any(Number) },
    });
    expect(await sourceOf()).toMatchObject({ source: { mayRepeat: false } });
    expect(await busy).toMatch("more than 0.3 s");
  });

  it("finds every column in files from before there was one, and nothing in it", async () => {
    await file("a", 7, "0.parquet", [1]);
    const source = async () => (await sourceOf()).source ?? { text: "", values: [], mayRepeat: false };
    const versions = async () => {
      const { text, values } = await source();
      const { rows } = await explorer.run(
        { text: `SELECT "sequence", "visit_os_version" FROM ${text} ORDER BY "sequence"`, values },
        10_000,
      );
      return rows;
    };
    const path = join(directory, "site=a/dt=2026-11-23/hour=07");
    const duckdb = await DuckDBInstance.create(":memory:");
    const connection = await duckdb.connect();
    const columns = LATER_COLUMNS.map(({ name }) => `"${name}"`).join(", ");
    await connection.run(
      `COPY (SELECT * EXCLUDE (${columns}) FROM read_parquet('${path}/0.parquet')) TO '${path}/old.parquet'`,
    );
    connection.closeSync();
    duckdb.closeSync();
    await rm(join(path, "0.parquet"));
    expect(await versions()).toEqual([["1", null]]);
    await file("a", 8, "0.parquet", [2], { visit_os_version: "17.4" });
    expect(await versions()).toEqual([
      ["1", null],
      ["2", "17.4"],
    ]);
  });

  it("gives every value as text, and takes hostile ones as they stand", async () => {
    const hostile = `'; SELECT 1 --`;
    expect(await rowsOf("SELECT CAST(? AS VARCHAR), 7 + ?, NULL, TRUE, 1.5", [hostile, 1])).toEqual([
      [hostile, "8", null, "true", "1.5"],
    ]);
  });

  it("says how far it is, and goes on with the same run when asked again", async () => {
    explorer = duckdbExplorer({ directory, timeoutMs: 500 });
    const statement = { text: ENDLESS, values: [] };
    const first = await explorer.run(statement, 20);
    expect(first).toMatchObject({ rows: undefined, progress: { elapsedMs: expect.any(Number) } });
    // The time is counted from the first asking.
    await expect(explorer.run(statement, 20_000)).rejects.toThrow("more than 0.5 s");
  });

  it("keeps an answer for the quarter of a minute in which somebody may come for it, and the five seconds before, and no longer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const ask = () => rowsOf("SELECT random()");
      const first = await ask();
      vi.advanceTimersByTime(19_900);
      expect(await ask()).toEqual(first);
      vi.advanceTimersByTime(19_900);
      expect(await ask()).toEqual(first);
      vi.advanceTimersByTime(20_100);
      expect(await ask()).not.toEqual(first);
    } finally {
      vi.useRealTimers();
    }
  });

  it("refuses what takes longer than its time, with the limit in words", async () => {
    explorer = duckdbExplorer({ directory, timeoutMs: 100 });
    await expect(rowsOf(ENDLESS)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/^date_range: .* more than 0.1 s/),
    });
    // The next question is answered.
    expect(await rowsOf("SELECT 1")).toEqual([["1"]]);
  });

  it("refuses what takes more than its memory, with the limit in words", async () => {
    explorer = duckdbExplorer({ directory, memoryMb: 20 });
    await expect(
      rowsOf("SELECT count(DISTINCT md5(CAST(range AS VARCHAR))) FROM range(2000000)"),
    ).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/more than 20 MB of memory/),
    });
  });

  it.each([
    ["another file", "SELECT * FROM read_csv('/etc/passwd')"],
    ["the network", "SELECT * FROM read_parquet('https://example.com/a.parquet')"],
    ["an extension", "INSTALL httpfs"],
    ["a setting", "SET enable_external_access = true"],
    ["another place to write", "COPY (SELECT 1) TO '/var/tmp/rivulet-explored.csv'"],
  ])("reaches for nothing but the archive: not %s", async (_, text) => {
    await expect(rowsOf(text)).rejects.toMatchObject({ code: "invariant" });
  });

  it("refuses none for those that were answered, and whoever comes when 32 wait", async () => {
    for (let i = 0; i < 40; i++) expect(await rowsOf(`SELECT ${i}`)).toEqual([[String(i)]]);
    const wait = (name: number) => explorer.run({ text: `${ENDLESS} -- ${name}`, values: [] }, 0);
    for (let i = 0; i < 32; i++) expect(await wait(i)).toMatchObject({ rows: undefined });
    await expect(wait(32)).rejects.toMatchObject({ code: "throttled" });
  });

  it("is closed without answering those that wait for their turn", async () => {
    const ask = (name: string) =>
      explorer.run({ text: `${ENDLESS} -- ${name}`, values: [] }, 60_000).catch(({ message }) => message);
    await rowsOf("SELECT 1");
    const answers = Promise.all([ask("runs"), ask("waits"), ask("waits too")]);
    await explorer.close();
    expect(await answers).toEqual([expect.any(String), "DuckDB is being closed", "DuckDB is being closed"]);
  });

  it("opens again after it was closed for lack of questions", async () => {
    explorer = duckdbExplorer({ directory, idleMs: 0 });
    expect(await rowsOf("SELECT 1")).toEqual([["1"]]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await rowsOf("SELECT 2")).toEqual([["2"]]);
  });
});
