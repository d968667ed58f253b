/** Wires the page: the URL's state, the live poll and the questions feed the parts. The only module that knows them all. */
import { ApiError, type LiveAnswer, type Site, sites, useShareLink } from "./api.ts";
import { el, setText } from "./dom.ts";
import { filterBar } from "./filterbar.ts";
import { formatter } from "./format.ts";
import { header } from "./header.ts";
import { fill, languageFor } from "./i18n/strings.ts";
import { liveStrip } from "./live.ts";
import { COMPARE_KEY, CUSTOM_KEY, RANGE_KEYS, rangeMenu } from "./menu.ts";
import { numbersArea } from "./numbers.ts";
import { panelArea } from "./panels.ts";
import { RANGES } from "./period.ts";
import { pollLive } from "./poll.ts";
import { presence } from "./presence.ts";
import { refresher } from "./refresher.ts";
import { shortcuts } from "./shortcuts.ts";
import { type State, urlState } from "./state.ts";
import type { View } from "./view.ts";
import { welcome } from "./welcome.ts";

/** Between tries to learn which sites there are, while the server is away. */
const RETRY_MS = 1_000;

useShareLink(location.search);
const { strings, locale } = languageFor(location.search, navigator.languages);
document.documentElement.lang = locale;

let known: readonly Site[] = [];
let view: View = { strings, format: formatter(locale, "UTC") };
let live: LiveAnswer | undefined;
let signature = "";
/** Viewer's clock minus the server's: "today" is what the server says it is. */
let clockSkew = 0;
let stopPolling = (): void => {};

const state = urlState(stateChanged);

// --- parts and layout ---------------------------------------------------------------------------------------------

const strip = liveStrip(view);
const numbers = numbersArea(view, (metric) => state.set({ metric }));
const panels = panelArea(
  view,
  (focus) => {
    const { current } = state;
    const same = current.focus?.dimension === focus.dimension && current.focus.value === focus.value;
    state.set({ focus: same ? undefined : focus });
  },
  failure,
);
const filters = filterBar(strings, () => state.set({ focus: undefined }));
const empty = welcome(strings);
const menu = rangeMenu(strings, (range) => state.set({ range }));
const compareBox = el("input", { type: "checkbox", role: "switch" });
const compare = el("label", { class: "switch", title: strings.compareHint }, compareBox, strings.compare);
const help = el(
  "button",
  { type: "button", class: "button round", "aria-label": strings.help, title: strings.help },
  "?",
);
const zone = el("p", { class: "quiet zone" });
const report = el("div", { class: "numbers" }, filters.node, ...numbers.nodes, panels.node, zone);
const main = el("main", { id: "main" }, strip.node, empty.node, report);
const light = presence(strings, main);
const top = header(strings, light.node, [compare, menu.node, help], (site) =>
  state.set({ site, focus: undefined }),
);
document.body.append(el("a", { href: "#main", class: "skip" }, strings.skip), top.node, main);
// Nothing is shown before it can be right, so that nothing has to move when it is.
for (const part of [empty.node, report]) part.hidden = true;

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
help.addEventListener("click", () => keys.openHelp());

// --- state --------------------------------------------------------------------------------------------------------

const currentSite = (): Site | undefined =>
  known.find(({ site_id }) => site_id === state.current.site) ?? known[0];

function stateChanged(next: State, before: State): void {
  if (next.site !== before.site) {
    useSite();
    return;
  }
  showState();
  const same = (["range", "compare", "focus"] as const).every(
    (key) => JSON.stringify(next[key]) === JSON.stringify(before[key]),
  );
  if (same) return;
  // Old numbers under a new heading would lie: they fade until the new ones are here.
  report.classList.add("pending");
  refresh.now();
}

function showState(): void {
  const { range, metric, focus } = state.current;
  menu.show(range, view);
  compareBox.checked = state.current.compare;
  numbers.choose(metric);
  filters.show(focus, view);
}

/** Starts over with the site of the state: new poll, new formats, nothing shown of the site before. */
function useSite(): void {
  const site = currentSite();
  stopPolling();
  refresh.stop();
  live = undefined;
  signature = "";
  if (!site) {
    strip.say(strings.noSites);
    return;
  }
  view = { strings, format: formatter(locale, site.time_zone) };
  document.title = fill(strings.title, { site: site.site_id });
  top.sites(
    known.map(({ site_id }) => site_id),
    site.site_id,
  );
  setText(zone, fill(strings.zone, { zone: site.time_zone }));
  empty.show(site.site_id, location.origin);
  strip.use(view);
  numbers.clear();
  empty.node.hidden = report.hidden = true;
  showState();
  stopPolling = pollLive(site.site_id, { answer: liveAnswer, unchanged: alive, failure });
  refresh.now();
}

// --- live ---------------------------------------------------------------------------------------------------------

function liveAnswer(answer: LiveAnswer): void {
  live = answer;
  clockSkew = Date.now() - answer.now;
  strip.update(answer);
  const isEmpty = !answer.has_events;
  empty.node.hidden = !isEmpty;
  report.hidden = isEmpty || !numbers.hasAnswer;
  const { minutes, latest } = answer;
  const next = JSON.stringify([minutes, latest[0], answer.current_visitors, answer.has_events]);
  const changed = next !== signature;
  signature = next;
  alive();
  // A range that ended before today cannot have changed, whatever happens now.
  const isOver = numbers.period && numbers.period.end < answer.now;
  if (changed && !isEmpty && !isOver) refresh.soon();
}

function alive(): void {
  if (!light.alive()) return;
  if (live) strip.update(live);
  refresh.now();
}

function failure(error: unknown): void {
  if (!(error instanceof ApiError)) throw error;
  const since = light.lastAnswerAt;
  light.gone(error.away);
  if (!error.away) strip.say(fill(strings.failed, { message: error.message }));
  else if (since === undefined) strip.say(strings.awayNever);
  else strip.say(fill(strings.away, { time: view.format.clock(since) }));
}

// --- questions ----------------------------------------------------------------------------------------------------

const refresh = refresher(ask, failure);

async function ask(signal: AbortSignal): Promise<void> {
  const site = currentSite();
  if (!site || (live && !live.has_events)) return;
  const { range, compare, focus } = state.current;
  const now = live ? Math.max(live.now, Date.now() - clockSkew) : Date.now();
  const question = { site: site.site_id, timeZone: site.time_zone, range, compare, focus, now };
  await Promise.all([
    numbers.load(question, view, signal).then(() => {
      if (signal.aborted) return;
      report.hidden = live?.has_events === false;
      report.classList.remove("pending");
    }),
    panels.refresh(question, view, signal),
  ]);
}

// --- start --------------------------------------------------------------------------------------------------------

async function start(): Promise<void> {
  try {
    known = await sites();
    useSite();
  } catch (error) {
    failure(error);
    setTimeout(start, RETRY_MS);
  }
}

showState();
void start();
