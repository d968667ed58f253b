import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../kit/temporary.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const directory = temporaryDirectory();

/** What a command makes Node load, by its path from the project. */
async function loadedBy(...words: readonly string[]): Promise<string[]> {
  const hook = join(directory, "hook.mjs");
  await writeFile(
    hook,
    `import { registerHooks } from "node:module";
     registerHooks({ load: (url, context, next) => (process._rawDebug(url), next(url, context)) });`,
  );
  const { stderr } = await promisify(execFile)(process.execPath, [
    ...["--import", pathToFileURL(hook).href],
    ...[join(ROOT, "infra/local/bin.js"), ...words, "--data", join(directory, "data")],
  ]);
  const root = pathToFileURL(ROOT).href;
  return stderr.split("\n").flatMap((url) => (url.startsWith(root) ? [url.slice(root.length)] : []));
}

test("a command that manages loads neither the server nor the readers of files", async () => {
  const loaded = await loadedBy("sites", "add", "example.com");
  expect(loaded).toContain("infra/local/manage.ts");
  const needless =
    /^infra\/local\/(server|runtime|counting|importing|importfile)\.ts$|\/(hyparquet|cli-progress)\//;
  expect(loaded.filter((path) => needless.test(path))).toEqual([]);
});
