/** A site as the operator names it, and what it can be called. */
import { LIMITS } from "./event.ts";

export interface SiteSetting {
  readonly id: string;
  /** IANA name; decides where its days begin. */
  readonly timeZone: string;
}

/** What an id may be, for who asked for another one. */
export const SITE_ID_RULE = `use 1 to ${LIMITS.siteChars} printable characters without spaces, "@" or ","`;

/** Whether a site can have that id. */
export const isSiteId = (id: string): boolean => id.length <= LIMITS.siteChars && /^[^\s@,\p{C}]+$/u.test(id);
