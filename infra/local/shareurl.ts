/** The address of a share link. */
import { ClickstreamError } from "../../processors/errors.ts";

/** Throws `config` for a `base` that is no address. */
export function shareUrl(base: string, siteId: string, token: string): string {
  try {
    const url = new URL("/", base);
    url.search = new URLSearchParams({ site: siteId, share: token }).toString();
    return url.href;
  } catch (cause) {
    throw new ClickstreamError("config", `--url ${base}: not an address such as https://example.com`, {
      cause,
    });
  }
}
