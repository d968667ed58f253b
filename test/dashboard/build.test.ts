/** What the page is made of: its size, its hosts and its languages. */
import { readdirSync, readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { buildDashboard } from "../../dashboard/build.ts";
import { en } from "../../dashboard/i18n/en.ts";
import { ko } from "../../dashboard/i18n/ko.ts";
import { pickLanguage } from "../../dashboard/i18n/strings.ts";

const MAX_BROTLI_BYTES = 45_000;
const folder = new URL("../../dashboard/", import.meta.url);

describe("the built page", () => {
  it(`is smaller than ${MAX_BROTLI_BYTES} bytes in brotli, all files together`, async () => {
    const files = await buildDashboard();
    const total = [...files.values()].reduce((sum, { body }) => sum + brotliCompressSync(body).length, 0);
    expect(total).toBeLessThan(MAX_BROTLI_BYTES);
  });

  it("names no other host", async () => {
    for (const [path, { body }] of await buildDashboard()) {
      const found = new TextDecoder().decode(body).match(/https?:\/\/[^"'\s]*/g) ?? [];
      expect(
        found.filter((url) => url !== "http://www.w3.org/2000/svg"),
        path,
      ).toEqual([]);
    }
  });
});

describe("the languages", () => {
  const placeholders = (text: string): string[] =>
    [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

  it("have the same keys and fill the same values", () => {
    expect(Object.keys(ko).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) {
      expect(placeholders(ko[key as keyof typeof en]), key).toEqual(placeholders(text));
    }
  });

  it("hold no word that the page does not say", () => {
    const sources = readdirSync(folder)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(new URL(name, folder), "utf8"))
      .join("\n");
    // A family of words is said by its prefix and a kind.
    const family = (key: string): string => `strings[\`${key.split("_")[0]}_\${`;
    const said = (key: string): boolean =>
      [`strings.${key}`, `"${key}"`, family(key)].some((text) => sources.includes(text));
    expect(Object.keys(en).filter((key) => !said(key) && !sources.includes(`  ${key}: "`))).toEqual([]);
  });

  it.each([
    { search: "", preferred: ["ko-KR", "en-US"], language: "ko" },
    { search: "?lang=en", preferred: ["ko-KR"], language: "en" },
    { search: "?lang=xx", preferred: ["fr-FR", "ko"], language: "ko" },
    { search: "", preferred: [], language: "en" },
  ])("$preferred with '$search' give $language", ({ search, preferred, language }) => {
    expect(pickLanguage(search, preferred)).toBe(language);
  });
});
