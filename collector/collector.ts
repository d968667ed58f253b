/** The script tag: page views, events and engagement of one page, told to the site's own server and to nobody else. */
import type { WireEvent } from "../processors/model/event.ts";
import { add, discard, flush } from "./batch.ts";
import { watchClicks } from "./clicks.ts";
import { resetEngagement, takeEngagement, watchEngagement } from "./engagement.ts";
import { guard, isVisible, on } from "./guard.ts";
import { watchNavigation } from "./navigation.ts";
import { type Page, path, scrub } from "./page.ts";
import { forget, resume } from "./queue.ts";
import { choose, isAllowed } from "./settings.ts";

export interface EventOptions {
  /** Flat: strings, numbers, booleans. */
  props?: WireEvent["p"];
  revenue?: WireEvent["$"];
  /** false: does not end a bounce. */
  interactive?: boolean;
}
export interface Rivulet {
  /** Counts a custom event on the current page. Never throws. */
  (name: string, options?: EventOptions): void;
  /** The visitor's lasting choice: false stops and forgets what is not sent yet, true counts in spite of privacy signals. */
  consent(yes: boolean): void;
  /** Where the stub puts calls made before the script had loaded. */
  q: { push(call: Call): void };
}
type Call = [name: string, options?: EventOptions];
declare global {
  interface Window {
    rivulet?: Rivulet;
  }
}

const stub = (window.rivulet || {}) as Partial<Rivulet>;
/** Calls that came before the page was seen. */
const waiting = (stub.q || []) as Call[];
let isStarted = false;
let shownPath: string;
let page: Page;

const send = (name: string, { props, revenue, interactive }: EventOptions = {}): void =>
  add({ n: name, p: props, $: revenue, i: interactive }, page);

const track = guard((...call: Call) => {
  if (isStarted) send(...call);
  else if (isAllowed()) waiting.push(call);
}) as Rivulet;

const replay = (call: Call): void => track(...call);

function view(referrer: string): void {
  shownPath = path();
  page = { u: scrub(location.href), r: referrer };
  resetEngagement();
  send("pageview");
}

function report(): void {
  const engagement = takeEngagement();
  if (engagement) add({ n: "engagement", ...engagement }, page);
}

/** Only a page that is seen counts: not a prerendered one, not a tab that is never opened. */
function start(): void {
  if (isStarted || !isVisible() || !isAllowed()) return;
  isStarted = true;
  view(scrub(document.referrer));
  waiting.splice(0).forEach(replay);
  flush();
  resume();
}

track.consent = guard((yes) => {
  choose(yes);
  if (yes) return start();
  isStarted = false;
  discard();
  forget();
});

// A second tag on the page must not count twice.
if (!stub.consent) {
  // Calls through a copy of the stub still end up here.
  track.q = { push: replay };
  window.rivulet = track;
  if (!isAllowed()) waiting.length = 0; // nobody agreed to these
  watchEngagement();
  watchClicks(track);
  watchNavigation(() => {
    if (!isStarted || path() === shownPath) return;
    report();
    view(page.u);
  });
  // Whichever way it changed: a page that has just come into view has nothing new to report.
  on("pagehide visibilitychange", () => {
    if (isStarted) {
      report();
      flush();
    }
    start();
  });
  // Back from the back/forward cache: the visitor sees the page anew, though nothing has loaded.
  on("pageshow", (event) => {
    if (isStarted && (event as PageTransitionEvent).persisted) view(page.r);
  });
  start();
}
