/** Wires the page: the URL's state, the live poll and the report feed the parts. The only module that knows them all. */
import { ApiError, type LiveAnswer, query, type Site, sites, useShareLink } from "./api.ts";
import { chart } from "./chart.ts";
import { el, setText } from "./dom.ts";
import { formatter } from "./format.ts";
import { headline, isMetric } from "./headline.ts";
import { fill, languageFor } from "./i18n/strings.ts";
import { liveStrip } from "./live.ts";
import { COMPARE_KEY, CUSTOM_KEY, RANGE_KEYS, rangeMenu } from "./menu.ts";
import { type Ask, dimensionLabel, PANELS, type Panel, panel, valueLabel } from "./panel.ts";
import { apiRange, RANGES } from "./period.ts";
import { pollLive } from "./poll.ts";
import { type Report, reportLoader } from "./report.ts";
import { shortcuts } from "./shortcuts.ts";
import { type State, urlState } from "./state.ts";
import type { View } from "./view.ts";
import { welcome } from "./welcome.ts";

/** Refreshes start at most this often; a slow server is asked no more than half of the time. */
const REFRESH_MS = 1_000;

useShareLink(location.search);
const { strings, locale } = languageFor(location.search, navigator.languages);
document.documentElement.lang = locale;

let known: readonly Site[] = [];
let view: View = { strings, format: formatter(locale, "UTC") };
let live: LiveAnswer | undefined;
let signature = "";
let report: Report | undefined;
/** The server has answered the report's question, be it with a refusal: there is something to show. */
let hasAnswer = false;
let lastAnswerAt: number | undefined;
let isAway = false;
let stopPolling = (): void => {};
let loading = new AbortController();
let refreshTimer: ReturnType<typeof setTimeout> | undefined;
let isLoading = false;
let wantsMore = false;
const load = reportLoader();

const state = urlState(stateChanged);

// --- parts and layout ---------------------------------------------------------------------------------------------

const strip = liveStrip(view);
const tiles = headline(view, (metric) => state.set({ metric }));
const graph = chart(view);
const empty = welcome(strings);
const menu = rangeMenu(strings, (range) => state.set({ range }));
const panels = PANELS.map((definition) =>
  panel(definition, view, {
    pick: (focus) => {
      const same =
        state.current.focus?.dimension === focus.dimension && state.current.focus.value === focus.value;
      state.set({ focus: same ? undefined : focus });
    },
    changed: (one) => void refreshPanel(one),
    refusal: (failure) => (failure instanceof ApiError && !failure.away ? failure.message : undefined),
  }),
);

const siteName = el("h1", {});
const siteSelect = el("select", { "aria-label": strings.site });
const compareBox = el("input", { type: "checkbox", role: "switch" });
const compareLabel = el(
  "label",
  { class: "switch", title: strings.compareHint },
  compareBox,
  strings.compare,
);
const light = el("p", { class: "light", role: "status" }, strings.connecting);
const helpButton = el(
  "button",
  { type: "button", class: "button round", "aria-label": strings.help, title: strings.help },
  "?",
);
const focusText = el("span", {});
const unfocus = el(
  "button",
  { type: "button", class: "chip", title: strings.unfocus },
  focusText,
  el("span", { "aria-hidden": "true" }, "×"),
);
const focusBar = el("p", { class: "focus-bar" }, unfocus);
const notice = el("p", { class: "notice card", role: "alert" });
const zone = el("p", { class: "quiet zone" });
const numbers = el(
  "div",
  { class: "numbers" },
  focusBar,
  notice,
  tiles.node,
  graph.node,
  el("div", { class: "panels" }, ...panels.map(({ node }) => node)),
  zone,
);
const main = el("main", { id: "main" }, strip.node, empty.node, numbers);
const logo = el("img", { src: "/icon.svg", alt: "", width: "28", height: "28" });
document.body.append(
  el("a", { href: "#main", class: "skip" }, strings.skip),
  el(
    "header",
    { class: "top" },
    el("div", { class: "brand" }, logo, siteName, siteSelect, light),
    el("div", { class: "controls" }, compareLabel, menu.node, helpButton),
  ),
  main,
);
// Nothing is shown before it can be right, so that nothing has to move when it is.
for (const part of [light, empty.node, numbers, siteSelect, focusBar, notice]) part.hidden = true;

unfocus.addEventListener("click", () => state.set({ focus: undefined }));
siteSelect.addEventListener("change", () => state.set({ site: siteSelect.value, focus: undefined }));
compareBox.addEventListener("change", () => state.set({ compare: compareBox.checked }));
const keys = shortcuts(strings, [
  ...RANGES.map((range) => ({
    key: RANGE_KEYS[range],
    label: strings[range],
    run: () => state.set({ range }),
  })),
  { key: CUSTOM_KEY, label: strings.custom, run: () => menu.openCustom() },
  { key: COMPARE_KEY, label: strings.compareHint, run: () => state.set({ compare: !state.current.compare }) },
]);
helpButton.addEventListener("click", () => keys.openHelp());

// --- state --------------------------------------------------------------------------------------------------------

const currentSite = (): Site | undefined =>
  known.find(({ site_id }) => site_id === state.current.site) ?? known[0];
const now = (): number => (live ? Math.max(live.now, Date.now() - clockSkew) : Date.now());
/** Viewer's clock minus the server's: "today" is what the server says it is. */
let clockSkew = 0;

function stateChanged(next: State, before: State): void {
  if (next.site !== before.site) {
    useSite();
    return;
  }
  showState();
  if (next.metric !== before.metric) showReport();
  const same = (["range", "compare", "focus"] as const).every(
    (key) => JSON.stringify(next[key]) === JSON.stringify(before[key]),
  );
  if (same) return;
  // Old numbers under a new heading would lie: they fade until the new ones are here.
  numbers.classList.add("pending");
  refresh({ atOnce: true });
}

function showState(): void {
  const { range, compare, metric, focus } = state.current;
  menu.show(range, view);
  compareBox.checked = compare;
  tiles.select(metric);
  focusBar.hidden = focus === undefined;
  if (focus) {
    const dimension = dimensionLabel(focus.dimension, strings);
    setText(
      focusText,
      fill(strings.focused, { dimension, value: valueLabel(focus.dimension, focus.value, view) }),
    );
  }
}

/** Starts over with the site of the state: new poll, new formats, nothing shown of the site before. */
function useSite(): void {
  const site = currentSite();
  stopPolling();
  loading.abort();
  live = report = undefined;
  hasAnswer = false;
  signature = "";
  if (!site) {
    strip.say(strings.noSites);
    return;
  }
  view = { strings, format: formatter(locale, site.time_zone) };
  document.title = fill(strings.title, { site: site.site_id });
  setText(siteName, site.site_id);
  siteName.classList.toggle("visually-hidden", known.length > 1);
  siteSelect.hidden = known.length < 2;
  siteSelect.replaceChildren(...known.map(({ site_id }) => el("option", { value: site_id }, site_id)));
  siteSelect.value = site.site_id;
  setText(zone, fill(strings.zone, { zone: site.time_zone }));
  empty.show(site.site_id, location.origin);
  strip.use(view);
  tiles.clear();
  empty.node.hidden = numbers.hidden = true;
  showState();
  stopPolling = pollLive(site.site_id, { answer: liveAnswer, unchanged: alive, failure });
  refresh({ atOnce: true });
}

// --- live ---------------------------------------------------------------------------------------------------------

function liveAnswer(answer: LiveAnswer): void {
  live = answer;
  clockSkew = Date.now() - answer.now;
  strip.update(answer);
  const isEmpty = !answer.has_events;
  empty.node.hidden = !isEmpty;
  numbers.hidden = isEmpty || !hasAnswer;
  const { minutes, latest } = answer;
  const next = JSON.stringify([minutes, latest[0], answer.current_visitors, answer.has_events]);
  const changed = next !== signature;
  signature = next;
  alive();
  // A range that ended before today cannot have changed, whatever happens now.
  const isOver = report?.period && report.period.end < answer.now;
  if (changed && !isEmpty && !isOver) refresh();
}

function alive(): void {
  const recovered = isAway;
  lastAnswerAt = Date.now();
  isAway = false;
  light.hidden = false;
  setText(light, strings.live);
  light.dataset.state = "live";
  main.classList.remove("stale");
  if (!recovered) return;
  if (live) strip.update(live);
  refresh({ atOnce: true });
}

function failure(error: ApiError): void {
  light.hidden = false;
  setText(light, strings.stale);
  light.dataset.state = "stale";
  main.classList.add("stale");
  if (!error.away) {
    strip.say(fill(strings.failed, { message: error.message }));
    return;
  }
  isAway = true;
  strip.say(
    lastAnswerAt === undefined
      ? strings.awayNever
      : fill(strings.away, { time: view.format.clock(lastAnswerAt) }),
  );
}

// --- report and panels --------------------------------------------------------------------------------------------

const askIn =
  (signal: AbortSignal): Ask =>
  (dimension, metrics, limit) =>
    query(
      {
        site_id: currentSite()?.site_id ?? "",
        metrics,
        date_range: apiRange(state.current.range),
        dimensions: [dimension],
        pagination: { limit, offset: 0 },
      },
      signal,
    );

async function refreshPanel(one: Panel): Promise<void> {
  try {
    await one.refresh(askIn(new AbortController().signal), view, state.current.focus);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    failure(error);
  }
}

/** Asks again, soon and never twice at the same time; `atOnce` drops what is under way, because it is for another question. */
function refresh({ atOnce = false } = {}): void {
  if (atOnce) {
    loading.abort();
    clearTimeout(refreshTimer);
    isLoading = false;
    refreshTimer = undefined;
    return void run();
  }
  // While one runs, or pauses after it, the wish is kept and served next.
  wantsMore = true;
  if (!isLoading && refreshTimer === undefined) void run();
}

async function run(): Promise<void> {
  refreshTimer = undefined;
  const site = currentSite();
  if (!site || (live && !live.has_events)) return;
  loading = new AbortController();
  const { signal } = loading;
  const began = performance.now();
  isLoading = true;
  wantsMore = false;
  try {
    const { range, compare, focus } = state.current;
    const question = { site: site.site_id, timeZone: site.time_zone, range, compare, focus, now: now() };
    const ask = askIn(signal);
    await Promise.all([loadReport(question, signal), ...panels.map((one) => one.refresh(ask, view, focus))]);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    failure(error);
  } finally {
    if (!signal.aborted) {
      isLoading = false;
      const pause = Math.max(REFRESH_MS - (performance.now() - began), performance.now() - began);
      refreshTimer = setTimeout(() => {
        refreshTimer = undefined;
        if (wantsMore) void run();
      }, pause);
    }
  }
}

async function loadReport(question: Parameters<typeof load>[0], signal: AbortSignal): Promise<void> {
  try {
    const next = await load(question, signal);
    if (signal.aborted) return;
    report = next;
    notice.hidden = true;
    showReport();
  } catch (error) {
    if (!(error instanceof ApiError) || error.away) throw error;
    report = undefined;
    tiles.update(new Map(), undefined, {}, view);
    graph.clear();
    setText(notice, fill(strings.failed, { message: error.message }));
    notice.hidden = false;
  }
  hasAnswer = true;
  numbers.hidden = live?.has_events === false;
  numbers.classList.remove("pending");
}

function showReport(): void {
  if (!report) return;
  const { metric } = state.current;
  tiles.update(report.numbers, report.before, report.errors, view);
  const series = report.series(isMetric(metric) ? metric : "visitors");
  tiles.select(series.metric);
  graph.update(series, view);
}

// --- start --------------------------------------------------------------------------------------------------------

async function start(): Promise<void> {
  try {
    known = await sites();
    useSite();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    failure(error);
    setTimeout(start, REFRESH_MS);
  }
}

showState();
void start();
