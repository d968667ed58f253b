/** Why the server did not answer, in plain words. Knows no page. */
import { ApiError } from "./api.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";

/** The same for whatever a question rejected with that nobody repeats, an outage included. Throws what is no answer of a server at all. */
export function problem(error: unknown, strings: Strings): string {
  if (!(error instanceof ApiError)) throw error;
  return error.away ? strings.awayNow : refusal(error, strings);
}

/** A sentence for a person; the server's own words only where they help that person. */
export function refusal({ status, code, message }: ApiError, strings: Strings): string {
  if (status === 401) return strings.refused401;
  if (status === 403) return strings.refused403;
  if (status === 429) return strings.refused429;
  if (code === "no_archive") return strings.needsArchive;
  return fill(strings.failed, { message });
}
