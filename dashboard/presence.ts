/** Whether the server is there: the light in the header, and the fading of numbers that nobody confirms. Asks nothing itself. */
import { el, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

export interface Presence {
  readonly node: HTMLElement;
  /** When the server last answered, epoch ms by the viewer's clock. */
  readonly lastAnswerAt: number | undefined;
  /** The server answered. True when it had been away. */
  alive(view: View): boolean;
  /** It did not, or refused. */
  gone(isAway: boolean, view: View): void;
}

/** `main` gets the class `stale` while nothing in it is confirmed. */
export function presence({ strings }: View, main: HTMLElement): Presence {
  const node = el("p", { class: "light", role: "status" }, strings.connecting);
  node.hidden = true;
  let lastAnswerAt: number | undefined;
  let isAway = false;

  function show(state: "live" | "stale", { format }: View): void {
    node.hidden = false;
    const age = lastAnswerAt === undefined ? undefined : Date.now() - lastAnswerAt;
    const isOld = state === "stale" && age !== undefined;
    setText(node, isOld ? fill(strings.staleFor, { age: format.age(age) }) : strings[state]);
    node.dataset.state = state;
    main.classList.toggle("stale", state === "stale");
  }

  return {
    node,
    get lastAnswerAt() {
      return lastAnswerAt;
    },
    alive(view) {
      const wasAway = isAway;
      isAway = false;
      lastAnswerAt = Date.now();
      show("live", view);
      return wasAway;
    },
    gone(away, view) {
      isAway ||= away;
      show("stale", view);
    },
  };
}
