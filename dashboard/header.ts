/** The bar at the top: which site, whether it is live, and the controls. Knows no data. */
import { el, options, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";

export interface Header {
  readonly node: HTMLElement;
  /** Names the site shown, and the others that could be. */
  sites(ids: readonly string[], current: string): void;
}

/** With more sites than this a list is scrolled, and typing a part of the name is faster. */
const LISTED_SITES = 12;

/** `light` and `controls` are made elsewhere; `pick` runs with the site that the viewer chose. */
export function header(
  strings: Strings,
  light: HTMLElement,
  controls: readonly HTMLElement[],
  pick: (site: string) => void,
): Header {
  const name = el("h1", {});
  const select = el("select", { "aria-label": strings.site });
  const search = el("input", {
    type: "search",
    class: "site-search",
    list: "sites",
    "aria-label": strings.findSite,
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = el("datalist", { id: "sites" });
  select.hidden = search.hidden = true;
  let known: readonly string[] = [];
  let shown = "";

  select.addEventListener("change", () => pick(select.value));
  search.addEventListener("focus", () => {
    // An empty field offers all sites; the one shown stays readable behind it.
    search.placeholder = shown;
    search.value = "";
  });
  search.addEventListener("blur", () => {
    search.value = shown;
  });
  search.addEventListener("input", () => {
    if (!known.includes(search.value) || search.value === shown) return;
    shown = search.value;
    search.blur();
    pick(shown);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || search.value === "") return;
    const found = known.find((id) => id.toLowerCase().indexOf(search.value.toLowerCase()) >= 0);
    if (!found) return;
    shown = found;
    search.blur();
    pick(found);
  });

  const logo = el("img", { src: "/icon.svg", alt: "", width: "28", height: "28" });
  return {
    node: el(
      "header",
      { class: "top" },
      el("div", { class: "brand" }, logo, name, select, search, list, light),
      el("div", { class: "controls" }, ...controls),
    ),
    sites(ids, current) {
      known = ids;
      shown = current;
      const isLong = ids.length > LISTED_SITES;
      setText(name, current);
      const isOnly = ids.every((id) => id === current);
      name.classList.toggle("visually-hidden", !isOnly);
      select.hidden = isOnly || isLong;
      search.hidden = !isLong;
      (isLong ? list : select).replaceChildren(...options(ids));
      select.value = search.value = current;
    },
  };
}
