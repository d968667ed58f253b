/** The command `rebuild` as people run it: what it leaves when it is stopped. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { archiveFolder, openStore } from "../../../infra/local/opening.ts";
import { namesIn } from "../../../processors/archives/folder.ts";
import { siteFolder, temporaryFolder } from "../../../processors/archives/layout.ts";
import { encodeParquet } from "../../../processors/archives/parquet.ts";
import { valuesOf } from "../../../processors/archives/values.ts";
import { systemClock } from "../../../processors/clock.ts";
import { readEdition } from "../../../processors/pipeline/editions.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { row } from "../../conformance/archive.ts";
import { poll } from "../../kit/server.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const data = temporaryDirectory();
const SITE = "example.com";
/** Not the lock of who works. */
const isWork = (name: string): boolean => !name.includes(".lock");
const CLI = fileURLToPath(new URL("../../../infra/local/bin.js", import.meta.url));

it("gives up what it has begun when Ctrl-C stops it, so that nothing more is folded into that", async () => {
  const store = await openStore({ dataDirectory: data, log: () => {} }, systemClock);
  await registerSites(store, systemClock, [{ id: SITE, timeZone: "UTC" }]);
  const hour = join(archiveFolder(data), siteFolder(SITE), "dt=2026-01-15", "hour=12");
  await mkdir(hour, { recursive: true });
  // Some seconds of reading.
  const bytes = encodeParquet(new Array(60_000).fill(valuesOf(row(1))));
  for (let file = 0; file < 20; file++) await writeFile(join(hour, `${file}.parquet`), bytes);
  const command = spawn(process.execPath, [CLI, "rebuild", "--data", data], { stdio: "ignore" });
  const ended = once(command, "close");
  const works = async () => (await namesIn(temporaryFolder(archiveFolder(data)))).filter(isWork);
  await poll(async () => (await works()).length > 0, { within: 10_000, what: "folding" });
  expect((await readEdition(store, SITE)).next).toBeDefined();
  command.kill("SIGINT");
  expect(await ended).toEqual([130, null]);
  expect(await readEdition(store, SITE)).toMatchObject({ space: SITE, next: undefined });
  await store.close();
}, 60_000);
