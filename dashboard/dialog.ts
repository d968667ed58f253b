/** A modal dialog with a heading and a way out; the keyboard's focus goes back to where it was. Knows not what is in it. */
import { button, el } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";

export interface Dialog {
  /** Where its content goes. */
  readonly body: HTMLElement;
  close(): void;
}

let opened = 0;

/** Opens at once; closing it, by button, Escape or a click beside it, removes it and runs `closed`. */
export function dialog(title: string, kind: string, strings: Strings, closed?: () => void): Dialog {
  const id = `dialog-${++opened}`;
  const before = document.activeElement as HTMLElement | null;
  const close = button("button", strings.close, () => node.close());
  const body = el("div", { class: "dialog-body" });
  const node = el(
    "dialog",
    { class: `card ${kind}`, "aria-labelledby": id },
    el("header", {}, el("h2", { id }, title), close),
    body,
  );
  node.addEventListener("click", (event) => {
    if (event.target === node) node.close();
  });
  node.addEventListener("close", () => {
    node.remove();
    closed?.();
    // The browser has given focus back where it could. This comes later: who has moved on meanwhile is left there.
    if (before?.isConnected && document.activeElement === document.body) before.focus();
  });
  document.body.append(node);
  node.showModal();
  return { body, close: () => node.close() };
}
