/** Keeps the heap near what is alive. Knows nothing of what the process does. */
import { setFlagsFromString } from "node:v8";

/**
 * V8 sizes its heap by the machine's memory, and gives back little of what it has once taken. Call before anything else
 * is loaded, while the young generation has its first size. docs/performance.md has what this saves and costs.
 * The flags are V8's own: another Node may not know one; it says so on standard error and goes on without.
 */
export function keepHeapSmall(): void {
  // The young generation stays at its first size, 1 MB, instead of growing to 64 MB.
  setFlagsFromString("--semi-space-growth-factor=1");
  // The old one is collected when it has grown by half, and not when it has become several times as large.
  setFlagsFromString("--heap-growing-percent=50");
  // Buffers count too. They lie outside the heap, and otherwise 64 MB of garbage may pile up there first.
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}
