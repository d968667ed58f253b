/** Which page we are on, as an address that is safe to let out of it. */
import { countsHash } from "./settings.ts";

/** Address and referrer as they travel, scrubbed. A new object for every page view. */
export interface Page {
  readonly u: string;
  readonly r: string;
}

/**
 * What of a query string is counted: campaign parameters, and that there is a paid-click id. Of such an id, which
 * names a person, only the first character matches. Everything else may hold secrets and stays in the page.
 */
const COUNTED = /[?&]((utm_\w+|ref|source)=[^&]*|(\w+clk?id|li_fat_id|[gw]braid)=.)/g;

/** The address without what nobody counts; "" stays "". */
export function scrub(address: string): string {
  if (!address) return address;
  const url = new URL(address);
  url.search = (url.search.match(COUNTED) || []).join("");
  // Servers cut the fragment off, hence #/about has to travel as /about.
  if (countsHash) url.pathname = (url.pathname + url.hash).replace(/\/?#!?\/?/, "/");
  url.hash = "";
  return url.href;
}

/** What makes it another page: the path, and with `data-hash` the fragment. */
export const path = (): string => location.pathname + (countsHash ? location.hash : "");
