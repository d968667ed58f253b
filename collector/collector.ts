/** The script tag: page views, events and engagement of one page, told to the site's own server and to nobody else. */
import { discard, flush, identify } from "./batch.ts";
import type { Call, Rivulet } from "./calls.ts";
import { watchClicks } from "./clicks.ts";
import { reportEngagement, watchEngagement } from "./engagement.ts";
import { begin, end, isStarted, move, track, view } from "./events.ts";
import { guard, on } from "./guard.ts";
import { watchHistory } from "./history.ts";
import { page } from "./page.ts";
import { drain, forget } from "./queue.ts";
import { beside, dataset, isAllowed } from "./settings.ts";
import { store } from "./store.ts";

const stub = window.rivulet as (Rivulet & { q?: Call[] }) | undefined;
const replay = (call: Call): void => track(...call);

/** Only a page that is seen counts: not a prerendered one, not a tab that is never opened. */
const start = (): void => {
  if (isStarted || document.hidden || !isAllowed()) return;
  begin();
  drain();
  dataset.with?.split(" ").map((file) => import(beside(file)).catch(start)); // which has nothing left to do
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
  on("pagehide visibilitychange", () => {
    if (isStarted) {
      reportEngagement();
      flush();
    }
    start();
  });
  // Another document of the site keeps something: most likely one that was just left, and cannot send it any more.
  on("storage", drain);
  // Back from the back/forward cache: the visitor sees the page anew, though nothing has loaded.
  on("pageshow", ({ persisted }: PageTransitionEvent) => {
    if (isStarted && persisted) view(page.r);
  });
  start();
}
