/** The script tag: page views, events and engagement of one page, told to the site's own server and to nobody else. */
import { discard, flush, identify } from "./batch.ts";
import type { Call, Rivulet } from "./calls.ts";
import { watchClicks } from "./clicks.ts";
import { reportEngagement, watchEngagement } from "./engagement.ts";
import { begin, end, isStarted, move, replay, track, view } from "./events.ts";
import { guard, on } from "./guard.ts";
import { watchHistory } from "./history.ts";
import { page } from "./page.ts";
import { forget } from "./queue.ts";
import { dataset, isAllowed, src } from "./settings.ts";
import { store } from "./store.ts";

const stub = window.rivulet as (Rivulet & { q?: Call[] }) | undefined;

/** Only a page that is seen counts: not a prerendered one, not a tab that is never opened. */
const start = (): void => {
  if (isStarted || document.hidden || !isAllowed()) return;
  begin();
  dataset.with?.split(" ").map((file) => import(new URL(file, src) as never).catch(start)); // which has nothing left to do
  identify(); // comes last, because it may throw
};

// A second tag on the page must not count twice.
if (!stub?.consent) {
  // Calls through a copy of the stub still end up here.
  track.q = { push: replay };
  track.consent = guard((yes) => {
    if (!yes) {
      end();
      discard();
      forget();
    }
    store.rivulet = `${+yes}`;
    start(); // does nothing after a no
  });
  window.rivulet = track;
  stub?.q?.map(replay);
  watchEngagement();
  watchClicks();
  watchHistory(move);
  // Whichever way it changed: a page that has just come into view has nothing new to report.
  on("pageswap pagehide visibilitychange", ({ activation }: PageSwapEvent) => {
    if (isStarted) {
      // It goes to another page of this origin (https://html.spec.whatwg.org/#the-pageswapevent-interface), which takes the
      // report along if the store lasts: an ordinary object that stands in for it has no methods. Events do not wait.
      if (activation) flush();
      reportEngagement();
      flush(activation && store.getItem);
    }
    start();
  });
  // Back from the back/forward cache: the visitor sees the page anew, though nothing has loaded.
  on("pageshow", ({ persisted }: PageTransitionEvent) => {
    if (isStarted && persisted) view(page.r);
  });
  start();
}
