/** Light, dark, or as the system is: a button that goes round, and remembers. */
import { button, setAttribute } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { store, stored } from "./stored.ts";

const THEMES = ["auto", "light", "dark"] as const;

/** Sets the page's colours at once, so that they never change after the first paint. */
export function themeButton(strings: Strings): HTMLButtonElement {
  const node = button("button round theme", "", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    store("theme", theme);
    show();
  });
  let theme = THEMES.find((one) => one === stored("theme")) ?? "auto";
  const show = (): void => {
    document.documentElement.dataset.theme = theme;
    for (const name of ["aria-label", "title"]) setAttribute(node, name, strings[`theme_${theme}`]);
  };
  show();
  return node;
}
