/** Tells when a single-page application shows another page; whether it is one is the listener's business. */
import { guard, on } from "./guard.ts";

/** Calls `moved` after every change of the address that loads no document. */
export function watchNavigation(moved: () => void): void {
  const tell = guard(moved);
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (...given) {
      original.apply(this, given); // throws what it always threw
      tell();
    };
  }
  on("popstate hashchange", moved);
}
