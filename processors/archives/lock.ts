/** One process at a time keeps the files of an archive. Knows nothing of what they hold. */
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClickstreamError } from "../errors.ts";

const RETRY_MS = 50;
const MAX_WAIT_MS = 120_000;

/** Runs `work` while nobody else does; a lock whose process is gone is taken over. Throws `unavailable` after two minutes. */
export async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const path = join(directory, "lock");
  for (let waited = 0; !(await take(path)); waited += RETRY_MS) {
    if (waited >= MAX_WAIT_MS)
      throw new ClickstreamError("unavailable", `${path}: another process has kept it for two minutes`);
    await sleep(RETRY_MS);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx", 0o600);
    await handle.writeFile(String(process.pid)).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const owner = Number(await readFile(path, "utf8").catch(() => "0"));
  // Within this process keepers take turns, so a lock of its number was left by one before it: in a container all have one.
  if (owner > 0 && (owner === process.pid || !isRunning(owner))) await rm(path, { force: true });
  return false;
}

/** Whether a process with this number runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
