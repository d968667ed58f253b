/** The live strip: who is here now, the last 30 minutes, the day so far, and what just happened. Knows no poll. */
import type { LiveAnswer, LiveEvent, QueryMeta } from "./answers.ts";
import { dayLine } from "./dayline.ts";
import { el, fillTable, setAttribute, setText } from "./dom.ts";
import { honesty } from "./honesty.ts";
import { fill } from "./i18n/strings.ts";
import { readable } from "./reading.ts";
import type { View } from "./view.ts";

export interface LiveStrip {
  readonly node: HTMLElement;
  /** `meta` is that of the headline shown, where there is one. */
  update(answer: LiveAnswer, meta: QueryMeta | undefined): void;
  /** Puts a sentence in the place of the freshness: the server is away, or refused. */
  say(sentence: string): void;
  /** Forgets the site shown so far. */
  use(siteId: string, timeZone: string, view: View): void;
}

const MINUTES = 30;
const FEED_ROWS = 20;
/** Asked once, not for each event: it knows by itself when the answer changes. */
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** `failed` runs with what a question of its own came to. */
export function liveStrip(first: View, failed: (error: unknown) => void): LiveStrip {
  let view = first;
  let shown: LiveAnswer | undefined;
  let hasDay = false;
  const { strings } = view;

  const current = el("strong", { class: "current", id: "current" }, "–");
  // As wide as its longer form: what stands behind it must not move when one visitor becomes two.
  const unit = el("span", { "data-longest": strings.currentVisitors }, strings.currentVisitors);
  const error = el("span", { class: "margin" });
  const facts = honesty(view);
  const day = dayLine(view, failed);

  const bars = Array.from({ length: MINUTES }, () => el("i", { class: "bar" }));
  const minutesTitle = el("span", {}, strings.minutesTitle);
  const readout = el("span", { class: "readout" });
  const table = el("table", { class: "visually-hidden" });
  const plot = el("div", { class: "bars", "aria-label": strings.minutesTitle }, ...bars);
  const rows = Array.from({ length: FEED_ROWS }, () => feedRow(strings.trace));
  const feed = el(
    "ol",
    { class: "feed", tabindex: "0", "aria-label": strings.latest },
    ...rows.map(({ node }) => node),
  );
  const feedEmpty = el("p", { class: "quiet feed-empty" }, strings.latestEmpty);

  const node = el(
    "section",
    { class: "card live", "aria-label": strings.now },
    el(
      "div",
      { class: "now" },
      el("h2", {}, strings.now),
      el("p", { class: "headcount" }, current),
      // Beside a number that grows, words would shift: they have a line of their own.
      el("p", { class: "unit" }, unit, error),
      facts.node,
    ),
    el(
      "div",
      { class: "minutes" },
      el("h2", {}, minutesTitle, readout),
      plot,
      el(
        "p",
        { class: "axis", "aria-hidden": "true" },
        el("span", {}, strings.minutesAgo),
        el("span", {}, strings.nowAxis),
      ),
      table,
    ),
    day.node,
    el(
      "div",
      { class: "latest" },
      el("h2", {}, strings.latest),
      el("div", { class: "feed-box" }, feed, feedEmpty),
    ),
  );

  const reading = readable(plot, {
    count: () => shown?.minutes.length ?? 0,
    indexAt: (x) => Math.min(MINUTES - 1, Math.max(0, Math.floor((x / plot.clientWidth) * MINUTES))),
    start: () => MINUTES - 1,
    read(i) {
      for (const [at, bar] of bars.entries()) bar.classList.toggle("read", at === i);
      const minute = i === undefined ? undefined : shown?.minutes[i];
      const words = minute && minuteText(minute.start, minute.visitors, minute.provisional);
      setText(readout, words ?? "");
      minutesTitle.hidden = words !== undefined;
      return words;
    },
  });

  function minuteText(start: number, visitors: number, open: boolean): string {
    const values = { time: view.format.minute(start), visitors: view.format.count(visitors) };
    const text = fill(strings.perMinute, values, view.format.isOne(visitors));
    return open ? `${text} · ${strings.provisional}` : text;
  }

  function drawBars(minutes: LiveAnswer["minutes"]): void {
    const most = Math.max(1, ...minutes.map(({ visitors }) => visitors));
    bars.forEach((bar, i) => {
      const minute = minutes[i];
      // A scale, not a height: a transform neither lays the page out again nor counts as a layout shift.
      bar.style.transform = `scaleY(${minute ? minute.visitors / most : 0})`;
      bar.classList.toggle("open", minute?.provisional ?? false);
    });
    reading.refresh(true);
    const head = [strings.time, strings.visitors, strings.pageviews, strings.state];
    const cells = minutes.map(({ start, visitors, pageviews, provisional }) => [
      view.format.minute(start),
      view.format.count(visitors),
      view.format.count(pageviews),
      provisional ? strings.provisional : strings.final,
    ]);
    fillTable(table, strings.minutesTitle, head, cells);
  }

  function feedLine({ at, name, page, country, source, device, browser }: LiveEvent): FeedLine {
    const told = (...parts: string[]): string =>
      parts.filter((part) => part && part !== "(not set)").join(" · ");
    // Who came by no link is a long name to read in every line.
    const from = /^(|\(not set\)|Direct \/ None)$/.test(source) ? strings.direct : source;
    return {
      time: view.format.clock(at),
      what: name === "pageview" ? page : `${name} · ${page}`,
      where: told(country, from),
      hint: told(country && view.format.country(country), source || from, device, browser),
    };
  }

  return {
    node,
    use(siteId, timeZone, next) {
      view = next;
      shown = undefined;
      hasDay = false;
      setText(current, "–");
      facts.say(strings.connecting);
      drawBars([]);
      day.use(siteId, timeZone, view);
      for (const row of rows) row.clear();
      feedEmpty.hidden = false;
    },
    update(answer, meta) {
      const newest = shown?.latest[0];
      const isNew = shown !== undefined && JSON.stringify(newest) !== JSON.stringify(answer.latest[0]);
      const minutesChanged = JSON.stringify(shown?.minutes) !== JSON.stringify(answer.minutes);
      shown = answer;
      setText(current, view.format.count(answer.current_visitors));
      setText(
        unit,
        view.format.isOne(answer.current_visitors) ? strings.currentVisitor : strings.currentVisitors,
      );
      const margin = view.format.error(answer.error?.visitors);
      setText(error, margin);
      setAttribute(error, "title", margin ? fill(strings.errorHint, { error: margin }) : undefined);
      facts.update(answer, meta, view);
      if (minutesChanged) drawBars(answer.minutes);
      // Two days of minutes are much to ask: the headline comes first.
      if (meta && (minutesChanged || !hasDay)) {
        hasDay = true;
        day.update(answer);
      }
      rows.forEach((row, i) => {
        const event = answer.latest[i];
        if (event) row.show(feedLine(event), event.name !== "pageview", event.trace);
        else row.clear();
      });
      feedEmpty.hidden = answer.latest.length > 0;
      if (isNew) rows[0]?.flash();
    },
    say: (sentence) => facts.say(sentence),
  };
}

interface FeedLine {
  readonly time: string;
  readonly what: string;
  readonly where: string;
  /** All that is known of where it came from. */
  readonly hint: string;
}

/** One line of the feed. Lines stay where they are and change their words, so that nothing ever jumps. */
function feedRow(traceHint: string) {
  const time = el("time", {});
  const link = el("a", { class: "trace", title: traceHint });
  const what = el("span", { class: "what", dir: "auto" });
  const where = el("span", { class: "where" });
  const node = el("li", {}, time, what, where, link);
  node.hidden = true;
  return {
    node,
    show(line: FeedLine, custom: boolean, trace: string | undefined): void {
      setText(time, line.time);
      setText(what, line.what);
      setAttribute(what, "title", line.what);
      setText(where, line.where);
      setAttribute(where, "title", line.hint);
      setText(link, trace ? "↗" : "");
      setAttribute(link, "href", trace && `/traces?id=${trace}`);
      setAttribute(link, "aria-label", trace && traceHint);
      node.classList.toggle("named", custom);
      node.hidden = false;
    },
    clear(): void {
      node.hidden = true;
    },
    flash(): void {
      if (calm.matches) return;
      node.animate([{ opacity: 0.35 }, { opacity: 1 }], { duration: 400, easing: "ease-out" });
    },
  };
}
