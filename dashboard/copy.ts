/** A line to copy, with its button. */
import { button, el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";

const TOLD_MS = 2_000;

export interface CopyLine {
  readonly node: HTMLElement;
  show(text: string): void;
}

export function copyLine(strings: Strings, label: string): CopyLine {
  const code = el("code", {
    tabindex: "0",
    role: "textbox",
    "aria-readonly": "true",
    "aria-multiline": "true",
    "aria-label": label,
  });
  const copy = button("button primary", strings.copy, async () => {
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      setText(copy, strings.copied);
      setTimeout(() => setText(copy, strings.copy), TOLD_MS);
    } catch {
      // No clipboard on plain HTTP or without permission: select the line, so that one keystroke copies it.
      getSelection()?.selectAllChildren(code);
    }
  });
  return { node: el("div", { class: "snippet" }, code, copy), show: (text) => setText(code, text) };
}
