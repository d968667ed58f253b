/** Tells when a single-page application may show another page; whether it does is the listener's business. */
import { guard, on } from "./guard.ts";

/** Calls `moved` after every change of the address that loads no document. */
export const watchHistory = (moved: (nothing?: unknown) => void): void => {
  // biome-ignore lint/suspicious/useIterableCallbackReturn: a phrase used again costs nothing once it is compressed
  "pushState replaceState".split(" ").map((name) => {
    const original = history[name as "pushState"];
    // Outside of the guard: it throws what it always threw.
    history[name as "pushState"] = (...given) => guard(moved)(original.apply(history, given));
  });
  on("popstate hashchange", moved);
};
