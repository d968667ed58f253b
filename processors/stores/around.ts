/** A store with something around each of its operations. Knows no driver. */
import type { Store } from "./store.ts";

/** Every operation is made by `call`, which may wait for it, refuse it or repeat it. Closing is passed on as it is. */
export const around = (store: Store, call: <T>(work: () => Promise<T>) => Promise<T>): Store => ({
  get: (key) => call(() => store.get(key)),
  getMany: (keys) => call(() => store.getMany(keys)),
  list: (pk, range) => call(() => store.list(pk, range)),
  put: (item, expected) => call(() => store.put(item, expected)),
  delete: (keys) => call(() => store.delete(keys)),
  close: () => store.close(),
});
