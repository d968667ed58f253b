/** Light, dark, or as the system is: a button that goes round, and remembers. */
import { el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { store, stored } from "./stored.ts";

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const LOOKS: Readonly<Record<Theme, readonly [sign: string, label: keyof Strings]>> = {
  auto: ["◐", "theme_auto"],
  light: ["☀", "theme_light"],
  dark: ["☾", "theme_dark"],
};

/** Sets the page's colours at once, so that they never change after the first paint. */
export function themeButton(strings: Strings): HTMLButtonElement {
  const sign = el("span", { "aria-hidden": "true" });
  const button = el("button", { type: "button", class: "button round theme" }, sign);
  let theme = THEMES.find((one) => one === stored("theme")) ?? "auto";
  const show = (): void => {
    document.documentElement.dataset.theme = theme;
    const [look, label] = LOOKS[theme];
    setText(sign, look);
    button.setAttribute("aria-label", strings[label]);
    button.title = strings[label];
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    store("theme", theme);
    show();
  });
  show();
  return button;
}
