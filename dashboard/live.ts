/** The live strip: who is here now, the last 30 minutes, how fresh all this is, and what just happened. Asks nothing itself. */
import type { LiveAnswer, LiveEvent } from "./api.ts";
import { el, fillTable, setAttribute, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

export interface LiveStrip {
  readonly node: HTMLElement;
  update(answer: LiveAnswer): void;
  /** Puts a sentence in the place of the freshness: the server is away, or refused. */
  say(sentence: string): void;
  /** Forgets the site shown so far. */
  use(view: View): void;
}

const MINUTES = 30;
const FEED_ROWS = 20;
/** Nobody waits for less, and the words would change with every poll. */
const UP_TO_DATE_MS = 1_000;

export function liveStrip(first: View): LiveStrip {
  let view = first;
  let shown: LiveAnswer | undefined;
  const { strings } = view;

  const current = el("strong", { class: "current", id: "current" }, "–");
  const unit = el("span", {}, strings.currentVisitors);
  const error = el("span", { class: "margin" });
  const fresh = el("p", { class: "fresh", role: "status", "aria-live": "off" }, strings.connecting);

  const recount = el("p", { class: "recount" });

  const bars = Array.from({ length: MINUTES }, () => el("i", { class: "bar" }));
  const readout = el("span", { class: "readout" });
  const table = el("table", { class: "visually-hidden" });
  const plot = el("div", { class: "bars", "aria-hidden": "true" }, ...bars);
  const rows = Array.from({ length: FEED_ROWS }, feedRow);
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
      // Together they keep their height, whichever has more to say.
      el("div", { class: "facts" }, fresh, recount),
    ),
    el(
      "div",
      { class: "minutes" },
      el("h2", {}, strings.minutesTitle, readout),
      plot,
      el(
        "p",
        { class: "axis", "aria-hidden": "true" },
        el("span", {}, strings.minutesAgo),
        el("span", {}, strings.nowAxis),
      ),
      table,
    ),
    el(
      "div",
      { class: "latest" },
      el("h2", {}, strings.latest),
      el("div", { class: "feed-box" }, feed, feedEmpty),
    ),
  );

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * MINUTES);
    const minute = shown?.minutes[index];
    setText(readout, minute ? minuteText(minute.start, minute.visitors, minute.provisional) : "");
  });
  plot.addEventListener("pointerleave", () => setText(readout, ""));

  function minuteText(start: number, visitors: number, open: boolean): string {
    const text = fill(strings.perMinute, {
      time: view.format.minute(start),
      visitors: view.format.count(visitors),
    });
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
    const head = [strings.time, strings.visitors, strings.pageviews, strings.state];
    const cells = minutes.map(({ start, visitors, pageviews, provisional }) => [
      view.format.minute(start),
      view.format.count(visitors),
      view.format.count(pageviews),
      provisional ? strings.provisional : strings.final,
    ]);
    const caption = el("caption", {}, strings.minutesTitle);
    fillTable(table, head, cells);
    table.prepend(caption);
  }

  function sayFreshness({ complete_until, lag_ms }: LiveAnswer): void {
    // Minutes are final as a whole, so the time has no seconds.
    const time = view.format.minute(complete_until);
    const sentence = lag_ms < UP_TO_DATE_MS ? strings.fresh : strings.behind;
    setText(fresh, fill(sentence, { time, lag: view.format.lag(lag_ms) }));
    setAttribute(fresh, "title", fill(strings.freshHint, { time }));
  }

  function sayRecount({ reconciled, late = 0 }: LiveAnswer): void {
    const parts: string[] = [];
    const differs = reconciled !== undefined && reconciled.windows > 0;
    if (reconciled) {
      const time = view.format.minute(reconciled.until);
      const difference = view.format.count(Math.abs(reconciled.difference));
      const values = { time, difference, windows: view.format.count(reconciled.windows) };
      parts.push(fill(differs ? strings.recountDiffers : strings.recounted, values));
    }
    if (late > 0) parts.push(fill(strings.late, { count: view.format.count(late) }));
    setText(recount, parts.join(" · "));
    setAttribute(recount, "title", reconciled && !differs ? strings.recountHint : undefined);
    recount.classList.toggle("differs", differs);
  }

  function feedLine(event: LiveEvent): readonly [time: string, what: string, where: string] {
    const isPage = event.name === "pageview";
    const from = [
      event.country,
      event.source && event.source !== "(not set)" ? event.source : strings.direct,
      event.browser,
    ];
    return [
      view.format.clock(event.at),
      isPage ? event.page : `${event.name} · ${event.page}`,
      from.filter((part) => part && part !== "(not set)").join(" · "),
    ];
  }

  return {
    node,
    use(next) {
      view = next;
      shown = undefined;
      setText(current, "–");
      setText(fresh, strings.connecting);
      setAttribute(fresh, "title", undefined);
      setText(recount, "");
      drawBars([]);
      for (const row of rows) row.clear();
      feedEmpty.hidden = false;
    },
    update(answer) {
      const newest = shown?.latest[0];
      const isNew = shown !== undefined && JSON.stringify(newest) !== JSON.stringify(answer.latest[0]);
      shown = answer;
      setText(current, view.format.count(answer.current_visitors));
      setText(unit, answer.current_visitors === 1 ? strings.currentVisitor : strings.currentVisitors);
      const margin = view.format.error(answer.error?.visitors);
      setText(error, margin);
      setAttribute(error, "title", margin ? fill(strings.errorHint, { error: margin }) : undefined);
      sayFreshness(answer);
      sayRecount(answer);
      drawBars(answer.minutes);
      rows.forEach((row, i) => {
        const event = answer.latest[i];
        if (event) row.show(feedLine(event), event.name !== "pageview");
        else row.clear();
      });
      feedEmpty.hidden = answer.latest.length > 0;
      if (isNew) rows[0]?.flash();
    },
    say(sentence) {
      setText(fresh, sentence);
      setAttribute(fresh, "title", undefined);
      setText(recount, "");
    },
  };
}

/** One line of the feed. Lines stay where they are and change their words, so that nothing ever jumps. */
function feedRow() {
  const time = el("time", {});
  const what = el("span", { class: "what" });
  const where = el("span", { class: "where" });
  const node = el("li", {}, time, what, where);
  node.hidden = true;
  return {
    node,
    show([at, name, from]: readonly [string, string, string], custom: boolean): void {
      setText(time, at);
      setText(what, name);
      setAttribute(what, "title", name);
      setText(where, from);
      node.classList.toggle("named", custom);
      node.hidden = false;
    },
    clear(): void {
      node.hidden = true;
    },
    flash(): void {
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
      node.animate([{ opacity: 0.35 }, { opacity: 1 }], { duration: 400, easing: "ease-out" });
    },
  };
}
