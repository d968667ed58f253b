import { appendFile, mkdir, readdir, readFile, truncate, utimes, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileArchive, fileArchive } from "../../../processors/archives/files.ts";
import { keepFiles, rewriteFile } from "../../../processors/archives/keeping.ts";
import { journalFolder, siteFolder, temporaryFolder } from "../../../processors/archives/layout.ts";
import { decodeParquet, encodeParquet } from "../../../processors/archives/parquet.ts";
import { parquetFiles } from "../../../processors/archives/parquetfiles.ts";
import { fileRows, surveyedRows, workFolder } from "../../../processors/archives/rows.ts";
import { surveyRows } from "../../../processors/archives/survey.ts";
import { placeOf, rowOf, valuesOf } from "../../../processors/archives/values.ts";
import {
  ARCHIVE_COLUMNS,
  type ArchiveRow,
  compareRows,
  VISIT_COLUMNS,
} from "../../../processors/model/archive.ts";
import { archiveConformance, counted, countedIn, onceInOrder, row } from "../../conformance/archive.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";
import { DAY, HOUR, NOON } from "../pipeline/lines.ts";

const stored = async (directory: string): Promise<ArchiveRow[]> => {
  const rows: ArchiveRow[] = [];
  for (const path of await parquetFiles(directory))
    rows.push(...(await decodeParquet(await readFile(path))).map(rowOf));
  return onceInOrder(rows);
};

/** What is being made, without the locks of those who make it. */
const worksIn = async (directory: string): Promise<string[]> =>
  (await readdir(temporaryFolder(directory))).filter((name) => !name.includes(".lock"));

const root = temporaryDirectory();
let number = 0;
const freshDirectory = (): string => join(root, String(++number));

archiveConformance("in local files", async () => {
  const path = freshDirectory();
  const archive = await fileArchive({ directory: path, clock: manualClock(NOON), rollBytes: 100_000 });
  return {
    archive,
    stored: async () => {
      await archive.roll();
      return stored(path);
    },
    close: () => archive.close(),
  };
});

describe("a local archive", () => {
  let directory: string;
  let clock: ManualClock;
  let archive: FileArchive;
  beforeEach(async () => {
    directory = freshDirectory();
    clock = manualClock(NOON);
    archive = await fileArchive({ directory, clock });
  });
  afterEach(() => archive.close());

  it("has a file for each site and hour of event time", async () => {
    await archive.write([row(1), row(2, { at: NOON - 1 }), row(3, { site: "../x y" })]);
    await archive.roll();
    const folders = (await parquetFiles(directory)).map((path) => relative(directory, join(path, "..")));
    expect(folders.sort()).toEqual([
      "site=..%2Fx%20y/dt=2026-01-15/hour=12",
      "site=example.com/dt=2026-01-15/hour=11",
      "site=example.com/dt=2026-01-15/hour=12",
    ]);
  });

  it("is due when its journal is a minute old, and not before", async () => {
    await archive.roll();
    await archive.write([row(1)]);
    clock.advance(59_999);
    expect(archive.isDue()).toBe(false);
    clock.advance(1);
    expect(archive.isDue()).toBe(true);
    await archive.roll();
    expect(archive.isDue()).toBe(false);
  });

  it("finds what a process left that died in the middle of a line", async () => {
    await archive.write([row(1), row(2)]);
    await archive.close();
    const [name = ""] = await readdir(journalFolder(directory));
    await appendFile(join(journalFolder(directory), name), '["example.com","sh');
    archive = await fileArchive({ directory, clock });
    expect(archive.isDue()).toBe(true);
    await archive.roll();
    expect(await stored(directory)).toEqual([row(1), row(2)]);
  });

  it("finds what was acknowledged before a power cut, which may leave zeros before the lines that follow", async () => {
    await archive.write([row(1), row(2)]);
    await archive.close();
    const [name = ""] = await readdir(journalFolder(directory));
    const lost = `${"\0".repeat(4_096)},"shop"]\n${JSON.stringify(valuesOf(row(3)))}\n`;
    await appendFile(join(journalFolder(directory), name), lost);
    archive = await fileArchive({ directory, clock });
    expect(await archive.roll()).toEqual({ files: 1, rows: 2 });
    expect(await stored(directory)).toEqual(onceInOrder([row(1), row(2)]));
  });

  it("makes the same file again of a journal that outlived it", async () => {
    await archive.write([row(1), row(2)]);
    await archive.close();
    const [name = ""] = await readdir(journalFolder(directory));
    const path = join(journalFolder(directory), name);
    const journal = await readFile(path);
    await keepFiles({ directory, journals: [name], compact: false });
    const before = await parquetFiles(directory);
    await writeFile(path, journal);
    await keepFiles({ directory, journals: [name], compact: false });
    expect(await parquetFiles(directory)).toEqual(before);
    expect(await stored(directory)).toEqual([row(1), row(2)]);
  });

  it("merges the files of an hour that is over, each row once", async () => {
    for (const n of [3, 1, 2]) {
      await archive.write([row(n), row(2)]);
      await archive.roll();
    }
    const files = await parquetFiles(directory);
    expect(files).toHaveLength(3);
    for (const path of files) await utimes(path, NOON / 1000, NOON / 1000);
    clock.advance(HOUR - 1);
    await archive.compact();
    expect(await parquetFiles(directory)).toHaveLength(3);
    clock.advance(1);
    expect(await archive.compact()).toEqual({ files: 1, rows: 3 });
    const [path = ""] = await parquetFiles(directory);
    expect((await decodeParquet(await readFile(path))).map(rowOf)).toEqual([row(1), row(2), row(3)]);
  });

  it("is not read again where its files are merged no further, however many hours it has", async () => {
    const path = join(directory, siteFolder("example.com"), "dt=2026-01-15", "hour=12");
    await mkdir(path, { recursive: true });
    const bytes = encodeParquet(new Array(60_000).fill(valuesOf(row(1))));
    const end = bytes.length - 8 - new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
    // Whoever read these rows would fail.
    bytes.fill(0xff, 4, end);
    for (const name of ["a", "b"]) await writeFile(join(path, `${name}.parquet`), bytes);
    const now = Date.now() + DAY;
    expect(await keepFiles({ directory, journals: [], compact: true, now })).toEqual({ files: 0, rows: 0 });
  });

  it("loses what a killed process left, and not what somebody works on", async () => {
    const worked = await workFolder(directory);
    await mkdir(join(temporaryFolder(directory), "0123456789abcdef.read"));
    await archive.compact();
    expect(await worksIn(directory)).toEqual([basename(worked)]);
  });

  it("loses the hours that a site keeps no longer, whole ones, and no other site's", async () => {
    await archive.write([
      row(1, { at: NOON - 1 }),
      row(2, { at: NOON }),
      row(3, { at: NOON - 1, site: "other.example" }),
      row(4, { at: NOON - 30 * HOUR }),
    ]);
    await archive.compact(new Map([["example.com", NOON + HOUR / 2]]));
    expect((await stored(directory)).map(({ sequence }) => sequence)).toEqual(
      [row(2), row(3)].map((one) => one.sequence),
    );
    expect((await readdir(join(directory, siteFolder("example.com")))).sort()).toEqual(["dt=2026-01-15"]);
  });

  it("is read in the order of the fold, each row once, with what is still in journals", async () => {
    await archive.write([
      row(10),
      row(9, {
        index: 1,
        props: [
          ["2", "b"],
          ["1", "a"],
        ],
      }),
      row(9),
    ]);
    await archive.roll();
    await archive.write([row(11), row(2), row(9), row(5, { site: "other.example" })]);
    const rows = await countedIn(fileRows(directory));
    const props = [
      ["2", "b"],
      ["1", "a"],
    ] as const;
    expect(rows).toEqual([row(2), row(9), row(9, { index: 1, props }), row(10), row(11)].map(counted));
  });

  it("is read with every value that is counted as it was, of visits and of reports", async () => {
    const visit = (mark: string) =>
      Object.fromEntries(VISIT_COLUMNS.map((name, i) => [name, i % 3 === 0 ? "" : `${mark}${i}`]));
    const written = [
      row(1, visit("v")),
      row(2, visit("a\u001fb")),
      row(3, {
        lcp: 0.1 + 0.2,
        cls: 0,
        scroll_depth: 100,
        engaged_ms: 2 ** 40,
        currency: "EUR",
        amount_minor: -5,
      }),
      row(4, { visitor: null, visit: null, name: null, page: null, rejected: "bot", count: 2 ** 33 }),
    ];
    await archive.write(written);
    await archive.roll();
    const rows = await countedIn(fileRows(directory));
    expect(rows).toEqual(written.map(counted));
  });

  it("is read in lots of visitors, which hold each row once", async () => {
    const visitors = [..."0123456789abcdef", null].map((digit, n) =>
      row(n, { visitor: digit && `00c0ffee00c0ffe${digit}`, rejected: digit === null ? "bot" : null }),
    );
    await archive.write(visitors.slice(0, 9));
    await archive.roll();
    await archive.write(visitors.slice(9));
    const survey = await surveyRows(directory, "example.com", await workFolder(directory));
    const inLot = (number: number) =>
      countedIn({ read: () => surveyedRows(survey, root, { number, of: 2 }) });
    const lots = [await inLot(0), await inLot(1)];
    expect(lots.map(({ length }) => length)).toEqual([9, 8]);
    expect(lots[0]).toContainEqual(counted(visitors.at(-1)));
    expect(lots.flat().sort(compareRows)).toEqual(visitors.map(counted));
  });

  it("names a file that cannot be read, and merges the other hours all the same", async () => {
    for (const hour of [0, 1])
      for (const n of [1, 2]) {
        await archive.write([row(4 * hour + n, { at: NOON + hour * HOUR })]);
        await archive.roll();
      }
    const files = await parquetFiles(directory);
    const [first = ""] = files;
    await truncate(first, 100);
    for (const path of files) await utimes(path, NOON / 1000, NOON / 1000);
    await expect(countedIn(fileRows(directory))).rejects.toThrow(`${first}: cannot be read as Parquet`);
    clock.advance(4 * HOUR);
    await expect(archive.compact()).rejects.toMatchObject({
      cause: { message: expect.stringContaining(`${first}: cannot be read as Parquet`) },
    });
    expect(await parquetFiles(directory), "two of one hour, one of the other").toHaveLength(3);
  });

  it("is read as it was surveyed, also when its files are merged and deleted meanwhile", async () => {
    await archive.write([row(1), row(3)]);
    await archive.roll();
    await archive.write([row(2)]);
    await archive.roll();
    const folder = await workFolder(directory);
    const survey = await surveyRows(directory, "example.com", folder);
    clock.advance(3 * HOUR);
    await keepFiles({
      directory,
      journals: [],
      compact: true,
      now: clock.now(),
      neededFrom: new Map([["example.com", NOON + DAY]]),
    });
    expect(await stored(directory)).toEqual([]);
    expect(await countedIn({ read: () => surveyedRows(survey, folder) })).toEqual(
      [row(1), row(2), row(3)].map(counted),
    );
  });

  it("says when the first event of each shard was received, of those that are archived still", async () => {
    await archive.write([
      row(1, { received_at: NOON - 7, rejected: "bot" }),
      row(2, { received_at: NOON - 5 }),
      row(3, { received_at: NOON - 9, at: NOON - 1 }),
    ]);
    await archive.roll();
    await archive.write([row(4, { received_at: NOON - 6, shard: "shard-1" }), row(5)]);
    const { since } = await surveyRows(directory, "example.com", await workFolder(directory), NOON);
    expect(since).toEqual(
      new Map([
        ["shard-0", NOON - 5],
        ["shard-1", NOON - 6],
      ]),
    );
  });

  it("takes single rows out of a file, and the file when it holds no other", async () => {
    await archive.write([row(1), row(2)]);
    await archive.roll();
    const [path = ""] = await parquetFiles(directory);
    const without = (page: string) => (values: readonly unknown[]) =>
      values[placeOf("page")] === page ? undefined : values;
    expect(await rewriteFile(directory, path, without("/3"))).toBe(0);
    expect(await rewriteFile(directory, path, without("/1"))).toBe(1);
    expect(await stored(directory)).toEqual([row(2)]);
    expect(await rewriteFile(directory, path, without("/2"))).toBe(1);
    expect(await parquetFiles(directory)).toEqual([]);
  });
});

describe("many rows at once", () => {
  let directory: string;
  let archive: FileArchive;
  beforeEach(async () => {
    directory = freshDirectory();
    archive = await fileArchive({ directory, clock: manualClock(NOON) });
  });
  afterEach(() => archive.close());
  const rowsOf = (count: number, anHour: number): ArchiveRow[] =>
    Array.from({ length: count }, (_, i) => row(i + 1, { at: NOON + HOUR * Math.floor(i / anHour) }));

  it("are in a file of their hour when they are written, and in no journal", async () => {
    const rows = rowsOf(1_200, 600);
    await archive.write(rows);
    expect(await readdir(journalFolder(directory))).toEqual([]);
    expect(await worksIn(directory)).toEqual([]);
    const folders = (await parquetFiles(directory)).map((path) => relative(directory, join(path, "..")));
    expect(folders.sort()).toEqual([
      "site=example.com/dt=2026-01-15/hour=12",
      "site=example.com/dt=2026-01-15/hour=13",
    ]);
    // As after a crash between them and their commit.
    await archive.write(rows);
    expect(await countedIn(fileRows(directory))).toEqual(rows.map(counted));
  });

  it("go into the journal where they are of many hours", async () => {
    await archive.write(rowsOf(1_200, 100));
    expect(await parquetFiles(directory)).toEqual([]);
    await archive.roll();
    expect(await stored(directory)).toEqual(rowsOf(1_200, 100));
  });
});

it("writes a row's values in the order of the columns", () => {
  const names = Object.fromEntries(ARCHIVE_COLUMNS.map(({ name }) => [name, name])) as unknown as ArchiveRow;
  expect(valuesOf(names)).toEqual(ARCHIVE_COLUMNS.map(({ name }) => name));
});

describe("the folder of a site", () => {
  it("fits a file system and is another for another site", () => {
    const long = "한".repeat(253);
    expect(siteFolder(long).length).toBeLessThanOrEqual(255);
    expect(siteFolder(long)).not.toBe(siteFolder(`${long.slice(1)}x`));
    expect(siteFolder("..")).toBe("site=..");
  });
});
