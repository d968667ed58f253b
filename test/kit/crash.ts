/** A store in front of another that fails on command, before or after the write took effect: the worker behind it is dead then. */
import { ClickstreamError } from "../../processors/errors.ts";
import type { Store } from "../../processors/stores/store.ts";

export interface CrashingStore extends Store {
  /** Operations so far. */
  readonly operations: number;
  readonly hasCrashed: boolean;
}

/**
 * Lets `operations` operations through; the next one throws `unavailable`, and so does every later one. With
 * `afterEffect` that next one still reaches the store, as a request does whose answer is lost.
 */
export function crashingStore(store: Store, operations: number, afterEffect: boolean): CrashingStore {
  let done = 0;
  let hasCrashed = false;
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    if (hasCrashed) throw new ClickstreamError("unavailable", "the worker has crashed");
    if (done++ < operations) return work();
    hasCrashed = true;
    if (afterEffect) await work();
    throw new ClickstreamError(
      "unavailable",
      `crash at store operation ${done}${afterEffect ? ", after its effect" : ""}`,
    );
  };
  return {
    get operations() {
      return done;
    },
    get hasCrashed() {
      return hasCrashed;
    },
    get: (key) => guard(() => store.get(key)),
    getMany: (keys) => guard(() => store.getMany(keys)),
    list: (pk, range) => guard(() => store.list(pk, range)),
    put: (item, expected) => guard(() => store.put(item, expected)),
    delete: (keys) => guard(() => store.delete(keys)),
    close: async () => {},
  };
}
