/** Whether the server is there: the light in the header, and the fading of numbers that nobody confirms. Asks nothing itself. */
import { el, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";

export interface Presence {
  readonly node: HTMLElement;
  /** When the server last answered, epoch ms by the viewer's clock. */
  readonly lastAnswerAt: number | undefined;
  /** The server answered. True when it had been away. */
  alive(): boolean;
  /** It did not, or refused. */
  gone(isAway: boolean): void;
}

/** `main` gets the class `stale` while nothing in it is confirmed. */
export function presence(strings: Strings, main: HTMLElement): Presence {
  const node = el("p", { class: "light", role: "status" }, strings.connecting);
  node.hidden = true;
  let lastAnswerAt: number | undefined;
  let isAway = false;

  function show(state: "live" | "stale"): void {
    node.hidden = false;
    setText(node, strings[state]);
    node.dataset.state = state;
    main.classList.toggle("stale", state === "stale");
  }

  return {
    node,
    get lastAnswerAt() {
      return lastAnswerAt;
    },
    alive() {
      const wasAway = isAway;
      isAway = false;
      lastAnswerAt = Date.now();
      show("live");
      return wasAway;
    },
    gone(away) {
      isAway ||= away;
      show("stale");
    },
  };
}
