/** Groups of viewports and languages, as people speak of them. */

export type Screen = "Mobile" | "Tablet" | "Laptop" | "Desktop" | "";

/**
 * The group of a viewport width in CSS pixels; "" for 0, unknown. The bounds are those of the field's common reports
 * (576 and 992 are also the usual breakpoints of CSS frameworks).
 */
export function screenOf(widthPixels: number): Screen {
  if (!(widthPixels > 0)) return "";
  if (widthPixels < 576) return "Mobile";
  if (widthPixels < 992) return "Tablet";
  return widthPixels < 1_440 ? "Laptop" : "Desktop";
}

/** Withdrawn ISO 639 codes that old systems still send. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["iw", "he"],
  ["in", "id"],
  ["ji", "yi"],
  ["jw", "jv"],
  ["mo", "ro"],
]);

/** Primary language subtag of a BCP 47 tag, in lower case: "en-US" and "en_us" are "en". "" when unknown. */
export function languageOf(tag: string): string {
  const primary = /^[A-Za-z]{2,8}(?=$|[-_])/.exec(tag)?.[0].toLowerCase() ?? "";
  return RENAMED.get(primary) ?? primary;
}
