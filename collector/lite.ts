/**
 * The script tag where every byte counts: page views, single-page navigation and custom events, retried for as long as
 * the page lives. No engagement, no clicks, and nothing waits for the next page.
 */
import type { WireContext, WireEvent } from "../processors/model/event.ts";
import type { Call, EventOptions, Rivulet } from "./calls.ts";
import { guard, on } from "./guard.ts";
import { watchHistory } from "./history.ts";
import { page, path, scrub } from "./page.ts";
import { api, dataset, isAllowed } from "./settings.ts";
import { store, uniqueId } from "./store.ts";

const FIRST_DELAY_MS = 1_000;
/** Some 17 minutes after the first attempt the page is most likely forgotten. */
const LAST_DELAY_MS = 600_000;

const context: WireContext = { l: navigator.language };
const waiting: Call[] = [];
let shownPath: string;
let isStarted: boolean | undefined;

const deliver = async (batch: string, delayMs: number): Promise<void> => {
  try {
    // Not after the visitor has said no. Else as in send.ts; a batch of one event is never too long for keepalive.
    const { status } = (isStarted &&
      (await fetch(api, {
        method: "POST",
        // Each attempt says when it was made.
        body: `{"t":${Date.now()},${batch.slice(1)}`,
        credentials: "omit",
        keepalive: true,
      }))) as Response;
    // As `status !== 429`, in two bytes less.
    if (status < 500 && status - 429) return;
  } catch {}
  // Jitter, so that all the visitors of a site do not return in the same second after an outage.
  if (delayMs < LAST_DELAY_MS) setTimeout(deliver, delayMs * (0.5 + Math.random()), batch, delayMs * 2);
};

const add = (n: string, rest?: Partial<WireEvent>): void => {
  deliver(
    JSON.stringify({
      k: 1,
      s: dataset.site,
      b: uniqueId(),
      c: context,
      e: [{ n, t: Date.now(), ...page, ...rest }],
    }),
    FIRST_DELAY_MS,
  );
};

const view = (referrer: string): void => {
  shownPath = path(location);
  page.u = scrub(location);
  page.r = referrer;
  add("pageview");
};

/** Only a page that is seen counts: not a prerendered one, not a tab that is never opened. */
const start = (): void => {
  if (isStarted || document.hidden || !isAllowed()) return;
  isStarted = true;
  view(document.referrer && scrub(new URL(document.referrer)));
  waiting.splice(0).map(replay);
};

/** Right after the next frame, which only a page in view has: what is read there is there, so no reflow is forced. */
const look = (): void =>
  new ResizeObserver((_, observer) => {
    observer.disconnect();
    context.w = innerWidth;
    start();
  }).observe(document.documentElement);

const track = guard((...call: Call) => {
  const [name, { props, revenue, interactive } = {} as EventOptions] = call;
  if (isStarted) add(name, { p: props, $: revenue, i: interactive });
  else if (isAllowed()) waiting.push(call);
}) as Rivulet;
const replay = (call: Call): void => track(...call);

track.consent = guard((yes) => {
  isStarted = false;
  store.rivulet = `${+yes}`;
  start();
});

const stub = window.rivulet;
// A second tag on the page must not count twice.
if (!stub?.consent) {
  track.q = { push: replay };
  window.rivulet = track;
  (stub?.q as Call[] | undefined)?.map(replay);
  watchHistory(() => {
    if (isStarted && path(location) !== shownPath) view(page.u);
  });
  on("visibilitychange", look);
  look();
}
