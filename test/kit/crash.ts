/** A store in front of another that fails on command, before or after the write took effect: the worker behind it is dead then. */
import type { Store } from "../../processors/stores/store.ts";
import type { Fate } from "./faults/fate.ts";
import { faultyStore } from "./faults/store.ts";

export interface CrashingStore extends Store {
  /** Operations so far. */
  readonly operations: number;
  readonly hasCrashed: boolean;
}

/**
 * Lets `operations` operations through; the next one throws `unavailable`, and so does every later one. With
 * `afterEffect` that next one still reaches the store, as a request does whose answer is lost. Unlike the fate `crash`
 * it answers, so that a test can await the worker's end.
 */
export function crashingStore(store: Store, operations: number, afterEffect: boolean): CrashingStore {
  let done = 0;
  const behind = faultyStore(store, ({ number }): Fate => {
    done = Math.min(number, operations + 1);
    if (number <= operations) return "pass";
    return afterEffect && number === operations + 1 ? "timeout" : "fail";
  });
  return {
    ...behind,
    get operations() {
      return done;
    },
    get hasCrashed() {
      return done > operations;
    },
  };
}
