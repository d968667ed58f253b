/** What the numbers are narrowed to, and the way back. Knows no data. */
import { el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";
import { dimensionLabel, valueLabel } from "./panel.ts";
import type { Focus } from "./state.ts";
import type { View } from "./view.ts";

export interface FilterBar {
  readonly node: HTMLElement;
  show(focus: Focus | undefined, view: View): void;
}

/** `clear` runs when the viewer wants everything again. */
export function filterBar(strings: Strings, clear: () => void): FilterBar {
  const text = el("span", {});
  const chip = el(
    "button",
    { type: "button", class: "chip", title: strings.unfocus },
    text,
    el("span", { "aria-hidden": "true" }, "×"),
  );
  const node = el("p", { class: "focus-bar" }, chip);
  node.hidden = true;
  chip.addEventListener("click", clear);
  return {
    node,
    show(focus, view) {
      node.hidden = focus === undefined;
      if (!focus) return;
      const dimension = dimensionLabel(focus.dimension, strings);
      setText(
        text,
        fill(strings.focused, { dimension, value: valueLabel(focus.dimension, focus.value, view) }),
      );
    },
  };
}
