/** Finds what answers a path: exact paths first, then the longest prefix. */

export interface RouteTable<T> {
  /** A path that ends in `/*` stands for all below it. The same method and path again replaces. */
  add(method: string, path: string, endpoint: T): void;
  /** HEAD is served by GET. Without an endpoint, `allow` is the Allow header of the path, if there is such a path. */
  find(method: string, path: string): { readonly endpoint?: T; readonly allow?: string };
}

/** Where programs ask, so that they get JSON also for what is not there. */
export const isApiPath = (path: string): boolean => /^\/(?:api|v1)(?:\/|$)/.test(path);

export function routeTable<T>(): RouteTable<T> {
  const exact = new Map<string, Map<string, T>>();
  const prefixes = new Map<string, Map<string, T>>();
  let longestFirst: [prefix: string, methods: Map<string, T>][] = [];

  const methodsAt = (path: string): Map<string, T> | undefined => {
    const found = exact.get(path);
    if (found !== undefined) return found;
    // A site served at "/" must not answer for the API with its pages.
    const inApi = isApiPath(path);
    return longestFirst.find(([prefix]) => path.startsWith(prefix) && !(inApi && prefix === "/"))?.[1];
  };

  return {
    add(method, path, endpoint) {
      const isPrefix = path.endsWith("/*");
      const table = isPrefix ? prefixes : exact;
      const key = isPrefix ? path.slice(0, -1) : path;
      const methods = table.get(key) ?? new Map<string, T>();
      table.set(key, methods.set(method, endpoint));
      longestFirst = [...prefixes].sort(([a], [b]) => b.length - a.length);
    },
    find(method, path) {
      const methods = methodsAt(path);
      if (methods === undefined) return {};
      const endpoint = methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined);
      if (endpoint !== undefined) return { endpoint };
      const allow = [...methods.keys()].flatMap((known) => (known === "GET" ? ["GET", "HEAD"] : [known]));
      return { allow: allow.join(", ") };
    },
  };
}
