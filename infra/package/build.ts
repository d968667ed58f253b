/**
 * Makes dist/, the compiled half of the npm package: a checkout runs its TypeScript as it is, but Node does not do that
 * for packages. npm runs it before it packs.
 */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { basename, dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = `${root}dist/`;

rmSync(dist, { recursive: true, force: true });
// `npm run types` has held the same sources to their types, and more than these.
execFileSync("tsc", ["-p", dirname(fileURLToPath(import.meta.url)), "--noCheck"], {
  stdio: "inherit",
  cwd: root,
});

// Browsers get one bundle each, made from the sources when they are first needed.
for (const folder of ["collector", "dashboard"]) {
  cpSync(root + folder, dist + folder, {
    recursive: true,
    filter: (path) =>
      !["build.ts", "tsconfig.json"].includes(basename(path)) && !basename(path).startsWith("npm."),
  });
}
cpSync(`${root}infra/local`, `${dist}infra/local`, {
  recursive: true,
  filter: (path) => extname(path) === "" || extname(path) === ".css",
});
