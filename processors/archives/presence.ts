/**
 * Who works on a local archive, and whether they still do: a thread that makes files there has a name, and a lock under
 * it that goes with the thread, however that ends. What is made meanwhile begins with the name.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Lock, takeLock } from "../filelock.ts";
import { namesIn } from "./folder.ts";
import { temporaryFolder } from "./layout.ts";
import { unlessLocked } from "./lock.ts";

const randomName = (): string => randomBytes(8).toString("hex");
const lockOf = (directory: string, name: string): string => join(temporaryFolder(directory), `${name}.lock`);

/** The locks of this thread, held to its end. */
const held = new Map<string, { readonly name: string; readonly lock: Lock }>();

/** The name of this thread in an archive. Throws `unavailable` where its lock cannot be made. */
export function presentAs(directory: string): string {
  const known = held.get(directory);
  if (known) return known.name;
  mkdirSync(temporaryFolder(directory), { recursive: true, mode: 0o700 });
  for (;;) {
    const name = randomName();
    const lock = takeLock(lockOf(directory, name));
    if (!lock) continue;
    // Between making the file and locking it, somebody who clears up may have taken it for one that was left.
    if (existsSync(lockOf(directory, name))) {
      held.set(directory, { name, lock });
      return name;
    }
    lock.release();
  }
}

/** Whether the thread of a name still runs. */
export function isPresent(directory: string, name: string): boolean {
  const path = lockOf(directory, name);
  if (!existsSync(path)) return false;
  const lock = takeLock(path);
  lock?.release();
  return lock === undefined;
}

/** A new path for what this thread needs for a while; it is deleted when the thread is gone, if not before. */
export const temporaryPath = (directory: string): string =>
  join(temporaryFolder(directory), `${presentAs(directory)}.${randomName()}`);

/** Deletes what those have left that are gone: second names and half-made files hold rows that may be erased since. For whoever holds the lock of the archive. */
export async function clearAbsent(directory: string): Promise<void> {
  const folder = temporaryFolder(directory);
  const owned = Map.groupBy(await namesIn(folder), (name) => name.split(".", 1)[0]!);
  for (const [owner, names] of owned) {
    const lock = takeLock(lockOf(directory, owner));
    if (!lock) continue;
    try {
      for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
      await rm(lockOf(directory, owner), { force: true });
    } finally {
      lock.release();
    }
  }
}

/** The same, whoever may do it: where somebody keeps the files, they have done it. */
export const clearLeft = (directory: string): Promise<void> =>
  unlessLocked(directory, () => clearAbsent(directory));
