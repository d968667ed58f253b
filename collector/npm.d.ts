export interface InitOptions {
  /** The site id, as registered. */
  site: string;
  /** Where the server is, e.g. `https://stats.example.com`. */
  url: string;
  /** Path of the collector there. Default `/c.js`; `/lite.js` is the small build. */
  script?: string;
  /** Path of the reports there, or their whole address. Default `/v1/events`. */
  ingest?: string;
  /** The fragment is part of the address: for routers that live there. */
  hash?: boolean;
  /** Count pages on this machine and automated browsers too. */
  local?: boolean;
  /** Keep a visitor id in localStorage. Default: no identity. */
  identity?: "local";
  /** Query parameters that become properties of the page view. Default: none. */
  params?: readonly string[];
  /** Optional chunks. */
  with?: ReadonlyArray<"vitals" | "errors" | "rage">;
  /** Edits an event before it is sent, or drops it by returning nothing. Gets its wire form. */
  before?: (event: { n: string; u: string; r: string; [key: string]: unknown }) => object | undefined;
}

export interface EventOptions {
  /** Flat: at most 30 texts, numbers and booleans. */
  props?: Readonly<Record<string, string | number | boolean>>;
  /** Major units and an ISO 4217 code. */
  revenue?: { readonly amount: number | string; readonly currency: string };
  /** false: does not end a bounce. Default true. */
  interactive?: boolean;
}

/** Loads the collector and counts the page. Only the first call of a page has an effect; on a server none has. */
export function init(options: InitOptions): void;
/** Counts a custom event on the current page; before `init`, as soon as that was called. Never throws. */
export function track(name: string, options?: EventOptions): void;
/**
 * Counts a page view that the address does not show: a step of a form, say. `path` names it, and is masked as addresses
 * are. Navigations count by themselves. `/lite.js` knows no such names: there it counts the page that the address shows.
 */
export function page(path?: string): void;
/** The visitor's lasting choice: false stops and forgets what waits, true counts in spite of privacy signals. */
export function consent(yes: boolean): void;
