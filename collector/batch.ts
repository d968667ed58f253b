/** Gathers events for about a second, so that a busy page costs few requests. */
import type { WireContext, WireEvent } from "../processors/model/event.ts";
import { page } from "./page.ts";
import { deliver, leave } from "./queue.ts";
import { dataset } from "./settings.ts";
import { store, uniqueId } from "./store.ts";

const GATHER_MS = 1_000;
/** A batch of this length is closed. With one more event it is still far below the limit of `send.ts`. */
const FULL_CHARS = 8_000;
/** A page that reports in an endless loop: after a burst of 600 events only ten a second. */
const BURST_MS = 60_000;
const EVENT_MS = 100;

/** What every batch says. The viewport's width comes with the first frame: asking for it earlier can force a reflow. */
export const context: WireContext = { l: navigator.language };

let identity: string | undefined;
let events: WireEvent[] = [];
let refused = 0;
/** Moves on by EVENT_MS with every event, at most BURST_MS behind the clock; who has come up to the clock waits. */
let spentUntil = 0;

/** `data-before` names it: a global function of the page that may edit an event, and drops it by returning nothing. */
type Hook = (event: WireEvent) => WireEvent | undefined;

/** Adds an event on the page that is shown, unless the page's own `before` drops it; later changes to its objects do not show. */
export const add = (n: string, rest: Partial<WireEvent>): void => {
  const t = Date.now();
  const event = ((window as unknown as Record<string, Hook>)[dataset.before!] || (Object as Hook))({
    n,
    t,
    ...page,
    ...rest,
  });
  if (event)
    if (spentUntil > t) refused++;
    else {
      spentUntil = Math.max(spentUntil, t - BURST_MS) + EVENT_MS;
      if (!events.length) setTimeout(flush, GATHER_MS);
      events.push(JSON.parse(JSON.stringify(event)));
      if (JSON.stringify(events)[FULL_CHARS] || document.hidden) flush();
    }
};

/** Sends what has gathered, under an id that stays with it through every attempt; or leaves it to the next page. */
export const flush = (isLeft?: unknown): void => {
  if (events.length) {
    (isLeft ? leave : deliver)({
      k: 2,
      s: dataset.site!,
      b: uniqueId(),
      v: identity,
      c: context,
      e: events,
      d: refused,
    });
    discard();
  }
};

/** With `data-identity`, finds or makes the visitor's lasting id. Throws where the store is full: then there is none. */
export const identify = (): void => {
  if (dataset.identity === "local") identity = store.rivuletId ||= uniqueId();
};

export const discard = (): void => {
  events = [];
  refused = 0;
};
