/** Work on many things some at a time: stores share one sync, and one wait, between writes that are given together. */

/** As many as a site that is just counted has waiting go one by one: so the order of all calls is one that tests can play. */
const FEW = 64;

/** How many of so many to do at once. */
export const atOnce = (count: number, size: number): number => (count > FEW ? size : 1);

/** Rejects with the first failure at once: what else was given with it may still go on, so each must be safe to abandon. */
export async function inPortions<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let i = 0; i < items.length; i += size) await Promise.all(items.slice(i, i + size).map(work));
}
