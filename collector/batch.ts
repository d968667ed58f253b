/** Gathers events for about a second, so that a busy page costs few requests. */
import type { WireEvent } from "../processors/model/event.ts";
import { guard } from "./guard.ts";
import type { Page } from "./page.ts";
import { deliver } from "./queue.ts";
import { dataset } from "./settings.ts";

const GATHER_MS = 1_000;
/** A batch of this length is closed. With one more event it is still far below the limit of `send.ts`. */
const FULL_CHARS = 8_000;

let events: string[] = [];
let chars = 0;
/** The page that the batch itself names; events of another one name their own. */
let first: Page;
let timer = 0;

/** Adds one event of `page`; it is written down at once, so that later changes to its objects do not show. */
export function add(event: WireEvent, page: Page): void {
  if (!events.length) first = page;
  const text = JSON.stringify({ t: Date.now(), ...event, ...(page !== first && page) });
  events.push(text);
  chars += text.length;
  if (chars > FULL_CHARS) flush();
  else timer = timer || setTimeout(guard(flush), GATHER_MS);
}

/** Sends what has gathered, under an id that stays with it through every attempt. */
export function flush(): void {
  clearTimeout(timer);
  timer = 0;
  if (!events.length) return;
  const head = JSON.stringify({
    s: dataset.site,
    b: crypto.getRandomValues(new Uint32Array(4)).join(""),
    c: { ...first, w: innerWidth, l: navigator.language },
  });
  const batch = `${head.slice(0, -1)},"e":[${events}],"t":`;
  discard();
  deliver(batch);
}

export function discard(): void {
  events = [];
  chars = 0;
}
