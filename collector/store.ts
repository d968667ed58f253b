/** Text that outlives the page where the browser allows it, and only lives as long as the page where not. */
/** `localStorage` used as the plain object it also is, so that an ordinary object can stand in for it. */
export let store: Record<string, string> = {};

// Storage may be blocked, or this a sandboxed frame: then even naming it throws. Some in-app browsers have null here.
try {
  store = localStorage || store;
} catch {}

/** A text that nobody else makes, and that sorts by the time of making. */
// biome-ignore lint/style/useTemplate: six bytes
export const uniqueId = (): string => Date.now() + "" + Math.random();
