/** Wires the page: the URL's state, the live poll and the questions feed the parts. The only module that knows them all. */
import { type State, unreadable } from "./address.ts";
import { alertNotice } from "./alerts.ts";
import type { LiveAnswer, Site } from "./answers.ts";
import { ApiError, csvAddress, sites, useShareLink } from "./api.ts";
import { compareSelect } from "./compare.ts";
import { button, el, setText } from "./dom.ts";
import { FILTER_KEY, filterBar } from "./filterbar.ts";
import { filtersOf, toggled } from "./filters.ts";
import { formatter } from "./format.ts";
import { header } from "./header.ts";
import { fill, languageFor } from "./i18n/strings.ts";
import { liveStrip } from "./live.ts";
import { COMPARE_KEY, CUSTOM_KEY, RANGE_KEYS, rangeMenu, STEP_KEYS } from "./menu.ts";
import { numbersArea } from "./numbers.ts";
import { type PanelArea, panelArea } from "./panels.ts";
import { apiRange, buckets, intervalsOf, RANGES, rangeBetween, resolve, shifted } from "./period.ts";
import { pollLive } from "./poll.ts";
import { presence } from "./presence.ts";
import { readingText } from "./progress.ts";
import { refresher } from "./refresher.ts";
import { refusal } from "./refusal.ts";
import { metricsOf } from "./report.ts";
import { openShare } from "./share.ts";
import { shortcuts } from "./shortcuts.ts";
import { urlState } from "./state.ts";
import { themeButton } from "./theme.ts";
import type { View } from "./view.ts";
import { welcome } from "./welcome.ts";

/** Between tries to learn which sites there are, while the server is away. */
const RETRY_MS = 1_000;
/** Of the headline before panels and live strip: to build and ask for them first would be in its way. */
const HEAD_START_MS = 150;

const query = new URLSearchParams(location.search);
const isEmbedded = location.pathname.startsWith("/embed/");
useShareLink(location.search);
/** Asked before the page is built, which takes as long. A frame of another site must show nothing without a link. */
let asked = isEmbedded && !query.has("share") ? undefined : sites();
asked?.catch(() => {});
const { strings, locale } = languageFor(location.search, navigator.languages);
document.documentElement.lang = locale;

let known: readonly Site[] = [];
let view: View = { strings, format: formatter(locale, "UTC") };
let live: LiveAnswer | undefined;
let signature = "";
/** Viewer's clock minus the server's: "today" is what the server says it is. */
let clockSkew = 0;
let stopPolling: (() => void) | undefined;
let panels: PanelArea | undefined;
let nextFrame = 0;
let isLeaving = false;

const state = urlState(stateChanged);

// --- parts and layout ---------------------------------------------------------------------------------------------

const strip = liveStrip(view, failure);
const numbers = numbersArea(view, {
  metric: (metric) => state.set({ metric }),
  interval: (interval) => state.set({ interval }),
  zoom,
});
const filters = filterBar(strings, (wanted) => state.set({ filters: wanted }));
const notice = alertNotice();
const leftOut = el("p", { class: "alerts", role: "status" });
const empty = welcome(strings);
const menu = rangeMenu(strings, (range) => state.set({ range, interval: undefined }), step);
const share = button("button share-button", strings.share, () => {
  const site = currentSite();
  if (site) openShare(site.site_id, chartCsv(site), numbers.meta, view);
});
const compare = compareSelect(strings, (chosen) => state.set({ compare: chosen }));
const help = button("button round", "?", () => keys.openHelp(), {
  "aria-label": strings.help,
  title: strings.help,
});
const report = el("div", { class: "numbers" }, filters.node, ...numbers.nodes);
const main = el("main", { id: "main" }, leftOut, notice.node, strip.node, empty.node, report);
const light = presence(view, main);
const top = header(
  strings,
  light.node,
  [filters.add, compare.node, menu.node, share, themeButton(strings), help],
  (site) => state.set({ site, filters: [] }),
);
document.body.append(el("a", { href: "#main", class: "skip" }, strings.skip), top.node, main);
// Nothing is shown before it can be right, so that nothing has to move when it is: until then its card is empty.
for (const part of [empty.node, report]) part.hidden = true;

document.documentElement.classList.toggle("embed", isEmbedded);
document.documentElement.classList.toggle("clear", isEmbedded && query.has("transparent"));
document.documentElement.classList.toggle("wall", query.has("wall"));
const keys = shortcuts(strings, [
  ...RANGES.map((range) => ({
    key: RANGE_KEYS[range],
    label: strings[range],
    run: () => state.set({ range, interval: undefined }),
  })),
  { key: CUSTOM_KEY, label: strings.custom, run: () => menu.openCustom() },
  {
    key: COMPARE_KEY,
    label: strings.compareHint,
    run: () => state.set({ compare: state.current.compare === "off" ? "previous" : "off" }),
  },
  { key: FILTER_KEY, label: strings.filter, run: () => filters.add.click() },
  { key: STEP_KEYS.back, label: strings.stepBack, run: () => step(-1) },
  { key: STEP_KEYS.forth, label: strings.stepForth, run: () => step(1) },
]);

// --- state --------------------------------------------------------------------------------------------------------

/** Undefined for one that is not here: another's numbers in its place would be taken for its own. */
const currentSite = (): Site | undefined =>
  known.find(({ site_id }) => site_id === (state.current.site || site_id));

const serverNow = (): number => (live ? Math.max(live.now, Date.now() - clockSkew) : Date.now());

/** Goes one period back or forth, where there is one. */
function step(by: -1 | 1): void {
  const site = currentSite();
  const range = site && shifted(state.current.range, by, serverNow(), site.time_zone);
  if (range) state.set({ range });
}

/** Narrows to a stretch of the site's clock, unless the server has nothing finer of it to show. */
function zoom(from: number, to: number): void {
  const site = currentSite();
  if (!site) return;
  const range = rangeBetween(from, to);
  const period = resolve(range, serverNow(), site.time_zone)!;
  const [finest = "hour"] = intervalsOf(period, serverNow());
  if (buckets(period, finest, site.time_zone).length > 1) state.set({ range, interval: undefined });
}

/** Runs it when the next frame is on screen. Returns what cancels it until then. */
const afterFrame = (run: () => void): number => requestAnimationFrame(() => setTimeout(run));

function stateChanged(next: State, before: State): void {
  if (next.site !== before.site) {
    useSite();
    return;
  }
  showState();
  const same = (["range", "compare", "interval", "filters"] as const).every(
    (key) => JSON.stringify(next[key]) === JSON.stringify(before[key]),
  );
  if (same) return;
  // Old numbers under a new heading would lie: they fade until the new ones are here.
  report.classList.add("pending");
  // What was pressed is on screen first: a dozen questions take longer to ask than a frame has.
  refresh.stop();
  cancelAnimationFrame(nextFrame);
  nextFrame = afterFrame(refresh.now);
}

function showState(): void {
  const unknown = unreadable(location.search);
  setText(leftOut, unknown.length > 0 ? fill(strings.leftOut, { what: unknown.join(", ") }) : "");
  leftOut.hidden = unknown.length === 0;
  const { range, metric } = state.current;
  const zone = currentSite()?.time_zone ?? "UTC";
  const canGo = (by: -1 | 1): boolean => shifted(range, by, serverNow(), zone) !== undefined;
  menu.show(range, { back: canGo(-1), forth: canGo(1) }, view);
  compare.show(state.current.compare);
  numbers.choose(metric);
  filters.show(state.current.filters, view);
}

/** Starts over with the site of the state: new poll, new formats, nothing shown of the site before. */
function useSite(): void {
  const site = currentSite();
  stopPolling?.();
  stopPolling = undefined;
  refresh.stop();
  live = undefined;
  signature = "";
  top.sites(
    known.map(({ site_id }) => site_id),
    site?.site_id ?? state.current.site,
  );
  numbers.clear();
  empty.node.hidden = report.hidden = true;
  report.classList.add("blank");
  if (!site) {
    const wanted = state.current.site;
    strip.say(fill(strings.noSites, { site: wanted && ` ${wanted}` }));
    return;
  }
  view = { strings, format: formatter(locale, site.time_zone) };
  // The headline's questions go out before all others.
  refresh.now();
  document.title = `${site.site_id} · Rivulet`;
  empty.show(site.site_id, location.origin);
  strip.use(site.site_id, site.time_zone, view);
  showState();
}

// --- live ---------------------------------------------------------------------------------------------------------

function liveAnswer(answer: LiveAnswer): void {
  live = answer;
  clockSkew = Date.now() - answer.now;
  const isEmpty = !answer.has_events;
  empty.node.hidden = !isEmpty;
  report.hidden = isEmpty;
  const { minutes, latest } = answer;
  const next = JSON.stringify([minutes, latest[0], answer.current_visitors, answer.has_events]);
  const changed = next !== signature;
  signature = next;
  alive();
  // What was final when it was answered has not changed, whatever happens now; but at midnight "today" is another range.
  const site = currentSite();
  const wanted = site && resolve(state.current.range, answer.now, site.time_zone);
  const finalTo = numbers.meta?.complete_until ?? 0;
  const isOver = wanted && wanted.end <= finalTo && wanted.start === numbers.period?.start;
  if (changed && !isEmpty && !isOver) refresh.soon();
}

function alive(): void {
  // Also where nothing changed: a refusal may stand in its place.
  if (live) strip.update(live, numbers.meta);
  if (light.alive(view)) refresh.now();
}

function failure(error: unknown): void {
  if (!(error instanceof ApiError)) throw error;
  // Who came by a share link has no account here.
  if (error.signIn && !query.has("share")) {
    // Each time would begin the way there anew, and on a slow line none would end.
    if (!isLeaving)
      location.replace(`${error.signIn}?back=${encodeURIComponent(location.pathname + location.search)}`);
    isLeaving = true;
    return;
  }
  const since = light.lastAnswerAt;
  light.gone(error.away, view);
  if (!error.away || error.status === 429) strip.say(refusal(error, strings));
  else if (since === undefined) strip.say(strings.awayNever);
  else strip.say(fill(strings.away, { time: view.format.clock(since - clockSkew) }));
}

// --- questions ----------------------------------------------------------------------------------------------------

const refresh = refresher(ask, failure);

/** What stands around the headline: once for the page and once for each site. */
function complete(site: Site): PanelArea {
  if (!panels) {
    panels = panelArea(
      view,
      (dimension, value) => state.set({ filters: toggled(state.current.filters, dimension, value) }),
      failure,
    );
    report.append(panels.node);
  }
  if (!stopPolling) {
    stopPolling = pollLive(site.site_id, { answer: liveAnswer, unchanged: alive, failure });
    notice.use(site.site_id, view);
  }
  return panels;
}

async function ask(signal: AbortSignal): Promise<void> {
  const site = currentSite();
  if (!site || (live && !live.has_events)) return;
  const now = serverNow();
  const question = {
    ...state.current,
    site: site.site_id,
    timeZone: site.time_zone,
    dateRange: apiRange(state.current.range, now, site.time_zone),
    now,
  };
  let headStart = (): void => {};
  const first = new Promise<void>((resolve) => {
    headStart = resolve;
    setTimeout(resolve, HEAD_START_MS);
  });
  await Promise.all([
    numbers.load(
      question,
      view,
      signal,
      (done) => filters.say(readingText(done, view)),
      () => {
        filters.say("");
        report.hidden = live?.has_events === false;
        report.classList.remove("pending", "blank");
        if (live) strip.update(live, numbers.meta);
        // It answered: should it go before the first live answer, these numbers are known to be of now.
        else light.alive(view);
        afterFrame(headStart);
      },
    ),
    first.then(() => (signal.aborted ? undefined : complete(site).refresh(question, view, signal))),
  ]);
}

/** The chart's numbers and the headline's metrics, by the chart's own buckets. */
function chartCsv({ site_id, time_zone }: Site): string {
  const { range, filters: conditions } = state.current;
  return csvAddress({
    site_id,
    date_range: apiRange(range, serverNow(), time_zone),
    metrics: metricsOf(conditions),
    dimensions: [numbers.interval ? `time:${numbers.interval}` : "time"],
    filters: filtersOf(conditions),
  });
}

// --- start --------------------------------------------------------------------------------------------------------

async function start(): Promise<void> {
  if (!asked) return strip.say(strings.embedNeedsShare);
  try {
    known = await asked;
    useSite();
  } catch (error) {
    failure(error);
    setTimeout(() => {
      asked = sites();
      void start();
    }, RETRY_MS);
  }
}

showState();
void start();
