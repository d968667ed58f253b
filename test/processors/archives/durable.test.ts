import { readlinkSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { fileArchive } from "../../../processors/archives/files.ts";
import { row } from "../../conformance/archive.ts";
import { manualClock } from "../../kit/clock.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const synced = vi.hoisted((): { readonly paths: string[] } => ({ paths: [] }));
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const noted =
    <Rest extends unknown[], Result>(sync: (file: number, ...rest: Rest) => Result) =>
    (file: number, ...rest: Rest): Result => {
      synced.paths.push(readlinkSync(`/proc/self/fd/${file}`));
      return sync(file, ...rest);
    };
  return { ...fs, fsync: noted(fs.fsync), fdatasyncSync: noted(fs.fdatasyncSync) };
});

it.runIf(process.platform === "linux")(
  "has a journal's name on the disk before the first of its rows is acknowledged",
  async () => {
    const directory = `${temporaryDirectory()}/archive`;
    const archive = await fileArchive({ directory, clock: manualClock() });
    await archive.write([row(1)]);
    await archive.write([row(2)]);
    await archive.close();
    const inArchive = synced.paths.map((path) => path.replace(directory, "").replace(/[^/]+\.ndjson$/, "*"));
    expect(inArchive.slice(-3)).toEqual(["/journal", "/journal/*", "/journal/*"]);
    expect(synced.paths.slice(0, 2)).toEqual([directory, directory.slice(0, -"/archive".length)]);
  },
);
