/** A funnel: how many visitors go through the steps in order, and where they leave. Defined in the page, kept on the server. */
import type { Funnel } from "./answers.ts";
import { aboutSite, funnel } from "./api.ts";
import type { Body } from "./body.ts";
import { button, el, options } from "./dom.ts";
import type { View } from "./view.ts";

export interface FunnelActions {
  /** Opens the editor of a site's. */
  edit(site: string): void;
  /** Another funnel is to be shown. */
  changed(): void;
}

export function funnelsBody(first: View, actions: FunnelActions): Body {
  const { strings } = first;
  const select = el("select", { class: "field", "aria-label": strings.funnels });
  const list = el("ol", { class: "funnel" });
  let site = "";
  const edit = button("link", strings.editFunnels, () => actions.edit(site));
  edit.hidden = select.hidden = true;
  select.addEventListener("change", () => actions.changed());

  function choices(funnels: readonly Funnel[]): Funnel | undefined {
    const names = funnels.map(({ name }) => name);
    if (JSON.stringify(names) !== select.dataset.names) {
      const kept = select.value;
      select.dataset.names = JSON.stringify(names);
      select.replaceChildren(...options(names));
      if (names.includes(kept)) select.value = kept;
    }
    select.hidden = funnels.length === 0;
    return funnels.find(({ name }) => name === select.value) ?? funnels[0];
  }

  return {
    node: el("div", { class: "funnels" }, el("div", { class: "one-row" }, select, edit), list),
    async fill(context) {
      const { funnels, may_write } = await aboutSite(context.site);
      ({ site } = context);
      edit.hidden = !may_write;
      const chosen = choices(funnels);
      if (!chosen) {
        list.replaceChildren();
        return { message: strings.noFunnels };
      }
      // Whole visits go through a funnel: what narrows single events cannot narrow it.
      if (context.conditions.some(({ dimension }) => !/^visit:(?!exit_page)/.test(dimension))) {
        list.replaceChildren();
        return { message: strings.funnelFilters };
      }
      const { format } = context.view;
      const answer = await funnel(context.question, chosen.steps, context.signal, context.progress);
      // Another funnel may have been chosen meanwhile, and answered sooner.
      if (select.value !== chosen.name) return { message: "" };
      const top = Math.max(1, answer.steps[0]?.visitors ?? 0);
      list.replaceChildren(
        ...answer.steps.map(({ label, visitors, conversion_rate, drop_off }, i) => {
          const bar = el("i", { class: "share", "aria-hidden": "true" });
          bar.style.transform = `scaleX(${visitors / top})`;
          const rate = format.metric("conversion_rate", conversion_rate);
          const lost = i > 0 && drop_off > 0 ? `−${format.count(drop_off)}` : "";
          return el(
            "li",
            {},
            bar,
            el("span", { class: "text" }, label),
            el("span", { class: "quiet" }, lost),
            el("b", {}, format.count(visitors)),
            el("span", { class: "rate" }, rate),
          );
        }),
      );
      return { meta: answer.meta, message: "" };
    },
    clear: () => list.replaceChildren(),
  };
}
