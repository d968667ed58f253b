/** How far the archive is read, in words. */
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

/** `done` is 0 to 1, or null where nobody can tell. */
export const readingText = (done: number | null, { strings, format }: View): string =>
  fill(strings.reading, { done: done === null ? "" : format.share(done) }).trim();
