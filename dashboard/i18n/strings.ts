/** Picks the viewer's language once and fills sentences; knows nothing of what they mean. */
import { en, type Strings } from "./en.ts";
import { ko } from "./ko.ts";

const LANGUAGES: Readonly<Record<string, Strings>> = { en, ko };

/** `?lang=` wins, then the first browser language that is spoken here, then English. */
export function pickLanguage(search: string, preferred: readonly string[]): string {
  const wanted = [new URLSearchParams(search).get("lang") ?? "", ...preferred];
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES) ?? "en";
}

export interface Language {
  readonly strings: Strings;
  /** For Intl: the viewer's own regional form of the language (en-GB), else the plain language. */
  readonly locale: string;
}

export function languageFor(search: string, preferred: readonly string[]): Language {
  const tag = pickLanguage(search, preferred);
  const isMine = (one: string): boolean => one.slice(0, 2).toLowerCase() === tag && isLocale(one);
  const locale = preferred.find(isMine) ?? tag;
  return { strings: LANGUAGES[tag] ?? en, locale };
}

/**
 * "Complete to {time}" with its values; a missing value stays visible as `{time}` rather than vanish. Of words in
 * brackets, "[visitor|visitors]", the first is taken where `isOne`, by the language's own rule of plurals.
 */
export function fill(template: string, values: Readonly<Record<string, string>>, isOne = false): string {
  return template
    .replace(/\[(.*?)\|(.*?)\]/g, (_, one: string, other: string) => (isOne ? one : other))
    .replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** A browser started in the POSIX locale calls itself "en-US@posix", which Intl refuses. */
function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}
