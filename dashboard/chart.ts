/** The main chart: a drawing with a read-out for pointer and arrow keys, and the same numbers as a table. Asks nothing itself. */
import { button, el, fillTable, options, setAttribute, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import type { Metric } from "./metrics.ts";
import type { Frame } from "./path.ts";
import type { Bucket, Interval } from "./period.ts";
import { plotter } from "./plot.ts";
import { readable } from "./reading.ts";
import { axisTicks, type Points } from "./scale.ts";
import type { View } from "./view.ts";
import { DAY, HOUR, offsetIfTwice, wallAt } from "./wallclock.ts";

export interface Series {
  readonly metric: Metric;
  readonly interval: Interval;
  /** Those that this period can be shown by. */
  readonly intervals: readonly Interval[];
  readonly buckets: readonly Bucket[];
  /** Aligned with `buckets`; undefined has not happened yet. */
  readonly values: Points;
  /** What it is compared with, aligned by position; undefined when not compared. */
  readonly past: Points | undefined;
  /** Event time up to which windows are final. */
  readonly completeUntil: number;
  /** Relative standard error of the values; 0 is exact. */
  readonly error: number;
}

export interface ChartActions {
  interval(chosen: Interval): void;
  /** The viewer wants to see only this stretch of the site's clock, [from, to). */
  zoom(from: number, to: number): void;
}

export interface Chart {
  readonly node: HTMLElement;
  update(series: Series, view: View): void;
  /** Empties it: the server refused, and what it showed answers another question. */
  clear(): void;
}

const CHART_HEIGHT = 280;
const BY: Readonly<Record<Interval, keyof View["strings"]>> = {
  minute: "by_minute",
  hour: "by_hour",
  day: "by_day",
  week: "by_week",
  month: "by_month",
};
/** Labels at round times rather than at every seventh. */
const LABEL_STEPS: Readonly<Record<Interval, readonly number[]>> = {
  minute: [5, 10, 15, 30, 60, 120, 180, 360],
  hour: [1, 2, 3, 6, 12, 24],
  day: [1],
  week: [1],
  month: [1, 2, 3, 6, 12],
};

export function chart(view: View, actions: ChartActions): Chart {
  const { strings } = view;
  let shown: { series: Series; view: View } | undefined;
  let space: Frame | undefined;
  let width = 0;

  const title = el("h2", { id: "chart-title" }, strings.visitors);
  const margin = el("span", { class: "margin" });
  const zone = el("span", { class: "quiet zone" });
  const drawing = plotter();
  const tip = el("div", { class: "tip", "aria-hidden": "true" });
  tip.hidden = true;
  const plot = el(
    "div",
    { class: "plot", "aria-label": strings.visitors, "aria-describedby": "chart-help" },
    drawing.node,
    tip,
  );
  const table = el("table", { class: "plain" });
  const tableBox = el(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-labelledby": "chart-title" },
    table,
  );
  tableBox.hidden = true;
  const intervalSelect = el("select", { class: "quiet-select", "aria-label": strings.interval });
  const toggle = button("link", strings.showTable, () => showTable(Boolean(tableBox.hidden)));
  const pastKey = el("span", { class: "key past" }, strings.previous);
  const openKey = el("span", { class: "key open" }, strings.legendOpen);
  const node = el(
    "figure",
    { class: "card chart" },
    el(
      "figcaption",
      {},
      el("div", { class: "title" }, title, margin, zone),
      el("span", { class: "legend" }, el("span", { class: "key line" }, strings.current), openKey, pastKey),
      el("div", { class: "choices" }, intervalSelect, toggle),
    ),
    plot,
    tableBox,
    el("p", { class: "visually-hidden", id: "chart-help" }, strings.chartHelp),
  );

  const openFrom = ({ buckets, completeUntil }: Series): number => {
    const found = buckets.findIndex(({ end }) => end > completeUntil);
    return found < 0 ? Number.POSITIVE_INFINITY : found;
  };

  function draw(): void {
    if (!shown || width === 0) return;
    const { series, view } = shown;
    const most = Math.max(0, ...[...series.values, ...(series.past ?? [])].map((value) => value ?? 0));
    const { metric, interval, buckets } = series;
    const first = buckets[0]?.wall ?? 0;
    // Over several days a midnight is better known by its date.
    const isLong = buckets.length > 48 && interval === "hour";
    const xLabel = (i: number): string => {
      const wall = buckets[i]?.wall ?? 0;
      return view.format.tick(wall, isLong && wall % DAY === 0 ? "day" : interval);
    };
    space = drawing.paint({
      width,
      height: CHART_HEIGHT,
      values: series.values,
      past: series.past,
      openFrom: openFrom(series),
      ticks: metric === "bounce_rate" ? [0, 25, 50, 75, 100] : axisTicks(most, kindOf(metric)),
      yLabel: (value) => view.format.axis(metric, value),
      xLabel,
      labelSteps: LABEL_STEPS[interval],
      labelOffset:
        interval === "minute" ? (first % HOUR) / 60_000 : interval === "hour" ? (first % DAY) / HOUR : 0,
    });
  }

  function words(
    i: number,
  ): readonly [when: string, now: string, past: string | undefined, state: string] | undefined {
    const bucket = shown?.series.buckets[i];
    if (!shown || !bucket) return undefined;
    const { series, view } = shown;
    const past = series.past?.[i];
    return [
      // A day needs no offset, though its midnight may come twice.
      view.format.bucket(bucket.wall, series.interval) +
        (bucket.end - bucket.start > HOUR ? "" : offsetIfTwice(bucket.start, view.format.timeZone)),
      view.format.metric(series.metric, series.values[i]),
      series.past ? view.format.metric(series.metric, past) : undefined,
      series.values[i] !== undefined && i >= openFrom(series) ? strings.provisional : "",
    ];
  }

  function showTip(i: number, [when, now, past, state]: NonNullable<ReturnType<typeof words>>): void {
    if (!shown || !space) return;
    const { series } = shown;
    const error = shown.view.format.error(series.error);
    const line = (kind: string, name: string, value: string): HTMLElement =>
      el("p", {}, el("span", { class: `key ${kind}` }, name), el("b", {}, value));
    tip.replaceChildren(
      el("p", { class: "when" }, state ? `${when} · ${state}` : when),
      line("line", strings[series.metric], error ? `${now} ${error}` : now),
      ...(past === undefined ? [] : [line("past", strings.previous, past)]),
    );
    const x = space.x(i);
    const flip = x > width / 2;
    tip.style.transform = `translateX(${Math.round(x + (flip ? -12 : 12))}px) translateX(${flip ? "-100%" : "0"})`;
  }

  const reading = readable(plot, {
    count: () => shown?.series.buckets.length ?? 0,
    indexAt: (x) => space?.indexAt(x),
    start: () => shown?.series.values.findLastIndex((value) => value !== undefined) ?? 0,
    read(i) {
      const said = i === undefined ? undefined : words(i);
      tip.hidden = said === undefined;
      drawing.mark(i);
      if (!said || i === undefined) return undefined;
      showTip(i, said);
      const [when, now, past, state] = said;
      const spoken = `${when}: ${now}${past === undefined ? "" : `, ${fill(strings.previousWas, { value: past })}`}`;
      return state ? `${spoken}, ${state}` : spoken;
    },
    choosing: (stretch) => drawing.mark(reading.cursor, stretch),
    choose(from, to) {
      const { buckets = [] } = shown?.series ?? {};
      const [first, last] = [buckets[from], buckets[to]];
      if (!first || !last) return;
      // Where the clock shows an hour twice, the first of them ends when it begins again.
      const end = wallAt(last.end, shown!.view.format.timeZone);
      actions.zoom(first.wall, end > last.wall ? end : last.wall + last.end - last.start);
    },
  });

  function fillView(): void {
    if (!shown || tableBox.hidden) return;
    const { series } = shown;
    const head = [strings.time, strings.current, ...(series.past ? [strings.previous] : []), strings.state];
    const rows = series.buckets.flatMap((_, i) => {
      const said = words(i);
      return said ? [said.filter((cell) => cell !== undefined)] : [];
    });
    fillTable(table, fill(strings.chartOf, { metric: strings[series.metric] }), head, rows);
  }

  function showTable(isTable: boolean): void {
    tableBox.hidden = !isTable;
    plot.hidden = isTable;
    setText(toggle, isTable ? strings.showChart : strings.showTable);
    fillView();
    draw();
  }
  intervalSelect.addEventListener("change", () => actions.interval(intervalSelect.value as Interval));
  // Told of when the page is laid out anyway: to ask for it while drawing would lay it out once more.
  new ResizeObserver(() => {
    width = plot.clientWidth;
    draw();
  }).observe(plot);
  // Paper has no pointer to read a chart with: both are printed.
  addEventListener("beforeprint", () => {
    const wasTable = !tableBox.hidden;
    tableBox.hidden = plot.hidden = false;
    fillView();
    addEventListener("afterprint", () => showTable(wasTable), { once: true });
  });

  function showIntervals({ interval, intervals }: Series): void {
    const offered = [...intervalSelect.options].map(({ value }) => value);
    if (offered.join() !== intervals.join())
      intervalSelect.replaceChildren(...options(intervals.map((one) => [one, strings[BY[one]]])));
    intervalSelect.value = interval;
    intervalSelect.hidden = intervals.length < 2;
  }

  return {
    node,
    clear() {
      shown = undefined;
      tip.hidden = true;
      drawing.clear();
      table.replaceChildren();
      setAttribute(plot, "aria-valuetext", strings.empty);
    },
    update(series, now) {
      const sameShape = shown?.series.buckets.length === series.buckets.length;
      shown = { series, view: now };
      setText(title, strings[series.metric]);
      setText(zone, fill(strings.zone, { zone: now.format.timeZone }));
      const error = now.format.error(series.error);
      setText(margin, error);
      setAttribute(margin, "title", error ? fill(strings.errorHint, { error }) : undefined);
      setAttribute(plot, "aria-label", fill(strings.chartOf, { metric: strings[series.metric] }));
      showIntervals(series);
      pastKey.hidden = series.past === undefined;
      openKey.hidden = openFrom(series) === Number.POSITIVE_INFINITY;
      draw();
      reading.refresh(sameShape);
      fillView();
    },
  };
}

function kindOf(metric: Metric): "whole" | "fraction" | "seconds" {
  if (metric === "visit_duration") return "seconds";
  return metric === "views_per_visit" || metric === "total_revenue" ? "fraction" : "whole";
}
