/** What the page's author set on the script tag, and whether we may count here at all. */
import { store } from "./store.ts";

/** Read while the script runs: `currentScript` is null in every later callback. */
const script = document.currentScript as HTMLScriptElement;
export const { dataset } = script;

/** Where batches go: beside the script, unless `data-api` names another place. */
export const api = dataset.api || new URL("/v1/events", script.src).href;
/** `data-hash`: the fragment is part of the address, as in old single-page routers. */
export const countsHash = "hash" in dataset;

type Privacy = Navigator & { globalPrivacyControl?: boolean };

/** Keeps the visitor's own choice. */
export const choose = (yes: boolean): void => {
  store.rivulet = yes ? "1" : "0";
};

/**
 * The visitor's choice wins over the browser's privacy signals; developers' machines and robots
 * count only where the tag asks for it (`data-local`, `data-automation`).
 */
export const isAllowed = (): boolean | number =>
  ("local" in dataset || !/^(localhost|127\.|\[::1|$)/.test(location.hostname)) &&
  ("automation" in dataset || !navigator.webdriver) &&
  (store.rivulet
    ? +store.rivulet
    : !(navigator as Privacy).globalPrivacyControl && navigator.doNotTrack !== "1");
