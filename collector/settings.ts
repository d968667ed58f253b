/** What the page's author set on the script tag, and whether we may count here at all. */
import { store } from "./store.ts";

/** Read while the script runs: `currentScript` is null in every later callback. */
export const { dataset, src } = document.currentScript as HTMLScriptElement;

/** Where batches go: to the script's origin, unless `data-api` names another place. A script inside of the page has no `src`. */
export const api = dataset.api || new URL("/v1/events", src || (location as never));

type Privacy = Navigator & { globalPrivacyControl?: boolean };

/** Addresses of the machine that the browser runs on. `[` begins `[::1]`, and `file:///` has a slash where others have a host. */
const isHere = (url: unknown): boolean => /^\w+:..(localhost|127[\d.]+|\[.*|)[:/]/.test(url as string);

/**
 * The visitor's choice wins over the browser's privacy signals. Developers' machines and robots count only where the
 * tag asks for it (`data-local`), or where the server runs on the same machine: then somebody is trying it out.
 */
export const isAllowed = (): boolean | number =>
  ("local" in dataset || isHere(api) || !(isHere(location) || navigator.webdriver)) &&
  // "0", chosen, is a true text and a false number; so is "unspecified" as a signal.
  +(store.rivulet || !((navigator as Privacy).globalPrivacyControl || +navigator.doNotTrack!));
