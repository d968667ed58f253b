/** For work that may wait: tries again what a stream or a store refuses for a moment. */
import { setTimeout as sleep } from "node:timers/promises";
import { isOutage } from "../../processors/errors.ts";
import { around } from "../../processors/stores/around.ts";
import type { Store } from "../../processors/stores/store.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 30_000;

/**
 * Tries again for some 50 s when it throws an outage: beside those who count on a busy machine, a file
 * may be locked for longer than SQLite waits. `work` must be harmless to repeat.
 */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs *= 2) {
    try {
      return await work();
    } catch (error) {
      if (!isOutage(error) || waitMs > LAST_RETRY_MS) throw error;
      await sleep(waitMs);
    }
  }
}

/** The store for one who has the time to wait for it. A put that took effect and failed all the same answers false then. */
export const patientStore = (store: Store): Store => around(store, patiently);
