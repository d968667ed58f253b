/** How an item of the store is changed by one of many: under the version that it was read with, or read again. */
import { ClickstreamError } from "../errors.ts";
import type { EpochMs } from "../model/time.ts";
import type { Item, ItemKey, Store } from "../stores/store.ts";

/** So many in a row are no race any more. */
export const MAX_CONFLICTS = 50;

/**
 * Writes what `next` makes of an item, undefined where there is none; again where somebody else was faster. Answers
 * false, and leaves it as it is, when `next` answers undefined. Throws `unavailable` after MAX_CONFLICTS.
 */
export async function changeItem(
  store: Store,
  key: ItemKey,
  next: (
    item: Item | undefined,
  ) => Awaitable<{ readonly value: Uint8Array; readonly expiresAt?: EpochMs } | undefined>,
): Promise<boolean> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get(key);
    const wanted = await next(item);
    if (!wanted) return false;
    if (await store.put({ ...key, ...wanted }, item?.version ?? 0)) return true;
  }
  throw conflicting(`${key.pk} ${key.sk}`);
}

/** What is thrown then; `what` names the item. */
export const conflicting = (what: string, conflicts = MAX_CONFLICTS): ClickstreamError =>
  new ClickstreamError("unavailable", `${what}: ${conflicts} conflicting writes in a row`);

type Awaitable<T> = T | Promise<T>;
