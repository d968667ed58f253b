/** Attention paid to the current page: time in view, in focus and in use, and how far down it went. */
import { add, context, flush } from "./batch.ts";
import { on } from "./guard.ts";

/** After this long without a sign of life the visitor counts as gone; a screen of text is read in about that. */
const IDLE_MS = 60_000;

/** Less than this waits for the next report: hiding a page is told twice (hidden, pagehide) a few milliseconds apart. */
const MIN_MS = 100;

let engagedMs = 0;
let seenAt = 0;
/** A boolean, and 0 or 1 where it is added. */
let isEngaged: unknown;
let deepest = 0;
let reported = 0;
/** Of the whole page; what has not been laid out yet has no depth. */
let height = 1;

/** Runs right after the browser has laid out a frame, so that what it reads is there and no reflow is forced. */
const observer = new ResizeObserver(() => {
  // One that stays would be told of what the page's own observers change, and of that browsers tell the page in an error.
  observer.disconnect();
  height = document.documentElement.scrollHeight;
  deepest = Math.max(scrollY + innerHeight, deepest);
  // The first page view waits for this frame, and not for what else may happen in its second.
  if (!context.w) setTimeout(flush);
  context.w = innerWidth;
});

const tick = (): void => {
  const now = performance.now();
  engagedMs += (isEngaged && Math.min(now - seenAt, IDLE_MS)) as number;
  seenAt = now;
  isEngaged = !document.hidden && document.hasFocus();
};

const look = (): void => {
  tick();
  // How far down the page is: known with the next frame.
  observer.observe(document.documentElement);
};

/** Call once. */
export const watchEngagement = (): void => {
  // A click moves nothing by itself, and an observer costs more than all else of one: what it opens is measured when the
  // pointer moves or the page scrolls there. Whether the page is in view is asked whenever it is told to report.
  on("focus blur pointerdown", tick);
  // `load` comes with the page and each of its images: it may have grown.
  on("pointermove keydown scroll load", look);
};

/** A new page view begins. */
export const resetEngagement = (): void => {
  look();
  engagedMs = deepest = reported = 0;
};

/** Reports the time since the last report (ms) and the deepest scroll of this page view (percent), if there is anything new. */
export const reportEngagement = (): void => {
  tick();
  const sd = (deepest / height) * 100;
  if (engagedMs < MIN_MS && sd <= reported) return;
  add("engagement", { ms: engagedMs, sd });
  // Nor does what is left of a page that is being left: until the next sign of life nobody is there.
  isEngaged = engagedMs = 0;
  reported = sd;
};
