/** Entity tags: what a reader sends back to be told that nothing has changed (RFC 9110, section 8.8.3). */
import { createHash } from "node:crypto";

/** 22 characters of base64 are 132 bits of the content's SHA-256. */
const TAG_CHARS = 22;

/** The strong tag of some content: equal content has equal tags. */
export const etagOf = (content: string | Uint8Array): string =>
  `"${createHash("sha256").update(content).digest("base64url").slice(0, TAG_CHARS)}"`;

/** The tag of a JSON answer. The time of the answer, `now`, is not content: with it no two answers would be the same. */
export const etagOfAnswer = (answer: object): string => etagOf(JSON.stringify({ ...answer, now: undefined }));

/**
 * Whether an If-None-Match header names `etag`. Weak and strong tags compare alike, as RFC 9110 asks here: a proxy that
 * compresses makes a weak one of a strong one.
 */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const bare = (tag: string) => tag.trim().replace(/^W\//, "");
  return ifNoneMatch.split(",").some((tag) => bare(tag) === bare(etag));
}
