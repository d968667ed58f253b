/** One at a time keeps the files of an archive. Knows nothing of what they hold. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClickstreamError } from "../errors.ts";
import { takeLock } from "../filelock.ts";

const RETRY_MS = 50;
const MAX_WAIT_MS = 120_000;

const lockOf = (directory: string): string => join(directory, "keeping.lock");

/** Runs `work` while nobody else does. Throws `unavailable` after two minutes. */
export async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  for (let waited = 0; waited < MAX_WAIT_MS; waited += RETRY_MS) {
    const lock = takeLock(lockOf(directory));
    if (lock) return work().finally(() => lock.release());
    await sleep(RETRY_MS);
  }
  throw new ClickstreamError(
    "unavailable",
    `archive ${directory}: somebody else has kept it for two minutes`,
  );
}

/** The same, but does nothing where somebody else does. */
export async function unlessLocked(directory: string, work: () => Promise<void>): Promise<void> {
  const lock = takeLock(lockOf(directory));
  if (lock) await work().finally(() => lock.release());
}
