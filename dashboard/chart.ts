/** The main chart: a canvas with a read-out for pointer and arrow keys, and the same numbers as a table. Asks nothing itself. */
import { el, fillTable, setAttribute, setText } from "./dom.ts";
import type { Metric } from "./headline.ts";
import { fill } from "./i18n/strings.ts";
import type { Bucket, Interval } from "./period.ts";
import { type Frame, paint } from "./plot.ts";
import { axisTicks, type Points } from "./scale.ts";
import type { View } from "./view.ts";

export interface Series {
  readonly metric: Metric;
  readonly interval: Interval;
  readonly buckets: readonly Bucket[];
  /** Aligned with `buckets`; undefined has not happened yet. */
  readonly values: Points;
  /** The period before, aligned by position; undefined when not compared. */
  readonly past: Points | undefined;
  /** Event time up to which windows are final. */
  readonly completeUntil: number;
  /** Relative standard error of the values; 0 is exact. */
  readonly error: number;
}

export interface Chart {
  readonly node: HTMLElement;
  update(series: Series, view: View): void;
  /** Empties it: the server refused, and what it showed answers another question. */
  clear(): void;
}

const CHART_HEIGHT = 280;

export function chart(view: View): Chart {
  const { strings } = view;
  let shown: { series: Series; view: View } | undefined;
  let cursor: number | undefined;
  let space: Frame | undefined;

  const title = el("h2", { id: "chart-title" }, strings.visitors);
  const margin = el("span", { class: "margin" });
  const canvas = el("canvas", { "aria-hidden": "true" });
  const tip = el("div", { class: "tip", "aria-hidden": "true" });
  tip.hidden = true;
  const plot = el(
    "div",
    {
      class: "plot",
      tabindex: "0",
      role: "slider",
      "aria-valuemin": "0",
      "aria-label": strings.visitors,
      "aria-valuenow": "0",
      "aria-describedby": "chart-help",
    },
    canvas,
    tip,
  );
  const table = el("table", { class: "plain" });
  const tableBox = el(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-labelledby": "chart-title" },
    table,
  );
  tableBox.hidden = true;
  const toggle = el("button", { type: "button", class: "link" }, strings.showTable);
  const pastKey = el("span", { class: "key past" }, strings.previous);
  const node = el(
    "figure",
    { class: "card chart" },
    el(
      "figcaption",
      {},
      el("div", { class: "title" }, title, margin),
      el(
        "span",
        { class: "legend" },
        el("span", { class: "key line" }, strings.current),
        el("span", { class: "key open" }, strings.legendOpen),
        pastKey,
        toggle,
      ),
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
    const width = plot.clientWidth;
    if (!shown || width === 0) return;
    const { series, view } = shown;
    const ratio = devicePixelRatio || 1;
    const pixels = [Math.round(width * ratio), Math.round(CHART_HEIGHT * ratio)] as const;
    if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) [canvas.width, canvas.height] = pixels;
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(plot);
    const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const most = Math.max(0, ...[...series.values, ...(series.past ?? [])].map((value) => value ?? 0));
    const { metric } = series;
    space = paint(context, {
      width,
      height: CHART_HEIGHT,
      values: series.values,
      past: series.past,
      openFrom: openFrom(series),
      ticks: metric === "bounce_rate" ? [0, 25, 50, 75, 100] : axisTicks(most, kindOf(metric)),
      yLabel: (value) => view.format.axis(metric, value),
      xLabel: (i) => view.format.tick(series.buckets[i]?.wall ?? 0, series.interval),
      cursor,
      font: `12px ${style.fontFamily}`,
      colors: {
        line: color("accent"),
        area: color("area"),
        past: color("past"),
        grid: color("grid"),
        text: color("muted"),
        surface: color("surface"),
      },
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
      view.format.bucket(bucket.wall, series.interval),
      view.format.metric(series.metric, series.values[i]),
      series.past ? view.format.metric(series.metric, past) : undefined,
      series.values[i] !== undefined && i >= openFrom(series) ? strings.openWindow : "",
    ];
  }

  function read(i: number | undefined): void {
    cursor = i;
    const said = i === undefined ? undefined : words(i);
    tip.hidden = said === undefined;
    if (said && i !== undefined && shown && space) {
      const [when, now, past, state] = said;
      const name = strings[shown.series.metric];
      tip.replaceChildren(
        el("p", { class: "when" }, state ? `${when} · ${state}` : when),
        el("p", {}, el("span", { class: "key line" }, name), el("b", {}, now)),
        ...(past === undefined
          ? []
          : [el("p", {}, el("span", { class: "key past" }, strings.previous), el("b", {}, past))]),
      );
      const x = space.x(i);
      const flip = x > plot.clientWidth / 2;
      tip.style.transform = `translateX(${Math.round(x + (flip ? -12 : 12))}px) translateX(${flip ? "-100%" : "0"})`;
      plot.setAttribute("aria-valuenow", String(i));
      const spoken = `${when}: ${now}${past === undefined ? "" : `, ${fill(strings.previousWas, { value: past })}`}`;
      plot.setAttribute("aria-valuetext", state ? `${spoken}, ${state}` : spoken);
    }
    draw();
  }

  function fillView(): void {
    if (!shown || tableBox.hidden) return;
    const { series } = shown;
    const head = [strings.time, strings.current, ...(series.past ? [strings.previous] : []), strings.state];
    const rows = series.buckets.flatMap((_, i) => {
      const said = words(i);
      return said ? [said.filter((cell) => cell !== undefined)] : [];
    });
    fillTable(table, head, rows);
  }

  plot.addEventListener("pointermove", (event) => {
    if (space) read(space.indexAt(event.clientX - plot.getBoundingClientRect().left));
  });
  plot.addEventListener("pointerleave", () => read(undefined));
  plot.addEventListener("blur", () => read(undefined));
  plot.addEventListener("keydown", (event) => {
    const last = (shown?.series.buckets.length ?? 0) - 1;
    const at = cursor ?? (shown ? shown.series.values.findLastIndex((value) => value !== undefined) : 0);
    const moves: Record<string, number> = {
      ArrowLeft: cursor === undefined ? at : at - 1,
      ArrowRight: cursor === undefined ? at : at + 1,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (event.key === "Escape") return read(undefined);
    if (to === undefined || last < 0) return;
    event.preventDefault();
    read(Math.min(last, Math.max(0, to)));
  });
  toggle.addEventListener("click", () => {
    tableBox.hidden = !tableBox.hidden;
    plot.hidden = !tableBox.hidden;
    setText(toggle, tableBox.hidden ? strings.showTable : strings.showChart);
    fillView();
    draw();
  });
  new ResizeObserver(() => draw()).observe(plot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

  return {
    node,
    clear() {
      shown = undefined;
      tip.hidden = true;
      canvas.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
      table.replaceChildren();
      setAttribute(plot, "aria-valuetext", strings.empty);
    },
    update(series, now) {
      const sameShape = shown?.series.buckets.length === series.buckets.length;
      shown = { series, view: now };
      if (!sameShape) cursor = undefined;
      setText(title, strings[series.metric]);
      const error = now.format.error(series.error);
      setText(margin, error);
      setAttribute(margin, "title", error ? fill(strings.errorHint, { error }) : undefined);
      setAttribute(plot, "aria-label", fill(strings.chartOf, { metric: strings[series.metric] }));
      setAttribute(plot, "aria-valuemax", String(Math.max(0, series.buckets.length - 1)));
      const rest = words(cursor ?? series.values.findLastIndex((value) => value !== undefined));
      setAttribute(plot, "aria-valuetext", rest ? `${rest[0]}: ${rest[1]}` : strings.empty);
      setAttribute(plot, "aria-valuenow", String(cursor ?? Math.max(0, series.buckets.length - 1)));
      pastKey.hidden = series.past === undefined;
      read(cursor);
      fillView();
    },
  };
}

function kindOf(metric: Metric): "whole" | "fraction" | "seconds" {
  if (metric === "visit_duration") return "seconds";
  return metric === "views_per_visit" || metric === "total_revenue" ? "fraction" : "whole";
}
