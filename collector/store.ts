/** Text that outlives the page where the browser allows it, and only lives as long as the page where not. */

/** `localStorage` used as the plain object it also is, so that an ordinary object can stand in for it. */
export const store: Record<string, string> = (() => {
  try {
    return localStorage || {};
  } catch {
    return {}; // storage blocked, or a sandboxed frame: even naming it throws
  }
})();
