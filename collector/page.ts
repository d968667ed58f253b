/** Which page we are on, as an address that is safe to let out of it. */
import { dataset } from "./settings.ts";

/**
 * What of a query string is counted: campaign parameters, and that there is a paid-click id. Of such an id, which
 * names a person, only the first character matches. Everything else may hold secrets and stays in the page.
 */
const COUNTED = /[?&]((source|ref|utm_\w+)=[^&]*|\w+(clk?|_fat_|bra)id=.)/g;

/**
 * A mail address, 20 letters and digits in a row with a digit among them (session ids, signatures), or a UUID.
 * Not `/i`, for which a fresh process of the browser builds tables of letters for a fifth of a millisecond.
 */
const SECRET = /@|%40|(?=[^\W_]*\d)[^\W_]{20}|[\da-fA-F-]{20}/;

/** `*` for a part of an address that looks like a mail address or a token: a link to reset a password holds both. */
const mask = (part: string): string => (SECRET.test(part) ? "*" : part);

/** An address in its parts. */
type Address = Pick<URL, "protocol" | "host" | "pathname" | "search" | "hash">;

/** What makes it another page: the path, and with `data-hash` the fragment without a query of its own. */
export const path = (url: Address): string =>
  url.pathname + ("hash" in dataset ? (url.hash.split("?", 1) as never) : "");

/** The address without what nobody counts. */
export const scrub = (url: Address): string =>
  // Its origin is "null" where an app is the referrer.
  url.protocol +
  "//" +
  url.host +
  // Servers cut the fragment off, hence #/about has to travel as /about.
  (
    path(url).replace(/\/?#!?\/?/, "/") +
    ((url.search || url.hash).match(COUNTED) || []).join("").replace(/^&/, "?")
  ).replace(/[^/?&=]+/g, mask);

/** Address and referrer of the page that is shown, as they travel. */
export const page = {} as { u: string; r: string };

/** The query parameters that `data-params` allows (`data-params="q page"`), as properties of the page view. */
export const allowedParams = (): Record<string, string> => {
  const allowed: Record<string, string> = {};
  // biome-ignore lint/suspicious/useIterableCallbackReturn: a phrase used again costs nothing once it is compressed
  dataset.params?.split(" ").map((key) => {
    allowed[key] = new URL(location as never).searchParams.get(key)?.replace(/[^/?&=]+/g, mask) as string;
  });
  return allowed;
};
