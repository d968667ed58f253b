/** The bar at the top: which site, whether it is live, and the controls. Knows no data. */
import { el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";

export interface Header {
  readonly node: HTMLElement;
  /** Names the site shown, and the others that could be. */
  sites(ids: readonly string[], current: string): void;
}

/** `light` and `controls` are made elsewhere; `pick` runs with the site that the viewer chose. */
export function header(
  strings: Strings,
  light: HTMLElement,
  controls: readonly HTMLElement[],
  pick: (site: string) => void,
): Header {
  const name = el("h1", {});
  const select = el("select", { "aria-label": strings.site });
  select.hidden = true;
  select.addEventListener("change", () => pick(select.value));
  const logo = el("img", { src: "/icon.svg", alt: "", width: "28", height: "28" });
  return {
    node: el(
      "header",
      { class: "top" },
      el("div", { class: "brand" }, logo, name, select, light),
      el("div", { class: "controls" }, ...controls),
    ),
    sites(ids, current) {
      setText(name, current);
      name.classList.toggle("visually-hidden", ids.length > 1);
      select.hidden = ids.length < 2;
      select.replaceChildren(...ids.map((id) => el("option", { value: id }, id)));
      select.value = current;
    },
  };
}
