/** Taking a visitor or a page out of a local archive, broken off anywhere. */
import { link, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { beginErasure } from "../../../infra/local/erase.ts";
import { fileArchive } from "../../../processors/archives/files.ts";
import { journalFolder, temporaryFolder } from "../../../processors/archives/layout.ts";
import { parquetFiles } from "../../../processors/archives/parquetfiles.ts";
import { fileRows } from "../../../processors/archives/rows.ts";
import type { ArchiveRow } from "../../../processors/model/archive.ts";
import { type Erased, traceOf, withoutErased } from "../../../processors/pipeline/erasure.ts";
import { counted, countedIn, row } from "../../conformance/archive.ts";
import { manualClock } from "../../kit/clock.ts";
import { runHere } from "../../kit/command.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";
import { HOUR, NOON } from "../../processors/pipeline/lines.ts";

const root = temporaryDirectory();
const ANN = "00000000000000aa";
const BEN = "00000000000000be";

/** Ann is new at /people/ann and goes on, each row from a record of its own; Ben is elsewhere; another site has a page of the same name. */
const ROWS: ArchiveRow[] = [
  row(1, { visitor: ANN, page: "/people/ann", visit_entry_page: "/people/ann", fresh: true }),
  row(2, { visitor: BEN, page: "/", visit_entry_page: "/" }),
  row(3, { visitor: ANN, page: "/a", visit_entry_page: "/people/ann", at: NOON + HOUR }),
  row(4, { visitor: ANN, page: "/b", visit_entry_page: "/people/ann", at: NOON + HOUR }),
  row(5, { visitor: BEN, page: "/people/ann", visit_entry_page: "/" }),
  row(6, { visitor: null, visit: null, name: null, page: null, rejected: "bot", count: 2 }),
];
const OTHER = row(7, { site: "other.example", visitor: ANN, page: "/people/ann" });

let number = 0;
/** Some rows in files, the rest in a journal that nobody writes to any more. */
async function archived(): Promise<string> {
  const directory = join(root, String(++number));
  const archive = await fileArchive({ directory, clock: manualClock(NOON) });
  await archive.write([...ROWS.slice(0, 3), OTHER]);
  await archive.roll();
  await archive.write(ROWS.slice(3));
  await archive.close();
  return directory;
}

const SITE = { id: "example.com", timeZone: "UTC" };

async function eraseRows(directory: string, erased: Erased): Promise<number> {
  using erasure = await beginErasure(directory, SITE, erased);
  const gone = await erasure.takeOut();
  await erasure.finish();
  return gone;
}

const enteredAt = (one: ArchiveRow | undefined, page: string, fresh = false): ArchiveRow => ({
  ...one!,
  visit_entry_page: page,
  fresh,
});
const [, ben, annAtA, annAtB, , reject] = ROWS;

describe.each<{ what: string; erased: Erased; gone: number; left: (ArchiveRow | undefined)[] }>([
  { what: "a visitor", erased: { visitor: ANN }, gone: 3, left: [ben, ROWS[4], reject] },
  {
    what: "a page",
    erased: { page: "/people/ann" },
    gone: 2,
    left: [ben, enteredAt(annAtA, "/a", true), enteredAt(annAtB, "/a"), reject],
  },
  { what: "what is not there", erased: { page: "/nowhere" }, gone: 0, left: ROWS },
])("to take out $what", ({ erased, gone, left }) => {
  it("leaves every other row, and visits that enter and visitors who are new with what stays first", async () => {
    const directory = await archived();
    expect(await countedIn(withoutErased(fileRows(directory), erased))).toEqual(left.map(counted));
    // To ask what would be left takes nothing out.
    expect(await countedIn(fileRows(directory))).toEqual(ROWS.map(counted));
    expect(await eraseRows(directory, erased)).toBe(gone);
    expect(await countedIn(fileRows(directory))).toEqual(left.map(counted));
    expect(await eraseRows(directory, erased)).toBe(0);
  });

  it("touches no other site", async () => {
    const directory = await archived();
    await eraseRows(directory, erased);
    expect(await countedIn(fileRows(directory), "other.example")).toEqual([counted(OTHER)]);
  });
});

it("is told in which hours of the site it is, and when the archive begins", async () => {
  const archive = fileRows(await archived());
  expect(await traceOf(archive, SITE, { visitor: ANN })).toMatchObject({
    archivedSince: ROWS[0]!.at,
    hours: new Set([NOON, NOON + HOUR]),
  });
  expect((await traceOf(archive, SITE, { page: "people/ann" })).hours.size).toBe(0);
});

it("a file that held nothing else goes", async () => {
  const directory = join(root, String(++number));
  const archive = await fileArchive({ directory, clock: manualClock(NOON) });
  await archive.write(ROWS.slice(0, 1));
  await archive.close();
  await eraseRows(directory, { visitor: ANN });
  expect(await parquetFiles(directory)).toEqual([]);
});

it("takes away the second names of files that a reader left when it was killed", async () => {
  const directory = await archived();
  const left = join(temporaryFolder(directory), "0123456789abcdef.read");
  await mkdir(left);
  for (const [i, path] of (await parquetFiles(directory)).entries()) await link(path, join(left, String(i)));
  await eraseRows(directory, { visitor: ANN });
  expect((await readdir(temporaryFolder(directory))).filter((name) => !name.includes(".lock"))).toEqual([]);
});

it("fails where journals cannot be listed, and takes nothing out", async () => {
  const directory = await archived();
  await rename(journalFolder(directory), join(directory, "elsewhere"));
  await writeFile(journalFolder(directory), "no folder");
  const failed = { code: "unavailable", cause: { code: "ENOTDIR" } };
  await expect(eraseRows(directory, { visitor: ANN })).rejects.toMatchObject(failed);
  await expect(countedIn(fileRows(directory))).rejects.toMatchObject(failed);
});

it("goes on where it was broken off, as if it never had been, and forgets what it wrote down", async () => {
  const erased = { page: "/people/ann" };
  const whole = await archived();
  await eraseRows(whole, erased);
  const directory = await archived();
  using first = await beginErasure(directory, SITE, erased);
  const [later = ""] = (await parquetFiles(directory)).filter((path) => path.includes("hour=13"));
  const before = await readFile(later);
  expect(await first.takeOut()).toBe(2);
  // As if it had died before it came to this file, whose rows follow those that are gone.
  await writeFile(later, before);
  first[Symbol.dispose]();
  using again = await beginErasure(directory, SITE, erased);
  expect([again.archivedSince, again.hours]).toEqual([first.archivedSince, first.hours]);
  expect(await countedIn(again.left)).toEqual(await countedIn(fileRows(whole)));
  await again.takeOut();
  expect(await countedIn(fileRows(directory))).toEqual(await countedIn(fileRows(whole)));
  await again.finish();
  expect(await readdir(join(directory, "erasing"))).toEqual([]);
});

it("lists every window that changes on the command line, however many", async () => {
  const data = join(root, String(++number));
  const log = join(root, "hours.log");
  const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
  const hours = Array.from(
    { length: 60 },
    (_, i) => `${10 + Math.floor(i / 24)}/Mar/2026:${String(i % 24).padStart(2, "0")}`,
  );
  const lines = hours.map(
    (hour) => `192.0.2.1 - - [${hour}:10:00 +0000] "GET /ann HTTP/1.1" 200 1 "-" "${agent}"`,
  );
  await writeFile(log, `${lines.join("\n")}\n`);
  const of = ["--data", data, "--site", SITE.id];
  expect(await runHere(["import", ...of, log])).toMatchObject({ code: 0 });
  const { output } = await runHere(["erase", ...of, "--page", "/ann", "--dry-run"]);
  expect(output).toContain("60 differ from before");
  expect(output.match(/^ {2}hour 2026-03-\d\dT\d\dZ {2}.*pageviews 1 -> 0/gm)).toHaveLength(60);
});

describe("hours that no archived row tells of", () => {
  const line = (time: string, page: string): string =>
    `192.0.2.1 - - [${time} +0000] "GET ${page} HTTP/1.1" 200 1 "-" "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0"\n`;
  const put = async (name: string, text: string): Promise<string> => {
    const path = join(root, `${++number}-${name}`);
    await writeFile(path, text);
    return path;
  };

  it("are named where they still count a page: of totals, and of before there was an archive", async () => {
    const of = ["--data", join(root, String(++number)), "--site", SITE.id];
    const totals = await put("imported_pages.csv", "date,page,visitors,pageviews\n2026-01-05,/ann,3,4\n");
    const early = await put("early.log", line("10/Mar/2026:09:00:00", "/ann"));
    const other = await put("other.log", line("11/Mar/2026:09:00:00", "/ben"));
    const late = await put(
      "late.log",
      line("12/Mar/2026:05:00:00", "/ben") + line("12/Mar/2026:09:00:00", "/ann"),
    );
    expect(await runHere(["import", ...of, totals])).toMatchObject({ code: 0 });
    for (const path of [early, other])
      expect(await runHere(["import", ...of, path, "--no-archive"])).toMatchObject({ code: 0 });
    expect(await runHere(["import", ...of, late])).toMatchObject({ code: 0 });
    const still = "still counted in hours that stay as they were: 2026-01-05T00Z, 2026-03-10T09Z";
    const lastOf = async (...flags: string[]): Promise<string | undefined> =>
      (await runHere(["erase", ...of, "--page", "/ann", ...flags])).output.trim().split("\n").at(-1)?.trim();
    expect(await lastOf("--dry-run")).toBe(still);
    expect(await lastOf()).toBe(still);
    // Where nothing of it is archived any more too.
    expect(await lastOf()).toBe(still);
  });
});

it("is one at a time", async () => {
  const directory = await archived();
  using _ = await beginErasure(directory, SITE, { visitor: BEN });
  await expect(beginErasure(directory, SITE, { visitor: ANN })).rejects.toMatchObject({
    code: "unavailable",
  });
});
