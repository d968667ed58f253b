/** Tells processes on one data directory whether one of them counts there. */
import { join } from "node:path";
import { type Lock, takeLock } from "../../processors/filelock.ts";

/** Takes the right to count if nobody has it; undefined when somebody has. Counting without it is safe, only work done twice. */
export const lockCounting = (dataDirectory: string): Lock | undefined =>
  takeLock(join(dataDirectory, "counting.lock"));
