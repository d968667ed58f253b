import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { takeLock } from "../../processors/filelock.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const root = temporaryDirectory();

it("a lock is one holder's until it is released, and needs nothing but its empty file", () => {
  const path = join(root, "one.lock");
  const lock = takeLock(path);
  expect(takeLock(path)).toBeUndefined();
  expect(readdirSync(root)).toEqual(["one.lock"]);
  lock?.release();
  lock?.release();
  const next = takeLock(path);
  expect(next).toBeDefined();
  next?.release();
});

it("a lock of a thread that was ended is free", async () => {
  const path = join(root, "thread.lock");
  const file = new URL("../../processors/filelock.ts", import.meta.url);
  const thread = new Worker(
    `import(${JSON.stringify(file.href)}).then(({ takeLock }) => {
      globalThis.lock = takeLock(${JSON.stringify(path)});
      require("node:worker_threads").parentPort.postMessage("taken");
      setInterval(() => {}, 1_000);
    })`,
    { eval: true },
  );
  await new Promise((done, fail) => thread.once("message", done).once("error", fail));
  expect(takeLock(path)).toBeUndefined();
  await thread.terminate();
  const lock = takeLock(path);
  expect(lock).toBeDefined();
  lock?.release();
});

it("a lock that cannot be made is an outage", () => {
  expect(() => takeLock(join(root, "nowhere", "a.lock"))).toThrow("cannot be locked");
});
