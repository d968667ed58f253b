/** Why the server did not answer, in plain words. Knows no page. */
import type { ApiError } from "./api.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";

/** A sentence for a person; the server's own words only where they help that person. */
export function refusal({ status, message }: ApiError, strings: Strings): string {
  if (status === 401) return strings.refused401;
  if (status === 403) return strings.refused403;
  if (status === 429) return strings.refused429;
  return fill(strings.failed, { message });
}
