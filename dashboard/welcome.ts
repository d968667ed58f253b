/** What a site without any event shows: what to paste, that somebody is watching, and what is wrong if nothing comes. */
import { copyLine } from "./copy.ts";
import { button, el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";
import { installCheck } from "./install.ts";
import { snippets } from "./snippets.ts";

export interface Welcome {
  readonly node: HTMLElement;
  /** Also begins to look for what is wrong, until it is hidden. */
  show(site: string, origin: string): void;
}

const LOOK_MS = 3_000;

export function welcome(strings: Strings): Welcome {
  const text = el("p", {});
  const line = copyLine(strings, strings.snippet);
  const tabs = el("div", { class: "tabs", role: "group", "aria-label": strings.snippet });
  const check = installCheck(strings);
  const node = el(
    "section",
    { class: "card welcome" },
    el("h2", {}, el("span", { class: "pulse", "aria-hidden": "true" }), strings.welcome),
    text,
    tabs,
    line.node,
    el("p", { class: "quiet" }, strings.welcomeCheck),
    check.node,
  );
  let timer: ReturnType<typeof setInterval> | undefined;

  return {
    node,
    show(site, origin) {
      const all = snippets(site, origin);
      const choose = (chosen: string): void => {
        line.show(all.find(({ name }) => name === chosen)?.code ?? "");
        for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.textContent === chosen));
      };
      tabs.replaceChildren(...all.map(({ name }) => button("", name, () => choose(name))));
      choose(all[0]!.name);
      setText(text, fill(strings.welcomeText, { site }));
      void check.look(site);
      clearInterval(timer);
      timer = setInterval(() => {
        if (!node.hidden && !document.hidden) void check.look(site);
      }, LOOK_MS);
    },
  };
}
