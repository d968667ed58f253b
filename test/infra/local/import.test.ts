/** The command `import` as people run it: into a stopped and a running server's data, killed and started again. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { strToU8, zipSync } from "fflate";
import { ByteWriter, parquetWrite } from "hyparquet-writer";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { lockCounting } from "../../../infra/local/lock.ts";
import { closedJournals, readJournal } from "../../../processors/archives/journals.ts";
import { journalFolder } from "../../../processors/archives/layout.ts";
import { decodeParquet } from "../../../processors/archives/parquet.ts";
import { parquetFiles } from "../../../processors/archives/parquetfiles.ts";
import { rowOf } from "../../../processors/archives/values.ts";
import { query } from "../../kit/client.ts";
import { runHere } from "../../kit/command.ts";
import { mmdb } from "../../kit/mmdb.ts";
import { Random } from "../../kit/random.ts";
import { runCommand, type ServerProcess, startServer } from "../../kit/server.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";
import { randomLog } from "../../processors/pipeline/import/kit.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 5);
const KILLS = Number(process.env.RIVULET_KILLS ?? 2);
const BIN = fileURLToPath(new URL("../../../infra/local/bin.js", import.meta.url));

const data = temporaryDirectory();
/** Of no server. */
const stopped = temporaryDirectory();
let server: ServerProcess | undefined;
beforeAll(async () => {});
afterAll(async () => {
  await server?.stop();
});

const file = (name: string): string => join(data, name);
const numbers = async (site: string): Promise<number[]> => {
  const asked = { site_id: site, metrics: ["pageviews", "visits"], date_range: ["2026-03-01", "2026-03-20"] };
  const { results } = (await query(server!.url, asked)) as { results: { metrics: number[] }[] };
  return results[0]?.metrics ?? [];
};

it("changes nothing of a terminal that would have to be changed back: it may be killed any moment", async () => {
  await writeFile(file("shown.log"), randomLog(new Random(SEED), 30));
  const wasTerminal = process.stderr.isTTY;
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  process.stderr.isTTY = true;
  try {
    await runHere(["import", "--data", data, "--site", "shown.example", file("shown.log")]);
    const shown = written.mock.calls.map(([text]) => text).join("");
    expect(shown).toContain("100%");
    expect(shown).not.toContain("\x1b[?");
  } finally {
    process.stderr.isTTY = wasTerminal;
    written.mockRestore();
  }
});

it(`counts once a log whose import is killed again and again (RIVULET_SEED=${SEED})`, async () => {
  const random = new Random(SEED);
  const log = randomLog(random, 3_000);
  await writeFile(file("access.log"), log);
  await writeFile(file("packed.log.gz"), gzipSync(log));
  const args = ["import", "--data", data, "--site", "killed.example", file("access.log")];
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, [BIN, ...args], { stdio: "ignore" });
    const ended = once(child, "exit");
    await Promise.race([sleep(random.between(600, 2_000)), ended]);
    child.kill("SIGKILL");
    await ended;
  }
  const whole = await runCommand(args);
  expect(whole).toMatchObject({ code: 0 });
  // The same log under another name, packed, for a site of its own: never killed.
  const calm = await runHere(["import", "--data", data, "--site", "calm.example", file("packed.log.gz")]);
  expect(calm.output).toMatch(/bad {8}\d/);
  const rebuilt = await runHere(["rebuild", "--data", data, "--site", "killed.example", "--dry-run"]);
  expect(rebuilt.output).toMatch(/rows folded into \d+ windows; 0 differ from before/);
  server = await startServer({ data });
  expect(await numbers("killed.example")).toEqual(await numbers("calm.example"));
  const { events, bots } = JSON.parse(await readFile(file("packed.log.gz.report.json"), "utf8")) as {
    events: number;
    bots: number;
  };
  expect((await numbers("calm.example"))[0]).toBe(events - bots);
}, 180_000);

it("archives unless it is told not to, with places by a table that is given, and says what is wrong with one that is none", async () => {
  const log = join(stopped, "access.log");
  const places = join(stopped, "cities.mmdb");
  const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
  await writeFile(log, `1.2.3.4 - - [10/Mar/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 1 "-" "${agent}"\n`);
  const args = ["import", "--data", stopped, "--site", "shop.example", "--places", places, log];
  const refused = await runHere(args);
  expect(refused).toMatchObject({
    code: 1,
    output: expect.stringMatching(/rivulet: --places .*cities\.mmdb: no table in MaxMind's format/),
  });
  const city = { country: { iso_code: "KR" }, city: { names: { en: "Busan" } } };
  await writeFile(places, mmdb("GeoLite2-City", { "1.2.3.0/24": city }));
  expect(await runHere(args)).toMatchObject({ code: 0 });
  const unkept = ["import", "--data", stopped, "--site", "other.example", "--no-archive", log];
  expect((await runHere(unkept)).output).toContain("counted    1");
  const archive = join(stopped, "archive");
  const rows = [];
  for (const name of await closedJournals(archive))
    rows.push(...(await readJournal(join(journalFolder(archive), name))));
  for (const path of await parquetFiles(archive)) rows.push(...(await decodeParquet(await readFile(path))));
  const cities = rows.map((values) => rowOf(values).visit_city);
  expect(cities).toEqual(["Busan"]);
}, 60_000);

it("adds to what a running server counts, and knows a file again that was packed otherwise", async () => {
  const log = randomLog(new Random(SEED + 1), 400);
  await writeFile(file("a.log"), log);
  await writeFile(file("b.log.zst"), zstdCompressSync(log));
  server ??= await startServer({ data });
  const first = await runCommand(["import", "--data", data, "--site", "live.example", file("a.log")]);
  expect(first).toMatchObject({ code: 0 });
  const before = await numbers("live.example");
  expect(before[0]).toBeGreaterThan(0);
  // Only single events tell, and the newest are in no file yet: the question has one made of them.
  const { results, meta } = (await query(server.url, {
    site_id: "live.example",
    metrics: ["pageviews"],
    date_range: ["2026-03-01", "2026-03-20"],
    filters: [
      ["contains", "event:page", ["/"]],
      ["is_not", "visit:browser", ["none such"]],
    ],
  })) as { results: { metrics: number[] }[]; meta: { source: string } };
  expect(meta.source).toBe("archive");
  expect(results[0]?.metrics).toEqual(before.slice(0, 1));
  const again = await runHere(["import", "--data", data, "--site", "live.example", file("b.log.zst")]);
  expect(again.output).toContain("nothing is counted twice");
  expect(await numbers("live.example")).toEqual(before);
}, 180_000);

it("reads Parquet", async () => {
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    columnData: [
      {
        name: "timestamp",
        data: [Date.UTC(2026, 2, 10), Date.UTC(2026, 2, 10, 1)].map((at) => new Date(at)),
        type: "TIMESTAMP",
      },
      { name: "url", data: ["https://p.example/a", "https://p.example/b"], type: "STRING" },
      { name: "visitor", data: ["anna", "ben"], type: "STRING" },
    ],
  });
  await writeFile(file("events.parquet"), writer.getBytes());
  server ??= await startServer({ data });
  const { output } = await runHere(["import", "--data", data, "--site", "p.example", file("events.parquet")]);
  expect(output).toContain("counted    2");
  await expect.poll(() => numbers("p.example")).toEqual([2, 2]);
}, 180_000);

it("counts the tables of an export of Plausible once, and says which rows and tables it could not", async () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const visitors = "date,visitors,pageviews,bounces,visits,visit_duration\n2026-03-01,30,90,10,40,4000\n";
  const zip = zipSync({
    "imported_visitors_20260301_20260301.csv": text(visitors),
    "imported_pages_20260301_20260301.csv": text(
      "date,hostname,page,visits,visitors,pageviews\n2026-03-01,t.example,/,30,20,80\n2026-03-01,t.example,/a,x,1,1\n",
    ),
    "imported_custom_props_20260301_20260301.csv": text("date,property,value,visitors,events\n"),
  });
  await writeFile(file("export.zip"), zip);
  await writeFile(file("later.csv"), `${visitors}2026-03-02,1,2,0,1,3\n`);
  server ??= await startServer({ data });
  const into = ["import", "--data", data, "--site", "t.example"];
  const { code, output } = await runHere([...into, file("export.zip")]);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output).toContain(
    "property, value are not known here: leave them out of the export; the table is left out",
  );
  expect(output).toMatch(/imported_visitors_\S+ +1 of 1 row, 1 day$/m);
  expect(output).toMatch(/imported_pages_\S+ +1 of 2 rows, 1 day; 1 bad row$/m);
  expect(await readFile(file("export.zip.report.ndjson"), "utf8")).toContain(
    '"line":3,"reason":"visits: not a',
  );
  await expect.poll(() => numbers("t.example")).toEqual([90, 40]);
  const later = await runHere([...into, file("later.csv")]);
  expect(later.output).toContain("1 of 2 rows, 1 day; 1 day counted before");
  await expect.poll(() => numbers("t.example")).toEqual([92, 41]);
}, 180_000);

it("says what it cannot import, and why", async () => {
  await writeFile(file("pages.csv"), "page,visitors,pageviews\n/,3,5\n");
  const { code, output } = await runHere([
    "import",
    "--data",
    data,
    "--site",
    "x.example",
    file("pages.csv"),
  ]);
  expect(code).toBe(1);
  expect(output).toMatch(/^rivulet: .*pages\.csv: the columns visitors, pageviews are totals: those by day/m);
  await writeFile(file("wide.csv"), Buffer.from("\uFEFFtime,url\n", "utf16le"));
  const wide = await runHere(["import", "--data", data, "--site", "x.example", file("wide.csv")]);
  expect(wide).toMatchObject({ code: 1, output: expect.stringMatching(/wide\.csv: text in UTF-16/) });
  await writeFile(file("sealed.parquet"), "PARE and what nobody can read PARE");
  const sealed = await runHere(["import", "--data", data, "--site", "x.example", file("sealed.parquet")]);
  expect(sealed).toMatchObject({
    code: 1,
    output: expect.stringMatching(/sealed\.parquet: encrypted Parquet/),
  });
  const lines = "time,url\n2026-03-01,/\n";
  const zip = (name: string, text: string) => zipSync({ [name]: strToU8(text) }, { level: 0 });
  for (const [name, bytes, reason] of [
    ["log.bz2", Buffer.from("BZh91AY&SY\x1d\xfe", "latin1"), "packed by bzip2: unpack it first"],
    ["log.xz", Buffer.from("\xfd7zXZ\0\0\x04", "latin1"), "packed by xz: unpack it first"],
    ["old.xls", Buffer.from("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "latin1"), "a spreadsheet: save it as CSV"],
    ["new.xlsx", zip("[Content_Types].xml", "<Types/>"), "a spreadsheet: save it as CSV"],
    ["open.ods", zip("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "a spreadsheet: save"],
    ["events.zip", zip("events.csv", lines), "a zip archive: unpack it and import the files in it"],
  ] as const) {
    await writeFile(file(name), bytes);
    const packed = await runHere(["import", "--data", data, "--site", "x.example", file(name)]);
    expect(packed).toMatchObject({ code: 1, output: expect.stringContaining(`${name}: ${reason}`) });
  }
  await writeFile(file("wide-totals.csv"), Buffer.from("\uFEFFdate,visitors\n2026-03-01,1\n", "utf16le"));
  const total = await runHere(["import", "--data", data, "--site", "x.example", file("wide-totals.csv")]);
  expect(total).toMatchObject({ code: 1, output: expect.stringMatching(/totals\.csv: text in UTF-16/) });
  const fresh = file("fresh");
  const missing = await runHere(["import", "--data", fresh, "--site", "x.example", file("none.log")]);
  expect(missing).toMatchObject({ code: 1, output: expect.stringMatching(/none\.log: cannot be read/) });
  expect(existsSync(fresh), "no data, and no site, for a file that is not there").toBe(false);
});

it.each([
  ["a log", "unnoted.log", "no line of a log\n", /\.report\.ndjson: the report cannot be written/],
  ["totals", "unnoted.csv", "date,visitors\n2026-03-01,x\n", /all is counted that can be, and the report/],
])("says of %s that its report cannot be written", async (_, name, text, message) => {
  await writeFile(file(name), text);
  await mkdir(file(`${name}.report.ndjson`));
  const args = [
    "--data",
    data,
    "--site",
    "x.example",
    "--format",
    name.slice(-3) === "csv" ? "csv" : "combined",
  ];
  expect(await runHere(["import", ...args, file(name)])).toMatchObject({
    code: 1,
    output: expect.stringMatching(message),
  });
});

it("says when nobody counts for long, and counts itself as soon as nobody else has the right to", async () => {
  const still = file("still");
  await mkdir(still);
  const log = join(still, "access.log");
  await writeFile(log, randomLog(new Random(SEED), 20));
  const other = lockCounting(still)!;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    let isDone = false;
    const running = runHere(["import", "--data", still, "--site", "still.example", log]).finally(() => {
      isDone = true;
    });
    for (let seconds = 0; !isDone; seconds++) {
      if (seconds === 20) other.release();
      await vi.advanceTimersByTimeAsync(1_000);
      await sleep(20);
    }
    const { code, output } = await running;
    expect({ code, told: output.match(/nothing has been counted for 10 s/g)?.length }).toEqual({
      code: 0,
      told: 1,
    });
    expect(output).toMatch(/counted +[1-9]/);
  } finally {
    vi.useRealTimers();
  }
});
