/** Clocks that are wrong: one machine's view of the time, which jumps while the others' goes on. */
import type { Clock } from "../../../processors/model/time.ts";
import type { Random } from "../random.ts";

export interface JumpingClock extends Clock {
  /** Moves this clock against the one behind it, forward or (negative) back: a correction by NTP, a virtual machine that was paused. */
  jump(ms: number): void;
}

/** Follows `clock` until told to jump. */
export function jumpingClock(clock: Clock): JumpingClock {
  let offset = 0;
  return {
    now: () => clock.now() + offset,
    jump(ms) {
      offset += ms;
    },
  };
}

/** Jumps by itself: before each reading with `chance`, to anywhere within `mostMs` of the clock behind it. */
export function wildClock(clock: Clock, random: Random, { chance = 0.1, mostMs = 600_000 } = {}): Clock {
  let offset = 0;
  return {
    now() {
      if (random.chance(chance)) offset = random.between(-mostMs, mostMs);
      return clock.now() + offset;
    },
  };
}
