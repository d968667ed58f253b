/** Drivers that are loaded when they are first used: their services' clients are most of what a cold start would read. */

type AsyncMethod = (...args: never[]) => Promise<unknown>;

/** Stands for what `open` makes, all of whose methods answer promises; opens it with the first call, and once unless that fails. */
export function lazy<T extends { [Name in keyof T]: AsyncMethod }>(open: () => Promise<T>): T {
  let opening: Promise<T> | undefined;
  const method =
    (name: keyof T): AsyncMethod =>
    async (...args) => {
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return (await opening)[name](...args);
    };
  // Without the exception it would look like a promise to whoever awaits it.
  return new Proxy({} as T, { get: (_, name) => (name === "then" ? undefined : method(name as keyof T)) });
}
