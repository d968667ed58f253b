/** What the rules of a site find wrong now, in a line each above the numbers. Asks once a minute; knows only the client and the DOM. */
import { alerts } from "./api.ts";
import { el, setText } from "./dom.ts";
import { alertText, ongoing } from "./ongoing.ts";
import type { View } from "./view.ts";

const EVERY_MS = 60_000;

export interface AlertNotice {
  readonly node: HTMLElement;
  /** Starts over with this site. */
  use(site: string, view: View): void;
}

/** A server without alerts, or one that is away, shows none: the page says elsewhere that it is away. */
export function alertNotice(): AlertNotice {
  const node = el("div", { class: "alerts", role: "status" });
  node.hidden = true;
  let timer: ReturnType<typeof setInterval> | undefined;
  let asked = 0;
  const show = async (site: string, view: View): Promise<void> => {
    const mine = ++asked;
    const recent = await alerts(site).catch(() => undefined);
    if (!recent || mine !== asked) return;
    const lines = ongoing(recent).map((alert) => alertText(alert, view, Date.now()));
    // Nothing is touched where nothing changed: a screen reader would say it again each minute.
    setText(node, lines.join("\n"));
    node.hidden = lines.length === 0;
  };
  return {
    node,
    use(site, view) {
      clearInterval(timer);
      setText(node, "");
      node.hidden = true;
      void show(site, view);
      timer = setInterval(() => void show(site, view), EVERY_MS);
    },
  };
}
