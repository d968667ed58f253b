/** What the page calls, and what it shows. */
import { add } from "./batch.ts";
import type { Call, EventOptions, Rivulet } from "./calls.ts";
import { reportEngagement, resetEngagement } from "./engagement.ts";
import { guard } from "./guard.ts";
import { allowedParams, page, path, scrub } from "./page.ts";
import { isAllowed } from "./settings.ts";

/** Whether this page has been seen and its visitor has nothing against it. */
export let isStarted: boolean | undefined;
let shownPath: string;
/** Calls that came before. */
const waiting: Call[] = [];

/** What the page calls. */
export const track = guard((...call: Call) => {
  const [name, { props, revenue, interactive, ...rest } = {} as EventOptions] = call;
  if (isStarted) add(name, { p: props, $: revenue, i: interactive, ...rest });
  else if (isAllowed()) waiting.push(call);
}) as Rivulet;

export const replay = (call: Call): void => track(...call);

/** A page is shown: the first one, another one, or the same one again. */
export const view = (referrer: string): void => {
  shownPath = path(location);
  page.u = scrub(location);
  page.r = referrer;
  resetEngagement();
  add("pageview", { p: allowedParams() });
};

/** The same document shows another page than before, if its path says so. */
export const move = (): void => {
  if (!isStarted || path(location) === shownPath) return;
  reportEngagement();
  view(page.u);
};

type Navigation = PerformanceEntry & { responseStatus?: number };

export const begin = (): void => {
  isStarted = true;
  view(document.referrer && scrub(new URL(document.referrer)));
  if ((performance.getEntries()[0] as Navigation | undefined)?.responseStatus === 404)
    add("404", { i: false });
  waiting.splice(0).map(replay);
};

export const end = (): void => {
  isStarted = false;
};
