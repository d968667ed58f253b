/** Events by the value of one of their properties, which the viewer chooses from those that were ever sent. */
import { aboutSite } from "./api.ts";
import type { Body, PanelContext } from "./body.ts";
import type { Tab } from "./breakdowns.ts";
import { el, options } from "./dom.ts";
import { questionOf, rowsBody } from "./rowsbody.ts";
import type { View } from "./view.ts";

/** `pick` runs with the dimension and the value chosen; `changed` when another property is to be asked for. */
export function propertiesBody(
  first: View,
  rows: number,
  pick: (dimension: string, value: string) => void,
  changed: () => void,
): Body {
  const { strings } = first;
  let key = "";
  let known = "";
  const select = el("select", { class: "field", "aria-label": strings.property });
  const list = rowsBody(strings.properties, rows - 1, pick);
  select.addEventListener("change", () => {
    key = select.value;
    changed();
  });

  async function learn({ site }: PanelContext): Promise<void> {
    const { properties } = await aboutSite(site);
    // New ones come while the page is open.
    const keys = JSON.stringify(properties);
    if (keys === known) return;
    known = keys;
    select.replaceChildren(...options(properties));
    if (!properties.includes(key)) key = properties[0] ?? "";
    select.value = key;
    select.hidden = properties.length === 0;
  }

  const own = (tab: Tab): Tab => ({ ...tab, dimension: `event:props:${key}` });
  return {
    node: el("div", { class: "properties" }, el("div", { class: "one-row" }, select), list.node),
    async fill(context, tab) {
      await learn(context);
      if (key === "") {
        list.clear(tab);
        return { message: strings.noProperties };
      }
      const filled = await list.fill(context, own(tab));
      return { ...filled, all: questionOf(own(tab)) };
    },
    clear: (tab) => list.clear(tab),
  };
}
