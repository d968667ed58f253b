/** What a site without any event shows: the line to paste, and that somebody is watching. */
import { el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";

export interface Welcome {
  readonly node: HTMLElement;
  show(site: string, origin: string): void;
}

/** The script tag for a site; the id is escaped, because it lands in somebody's HTML. */
export function snippet(site: string, origin: string): string {
  const escaped = site.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<script defer src="${origin}/c.js" data-site="${escaped}"></script>`;
}

export function welcome(strings: Strings): Welcome {
  const code = el("code", { tabindex: "0" });
  const copy = el("button", { type: "button", class: "button primary" }, strings.copy);
  const text = el("p", {});
  const node = el(
    "section",
    { class: "card welcome" },
    el("h2", {}, el("span", { class: "pulse", "aria-hidden": "true" }), strings.welcome),
    text,
    el("div", { class: "snippet" }, code, copy),
    el("p", { class: "quiet" }, strings.welcomeCheck),
  );
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      setText(copy, strings.copied);
      setTimeout(() => setText(copy, strings.copy), 2_000);
    } catch {
      // No clipboard on plain HTTP or without permission: select the line, so that one keystroke copies it.
      getSelection()?.selectAllChildren(code);
    }
  });
  return {
    node,
    show(site, origin) {
      setText(code, snippet(site, origin));
      setText(text, fill(strings.welcomeText, { site }));
    },
  };
}
