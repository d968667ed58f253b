/** Tells processes on one data directory whether one of them counts there. The lock goes with its process, however that ends. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface Lock {
  release(): void;
}

/**
 * Takes the right to count if nobody has it; undefined when somebody has. SQLite's own file lock: the system frees it
 * even after kill -9, and a number of a process would prove nothing. Counting without it is safe, only work done twice.
 */
export function lockCounting(dataDirectory: string): Lock | undefined {
  const db = new DatabaseSync(join(dataDirectory, "counting.lock"), { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch {
    db.close();
    return undefined;
  }
  return { release: () => db.close() };
}
