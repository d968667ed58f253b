/** The address of a share link. */
import { serverUrl } from "./flags.ts";

/** Throws `config` for a `base` that is no address. */
export function shareUrl(base: string, siteId: string, token: string): string {
  const url = new URL("/", serverUrl(base));
  url.search = new URLSearchParams({ site: siteId, share: token }).toString();
  return url.href;
}
