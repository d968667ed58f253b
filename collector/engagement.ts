/** Attention paid to the current page: time in view, in focus and in use, and how far down it went. */
import { add } from "./batch.ts";
import { on } from "./guard.ts";

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
let timer: number | undefined;

const tick = (): void => {
  const now = performance.now();
  engagedMs += +isEngaged && Math.min(now - seenAt, IDLE_MS);
  seenAt = now;
  isEngaged = !document.hidden && document.hasFocus();
};

const measure = (): void => {
  timer = 0;
  deepest = Math.max(deepest, scrollY + innerHeight);
};

/** Call once. */
export const watchEngagement = (): void => {
  on("focus blur visibilitychange pointermove pointerdown keydown scroll", ({ type }) => {
    tick();
    if (type === "scroll") timer = timer || setTimeout(measure, SETTLE_MS);
  });
};

/** A new page view begins. */
export const resetEngagement = (): void => {
  tick();
  engagedMs = deepest = reported = 0;
};

/** Reports the time since the last report (ms) and the deepest scroll of this page view (percent), if there is anything new. */
export const reportEngagement = (): void => {
  tick();
  measure();
  const ms = engagedMs;
  const sd = (deepest / document.documentElement.scrollHeight) * 100;
  if (ms < MIN_MS && sd <= reported) return;
  engagedMs = 0;
  reported = sd;
  add("engagement", { ms, sd });
};
