/**
 * The collector for bundlers: puts the script tag into the page, and keeps calls until the script has loaded. Nothing
 * happens on import, and nothing at all where there is no page (server-side rendering).
 */

/** What `page.ts` masks in the addresses that the browser shows. */
const SECRET = /@|%40|(?=[^\W_]*\d)[^\W_]{20}|[\da-fA-F-]{20}/;

/** The visitor's word from before the script has loaded, where the browser stores nothing: it holds for the page. */
let choice;

/** Where a page's policy asks for trusted types it names those that it allows: ours is `rivulet`. */
function trusted(address) {
  try {
    const policy = window.trustedTypes.createPolicy("rivulet", { createScriptURL: (one) => one });
    return policy.createScriptURL(address);
  } catch {
    return address; // there are no such types, or none of ours
  }
}

/** Calls wait in the stub that the collector looks for when it starts. */
function call(...given) {
  if (typeof document === "undefined") return;
  window.rivulet ??= Object.assign((...one) => window.rivulet.q.push(one), { q: [] });
  window.rivulet(...given);
}

export function init({ site, url, script = "/c.js", ingest, before, ...options }) {
  if (typeof document === "undefined") return;
  const src = new URL(script, url).href;
  // By its address or our mark, because other products have tags with a data-site too.
  if ([...document.scripts].some((other) => other.src === src || "rivulet" in other.dataset)) return;
  const tag = document.createElement("script");
  tag.async = true;
  const { dataset } = tag;
  dataset.rivulet = "";
  dataset.site = site;
  if (ingest) dataset.api = new URL(ingest, url).href;
  for (const flag of ["hash", "local"]) if (options[flag]) dataset[flag] = "";
  if (options.identity) dataset.identity = options.identity;
  if (options.params) dataset.params = options.params.join(" ");
  if (options.with) dataset.with = options.with.map((name) => `${name}.js`).join(" ");
  if (before) {
    window.rivuletBefore = before;
    dataset.before = "rivuletBefore";
  }
  // Right after the script: nothing has gone out by then.
  tag.onload = () => choice === undefined || window.rivulet?.consent?.(choice);
  try {
    tag.src = trusted(src);
  } catch {
    return; // The browser has told its console. A page does not fail for want of numbers.
  }
  document.head.append(tag);
}

export function track(name, options) {
  call(name, options);
}

export function page(path) {
  if (typeof document === "undefined") return;
  const { origin, pathname } = new URL(path ?? "", location.href);
  const masked = pathname.replace(/[^/?&=]+/g, (part) => (SECRET.test(part) ? "*" : part));
  call("pageview", path === undefined ? undefined : { u: origin + masked });
}

export function consent(yes) {
  if (typeof document === "undefined") return;
  if (window.rivulet?.consent) window.rivulet.consent(yes);
  else {
    try {
      localStorage.rivulet = yes ? "1" : "0"; // where the collector looks
    } catch {
      choice = yes;
    }
  }
}
