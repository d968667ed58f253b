#!/usr/bin/env node
// Starts the command line on Node 24, which runs TypeScript as it is: this process if it is new enough, else the
// runtime that npm installed beside us.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import nodeModule, { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const REQUIRED = 24;
/** Commands that work in several threads. */
const THREADED = ["import", "rebuild", "erase"];
if (Number(process.versions.node.split(".")[0]) >= REQUIRED) {
  if (process.platform === "linux" && THREADED.includes(process.argv[2])) shareMemory();
  // Beside the code, where only those may write who may change the code; where nobody may, Node goes on without.
  const cache = fileURLToPath(new URL("../../node_modules/.cache/rivulet", import.meta.url));
  nodeModule.enableCompileCache(cache);
  // Threads take it from here. Without, each compiles its TypeScript again, by a megabyte of WebAssembly.
  process.env.NODE_COMPILE_CACHE ??= cache;
  const { keepHeapSmall } = await import(module("heap"));
  keepHeapSmall();
  await import(module("cli"));
} else {
  const runtime = packagedNode();
  if (!runtime) {
    console.error(
      `Rivulet needs Node ${REQUIRED} or later; this is ${process.version}. On Linux x64 npm installs it with the package: ` +
        "run npm install without --omit=optional. Elsewhere install Node 24 from nodejs.org.",
    );
    process.exit(1);
  }
  const child = spawn(runtime, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // Ctrl-C reaches both processes, and a second one of the same kind would end the child at once: so always SIGTERM.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill("SIGTERM"));
  const [status, signal] = await once(child, "exit");
  process.exit(status ?? 128 + constants.signals[signal]);
}

/**
 * Begins this process again, under the same id, with one pool of memory for all threads, of which more than 1 MB that is
 * free goes back to the system. The C library would give each thread a pool of its own, from which no other takes, and keep
 * what is free: 100 MB of an import. It reads these once, when a process begins.
 */
function shareMemory() {
  if (process.env.MALLOC_ARENA_MAX !== undefined) return;
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    MALLOC_ARENA_MAX: "1",
    MALLOC_TRIM_THRESHOLD_: "1000000",
  });
}

/** In a checkout the source; in a package, where Node runs no TypeScript, what was compiled from it. */
function module(name) {
  const source = new URL(`${name}.ts`, import.meta.url);
  return (existsSync(source) ? source : new URL(`../../dist/infra/local/${name}.js`, import.meta.url)).href;
}

function packagedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`);
    const path = join(dirname(manifest), "bin", "node");
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
