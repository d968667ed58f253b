/** A clock that tests set by hand. */
import type { Clock, EpochMs } from "../../processors/model/time.ts";

export interface ManualClock extends Clock {
  advance(ms: number): void;
  /** Never goes back: a time before now leaves it where it is. */
  advanceTo(at: EpochMs): void;
}

/** Starts at `start` and stands still until advanced. */
export function manualClock(start: EpochMs = Date.UTC(2026, 0, 5, 12)): ManualClock {
  let now = start;
  return {
    now: () => now,
    advance(ms) {
      now += ms;
    },
    advanceTo(at) {
      now = Math.max(now, at);
    },
  };
}
