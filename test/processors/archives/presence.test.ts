import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../processors/archives/layout.ts";
import { clearLeft, isPresent, presentAs, temporaryPath } from "../../../processors/archives/presence.ts";
import { workFolder } from "../../../processors/archives/rows.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const root = temporaryDirectory();

/** A thread that works in a folder of its own until it is ended. */
async function worker(directory: string): Promise<{ readonly folder: string; readonly thread: Worker }> {
  const rows = new URL("../../../processors/archives/rows.ts", import.meta.url);
  const code = `import(${JSON.stringify(rows.href)}).then(async ({ workFolder }) => {
    require("node:worker_threads").parentPort.postMessage(await workFolder(${JSON.stringify(directory)}));
    setInterval(() => {}, 1_000);
  })`;
  const thread = new Worker(code, { eval: true });
  const folder = await new Promise<string>((done, fail) => thread.once("message", done).once("error", fail));
  return { folder: basename(folder), thread };
}

describe("who works on an archive", () => {
  it("is present until the thread ends, and what it left goes then and not before", async () => {
    const directory = join(root, "ends");
    const own = basename(await workFolder(directory));
    const { folder, thread } = await worker(directory);
    const name = folder.split(".")[0]!;
    expect(isPresent(directory, name)).toBe(true);
    await clearLeft(directory);
    const works = async () =>
      (await readdir(temporaryFolder(directory))).filter((entry) => !entry.includes(".lock"));
    expect(await works()).toEqual([own, folder].sort());
    await thread.terminate();
    expect(isPresent(directory, name)).toBe(false);
    await clearLeft(directory);
    expect(await works()).toEqual([own]);
  });

  it("has one name in each archive, and another path each time", () => {
    const [a, b] = [join(root, "a"), join(root, "b")];
    expect(presentAs(a)).toBe(presentAs(a));
    expect(presentAs(a)).not.toBe(presentAs(b));
    expect(isPresent(a, presentAs(a))).toBe(true);
    expect(isPresent(b, presentAs(a))).toBe(false);
    expect(temporaryPath(a)).not.toBe(temporaryPath(a));
  });
});
