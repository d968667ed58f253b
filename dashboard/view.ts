/** What every part needs to speak to this viewer: words and formats. Replaced as a whole when the site changes. */
import type { Formatter } from "./format.ts";
import type { Strings } from "./i18n/en.ts";

export interface View {
  readonly strings: Strings;
  readonly format: Formatter;
}
