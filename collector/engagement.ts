/** Attention paid to the current page: time in view, in focus and in use, and how far down it went. */
import { guard, isVisible, on } from "./guard.ts";

/** After this long without a sign of life the visitor counts as gone; a screen of text is read in about that. */
const IDLE_MS = 60_000;
/** Layout is read this long after a scroll and never in its handler, where it could force a reflow. */
const SETTLE_MS = 200;

/** Less than this waits for the next report: hiding a page is told twice (hidden, pagehide) a few milliseconds apart. */
const MIN_MS = 100;

let engagedMs = 0;
let seenAt = 0;
let isEngaged = false;
let deepest = 0;
let reported = 0;
let timer = 0;

function tick(): void {
  const now = performance.now();
  if (isEngaged) engagedMs += Math.min(now - seenAt, IDLE_MS);
  seenAt = now;
  isEngaged = isVisible() && document.hasFocus();
}

function measure(): void {
  timer = 0;
  deepest = Math.max(deepest, scrollY + innerHeight);
}

/** Call once. */
export function watchEngagement(): void {
  on("focus blur visibilitychange pointermove pointerdown keydown scroll", (event) => {
    tick();
    if (event.type === "scroll") timer = timer || setTimeout(guard(measure), SETTLE_MS);
  });
}

/** A new page view begins. */
export function resetEngagement(): void {
  tick();
  engagedMs = deepest = reported = 0;
}

/** Time since the last report (ms) and deepest scroll of this page view (percent), if there is anything new. */
export function takeEngagement(): { ms: number; sd: number } | undefined {
  tick();
  measure();
  const ms = Math.round(engagedMs);
  const sd = Math.min(100, Math.round((deepest / document.documentElement.scrollHeight) * 100));
  if (ms < MIN_MS && sd <= reported) return;
  engagedMs = 0;
  reported = sd;
  return { ms, sd };
}
