/** What the page's author set on the script tag, and whether we may count here at all. */
import { store } from "./store.ts";

/** Read while the script runs: `currentScript` is null in every later callback. */
export const { dataset, src } = document.currentScript as HTMLScriptElement;

/** An address of a file or path beside the script. */
export const beside = (path: string): string => new URL(path, src) as never;

/** Where batches go: beside the script, unless `data-api` names another place. */
export const api = dataset.api || beside("/v1/events");
/** `data-hash`: the fragment is part of the address, as in old single-page routers. */
export const countsHash = "hash" in dataset;

type Privacy = Navigator & { globalPrivacyControl?: boolean };

/** Addresses of the machine that the browser runs on. `[` begins `[::1]`, and `file:///` has a slash where others have a host. */
const isHere = (url: unknown): boolean => /^\w+:..(localhost|127\.|\[|\/)/.test(url as string);

/**
 * The visitor's choice wins over the browser's privacy signals. Developers' machines and robots count only where the
 * tag asks for it (`data-local`), or where the server runs on the same machine: then somebody is trying it out.
 */
export const isAllowed = (): boolean | number =>
  ("local" in dataset || isHere(api) || !(isHere(location) || navigator.webdriver)) &&
  // "0", chosen, is a true text and a false number; so is "unspecified" as a signal.
  +(store.rivulet || !((navigator as Privacy).globalPrivacyControl || +navigator.doNotTrack!));
