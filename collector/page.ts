/** Which page we are on, as an address that is safe to let out of it. */
import { countsHash, dataset } from "./settings.ts";

/**
 * What of a query string is counted: campaign parameters, and that there is a paid-click id. Of such an id, which
 * names a person, only the first character matches. Everything else may hold secrets and stays in the page.
 */
const COUNTED = /[?&]((utm_\w+|ref|source)=[^&]*|\w+(clk?|_fat_|bra)id=.)/g;

/** A mail address, 20 letters and digits in a row with a digit among them (session ids, signatures), or a UUID. */
const SECRET = /@|%40|(?=[a-z]*\d)[a-z\d]{20}|[\da-f-]{20}/i;

/** The text with `*` for every part that looks like a mail address or a token: a link to reset a password holds both. */
const mask = (text: string | null): string =>
  text?.replace(/[^/?&=]+/g, (part) => (SECRET.test(part) ? "*" : part)) as string;

/** What makes it another page: the path, and with `data-hash` the fragment. */
export const path = (url: URL | Location): string => url.pathname + (countsHash ? url.hash : "");

/** The address without what nobody counts. */
export const scrub = (address: string | Location): string => {
  const url = new URL(address as string); // its origin is "null" where an app is the referrer
  // Servers cut the fragment off, hence #/about has to travel as /about.
  const shown =
    path(url).replace(/\/?#!?\/?/, "/") + (url.search.match(COUNTED) || []).join("").replace(/^&/, "?");
  // biome-ignore lint/style/useTemplate: four bytes
  return url.protocol + "//" + url.host + mask(shown);
};

/** Address and referrer of the page that is shown, as they travel. */
export const page = {} as { u: string; r: string };

/** The query parameters that `data-params` allows (`data-params="q page"`), as properties of the page view. */
export const allowedParams = (): Record<string, string> => {
  const allowed: Record<string, string> = {};
  const query = new URL(location as never).searchParams;
  // biome-ignore lint/suspicious/useIterableCallbackReturn: a phrase used again costs nothing once it is compressed
  dataset.params?.split(" ").map((key) => {
    allowed[key] = mask(query.get(key));
  });
  return allowed;
};
