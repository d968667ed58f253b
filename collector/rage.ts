/** Optional: clicks of frustration. Rage: several at one spot in quick succession. Dead: on a control, and nothing happens. */
import { on } from "./guard.ts";

/** Three within a second, about a fingertip apart. A double click is two. */
const RAGE_CLICKS = 3;
const RAGE_MS = 1_000;
const RAGE_PIXELS = 30;
/** A control that has not stirred in this time looks broken: https://www.nngroup.com/articles/response-times-3-important-limits/ */
const DEAD_MS = 2_000;

const CONTROL = "button,a[href],[role=button],input[type=submit],input[type=button],summary";
/** Their effect is out of the page's sight: another tab, a download, another program. */
const ELSEWHERE = "[target],[download],[href^='mailto:'],[href^='tel:']";

const report = (name: string, element: Element): void =>
  window.rivulet?.(name, {
    props: { tag: element.localName, id: element.getAttribute("id") ?? "" },
    interactive: false,
  });

let first: MouseEvent | undefined;
let count = 0;
let dead = 0;

const unanswered = (control: Element): void => {
  answered();
  report("dead_click", control);
};

/** Whatever happened, the page has answered the last click. */
const answered = (): void => {
  clearTimeout(dead);
  changes.disconnect();
};
// Looks only while an answer is awaited.
const changes = new MutationObserver(answered);

on("click", (event: MouseEvent) => {
  const { target, timeStamp, clientX, clientY } = event;
  const isSameSpot =
    first &&
    timeStamp - first.timeStamp < RAGE_MS &&
    Math.hypot(clientX - first.clientX, clientY - first.clientY) < RAGE_PIXELS;
  if (!isSameSpot) {
    first = event;
    count = 0;
  }
  // Exactly then, so that a long fit of rage is one.
  if (++count === RAGE_CLICKS) report("rage_click", target as Element);

  answered();
  const control = (target as Element).closest(CONTROL);
  if (!control || control.matches(ELSEWHERE)) return;
  dead = setTimeout(unanswered, DEAD_MS, control);
  changes.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
});
on("scroll input change submit focusin popstate hashchange pagehide visibilitychange blur", answered);
