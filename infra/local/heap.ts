/** Keeps the heap near what is alive. Knows nothing of what the process does. */
import { performance } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/**
 * V8 sizes its heap by the machine's memory, and gives back little of what it has once taken. Call before anything else
 * is loaded, while the young generation has its first size. docs/performance.md has what this saves and costs.
 * The flags are V8's own: another Node may not know one; it says so on standard error and goes on without.
 */
export function keepHeapSmall(): void {
  // The young generation stays at its first size, 1 MB, instead of growing to 64 MB: see `growYoungWhenBusy`.
  setFlagsFromString("--semi-space-growth-factor=1");
  // The old one is collected when it has grown by half, and not when it has become several times as large.
  setFlagsFromString("--heap-growing-percent=50");
  // Buffers count too. They lie outside the heap, and otherwise 64 MB of garbage may pile up there first.
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}

/**
 * Undoes most of it for work that makes much and drops it soon, as an import does: with 1 MB for what is young, a third
 * of its time goes to collecting it. The young generation becomes 8 MB when it next grows; that of a thread begun before
 * `keepLaterThreadsSmall` is 16 MB at once. Call `keepRoomForYoung` after a while, or it grows to 64 MB. What is young is
 * collected by the thread that made it: with both processors busy, the help of others costs more than it saves.
 */
export function makeRoomForYoung(): void {
  setFlagsFromString("--semi-space-growth-factor=8");
  setFlagsFromString("--min-semi-space-size=16");
  setFlagsFromString("--max-semi-space-size=16");
  setFlagsFromString("--no-parallel-scavenge");
}

/** Threads that begin from now on have a young generation of 2 MB at most, and those that have begun keep theirs. */
export function keepLaterThreadsSmall(): void {
  setFlagsFromString("--min-semi-space-size=1");
  setFlagsFromString("--max-semi-space-size=2");
}

/** The young generation stays as large as it is. */
export const keepRoomForYoung = (): void => setFlagsFromString("--semi-space-growth-factor=1");

const LOOK_EVERY_MS = 250;
/** Share of the time in which the event loop had something to do. */
const BUSY = 0.3;
/** Two halves of 16 MB, of which one is in use. */
const MAX_YOUNG_BYTES = 32 << 20;

/**
 * Lets the young generation grow while there is much to do. What a commit is made of lives as long as its records wait,
 * some megabytes under load: with 1 MB it all moves into the old generation, and the main thread of a loaded server spent
 * 29 % of its time collecting; 19 % with 4 MB, 13 % with 8, 7 % with 16. A server that rests stays small.
 */
export function growYoungWhenBusy(): void {
  let before = performance.eventLoopUtilization();
  setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const mayGrow = utilization > BUSY && (young?.space_size ?? MAX_YOUNG_BYTES) < MAX_YOUNG_BYTES;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  }, LOOK_EVERY_MS).unref();
}
