/** Lets so many tasks run at once, and the others wait their turn. Knows not what it lets through. */

/** What it returns runs a task when there is a place for it, first come, first served, and settles as the task does. */
export function gate(places: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (task) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
