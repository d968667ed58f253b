/** What pages may do, wherever they are served from: the header Content-Security-Policy. */

/** Only our own files may run, load or be talked to, and nobody may frame us. */
export const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/** The same for the one page that other sites may frame; it shows nothing without a share link. */
export const EMBED_POLICY = PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *");
