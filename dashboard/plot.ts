/** Draws one series and its comparison as SVG, so that style sheets colour it on screen and on paper. Knows no data source. */
import { svg } from "./dom.ts";
import { areaPath, type Frame, linePath, short } from "./path.ts";
import type { Points } from "./scale.ts";

export interface Plot {
  readonly width: number;
  readonly height: number;
  readonly values: Points;
  readonly past: Points | undefined;
  /** Index of the first point whose window may still change; from there on the line is dashed and lighter. */
  readonly openFrom: number;
  readonly ticks: readonly number[];
  readonly yLabel: (value: number) => string;
  readonly xLabel: (index: number) => string;
  /** Numbers of points between two labels of x to choose from; beyond the last, its multiples. */
  readonly labelSteps: readonly number[];
  /** How many points after a round one the first point is, so that labels stand at round ones. */
  readonly labelOffset: number;
}

export interface Plotter {
  readonly node: SVGSVGElement;
  /** Draws all of it anew. Returns where the points are, for hit tests. */
  paint(plot: Plot): Frame;
  /** Marks one point, and a stretch of them; undefined marks none. */
  mark(index: number | undefined, stretch?: readonly [number, number]): void;
  clear(): void;
}

const INSET = { top: 12, right: 14, bottom: 26 };
/** Room for one x label with air around it, CSS pixels. */
const LABEL_SPACING = 76;
/** Widths of 12 px letters: a Korean or Chinese one fills its square, a Latin one or a digit about seven pixels. */
const widthOf = (text: string): number =>
  [...text].reduce((sum, one) => sum + (one > "\u1100" ? 12 : 7.2), 0);

/** Where points land, in CSS pixels. `gutter` is the width of the widest y label. */
export function frame(plot: Pick<Plot, "width" | "height" | "values" | "ticks">, gutter: number): Frame {
  const left = Math.ceil(gutter) + 10;
  const right = plot.width - INSET.right;
  const bottom = plot.height - INSET.bottom;
  const last = Math.max(1, plot.values.length - 1);
  const most = plot.ticks.at(-1) || 1;
  return {
    left,
    right,
    x: (index) => (plot.values.length === 1 ? (left + right) / 2 : left + ((right - left) * index) / last),
    y: (value) => bottom - ((bottom - INSET.top) * value) / most,
    indexAt: (x) =>
      Math.min(plot.values.length - 1, Math.max(0, Math.round(((x - left) / (right - left)) * last))),
  };
}

export function plotter(): Plotter {
  const grid = svg("g", { class: "grid" });
  const stretch = svg("rect", { class: "stretch", y: String(INSET.top) });
  const area = svg("path", { class: "area" });
  const past = svg("path", { class: "past-line" });
  const line = svg("path", { class: "line" });
  const open = svg("path", { class: "line open" });
  const dots = svg("g", { class: "dots" });
  const cursor = svg("g", { class: "cursor" });
  const node = svg(
    "svg",
    { "aria-hidden": "true", width: "0" },
    grid,
    stretch,
    past,
    area,
    line,
    open,
    dots,
    cursor,
  );
  let shown: { plot: Plot; space: Frame } | undefined;

  const dot = (i: number, value: number | undefined, space: Frame, kind: string): SVGElement[] =>
    value === undefined
      ? []
      : [svg("circle", { class: kind, cx: short(space.x(i)), cy: short(space.y(value)), r: "4" })];

  function drawGrid(plot: Plot, space: Frame): void {
    const parts: SVGElement[] = [];
    for (const value of plot.ticks) {
      const y = String(Math.round(space.y(value)) + 0.5);
      parts.push(svg("line", { x1: String(space.left), x2: String(space.right), y1: y, y2: y }));
      parts.push(
        svg("text", { x: String(space.left - 8), y, dy: "0.35em", "text-anchor": "end" }, plot.yLabel(value)),
      );
    }
    const room = Math.max(1, Math.ceil((plot.values.length * LABEL_SPACING) / (space.right - space.left)));
    const longest = plot.labelSteps.at(-1) ?? 1;
    const every = plot.labelSteps.find((step) => step >= room) ?? Math.ceil(room / longest) * longest;
    for (let i = (every - (plot.labelOffset % every)) % every; i < plot.values.length; i += every) {
      const text = plot.xLabel(i);
      const half = widthOf(text) / 2;
      // Labels at the edges move inwards rather than be cut.
      const x = Math.min(Math.max(space.x(i), space.left + half - 8), plot.width - half - 2);
      parts.push(svg("text", { x: short(x), y: String(plot.height - 6), "text-anchor": "middle" }, text));
    }
    grid.replaceChildren(...parts);
  }

  return {
    node,
    paint(plot) {
      const { width, height, values, openFrom } = plot;
      for (const [name, value] of [
        ["viewBox", `0 0 ${width} ${height}`],
        ["width", String(width)],
        ["height", String(height)],
      ] as const)
        node.setAttribute(name, value);
      const space = frame(plot, Math.max(...plot.ticks.map((tick) => widthOf(plot.yLabel(tick)))));
      shown = { plot, space };
      drawGrid(plot, space);
      past.setAttribute("d", plot.past ? linePath(plot.past, space) : "");
      area.setAttribute("d", areaPath(values, space));
      line.setAttribute("d", linePath(values, space, 0, openFrom - 1));
      // The dashed part begins at the last final point.
      open.setAttribute("d", linePath(values, space, Math.max(0, openFrom - 1)));
      // A point between two gaps has no line, and the newest one deserves a mark.
      const marked = values.flatMap((value, i) => {
        const alone = values[i - 1] === undefined && values[i + 1] === undefined;
        const isNewest = i >= openFrom && values[i + 1] === undefined;
        return alone || isNewest ? dot(i, value, space, "now") : [];
      });
      dots.replaceChildren(...marked);
      stretch.setAttribute("height", String(height - INSET.top - INSET.bottom));
      return space;
    },
    mark(index, chosen) {
      stretch.setAttribute("width", "0");
      cursor.replaceChildren();
      if (!shown || index === undefined) return;
      const { plot, space } = shown;
      if (chosen) {
        stretch.setAttribute("x", short(space.x(chosen[0])));
        stretch.setAttribute("width", short(space.x(chosen[1]) - space.x(chosen[0])));
      }
      const x = String(Math.round(space.x(index)) + 0.5);
      cursor.replaceChildren(
        svg("line", { x1: x, x2: x, y1: String(INSET.top), y2: String(plot.height - INSET.bottom) }),
        ...dot(index, plot.past?.[index], space, "past"),
        ...dot(index, plot.values[index], space, "now"),
      );
    },
    clear() {
      shown = undefined;
      for (const path of [area, past, line, open]) path.setAttribute("d", "");
      for (const group of [grid, dots, cursor]) group.replaceChildren();
      stretch.setAttribute("width", "0");
    },
  };
}
