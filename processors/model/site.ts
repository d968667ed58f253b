/** What a site can be called. */
import { LIMITS } from "./event.ts";

/** What an id may be, for who asked for another one. */
export const SITE_ID_RULE = `use 1 to ${LIMITS.siteChars} printable characters without spaces, "@" or ","`;

/** Whether a site can have that id. */
export const isSiteId = (id: string): boolean => id.length <= LIMITS.siteChars && /^[^\s@,\p{C}]+$/u.test(id);
