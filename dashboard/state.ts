/** What the viewer chose, kept in the URL's query so that links, reload and the back button carry it; knows no data. */
import { parseState, printState, type State } from "./address.ts";

export interface StateStore {
  readonly current: State;
  set(change: Partial<State>): void;
}

/** The page's one state; `changed` runs after every change, also after back and forward. */
export function urlState(changed: (now: State, before: State) => void): StateStore {
  let current = parseState(location.search);
  const become = (next: State): void => {
    const before = current;
    current = next;
    changed(next, before);
  };
  addEventListener("popstate", () => become(parseState(location.search)));
  return {
    get current() {
      return current;
    },
    set(change) {
      const next = { ...current, ...change };
      const search = printState(next, location.search);
      // What is chosen again is no step to go back.
      if (search !== location.search) history.pushState(null, "", location.pathname + search);
      become(next);
    },
  };
}
