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
  let shown = "";

  return {
    node,
    show(site, origin) {
      shown = site;
      let all = snippets(site, origin);
      let chosen = all[0]!.name;
      const choose = (name: string): void => {
        chosen = name;
        line.show(all.find((one) => one.name === chosen)?.code ?? "");
        for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.textContent === chosen));
      };
      tabs.replaceChildren(...all.map(({ name }) => button("", name, () => choose(name))));
      choose(chosen);
      setText(text, fill(strings.welcomeText, { site }));
      const look = async (): Promise<void> => {
        const about = await check.look(site);
        if (!(about?.report_to || about?.script_at) || shown !== site) return;
        all = snippets(site, origin, about);
        choose(chosen);
      };
      void look();
      clearInterval(timer);
      timer = setInterval(() => {
        if (!node.hidden && !document.hidden) void look();
      }, LOOK_MS);
    },
  };
}
