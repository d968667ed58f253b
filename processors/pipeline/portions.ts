/** Work on many things some at a time: stores share one sync, and one wait, between writes that are given together. */

/** As many as a site that is just counted has waiting go one by one: so the order of all calls is one that tests can play. */
const FEW = 64;

/** How many of so many to do at once. */
export const atOnce = (count: number, size: number): number => (count > FEW ? size : 1);

/** The items in their order, `size` together; the last chunk may have fewer. */
export const chunksOf = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

/** Rejects with the first failure at once: what else was given with it may still go on, so each must be safe to abandon. */
export async function inPortions<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  for (const chunk of chunksOf(items, size)) await Promise.all(chunk.map(work));
}
