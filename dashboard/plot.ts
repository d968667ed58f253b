/** Paints one series and its comparison on a 2D canvas. Knows no DOM beyond the context. */
import { type Points, thin } from "./scale.ts";

export interface PlotColors {
  readonly line: string;
  readonly area: string;
  readonly past: string;
  readonly grid: string;
  readonly text: string;
  readonly surface: string;
}

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
  readonly cursor: number | undefined;
  readonly font: string;
  readonly colors: PlotColors;
}

const INSET = { top: 12, right: 14, bottom: 26 };
/** Room for one x label with air around it, CSS pixels. */
const LABEL_SPACING = 76;

export interface Frame {
  readonly left: number;
  readonly right: number;
  x(index: number): number;
  y(value: number): number;
  /** The point nearest to a horizontal position. */
  indexAt(x: number): number;
}

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

/** Paints the whole plot; the context is already scaled to CSS pixels. Returns the frame for hit tests. */
export function paint(context: CanvasRenderingContext2D, plot: Plot): Frame {
  context.clearRect(0, 0, plot.width, plot.height);
  context.font = plot.font;
  const labels = plot.ticks.map(plot.yLabel);
  const space = frame(plot, Math.max(...labels.map((text) => context.measureText(text).width)));
  paintGrid(context, plot, space, labels);
  if (plot.past) {
    stroke(context, plot.past, space, {
      color: plot.colors.past,
      width: 1.5,
      dash: [],
      from: 0,
      to: Infinity,
    });
  }
  const open = Math.max(0, plot.openFrom - 1); // the dashed part begins at the last final point
  fillArea(context, plot, space);
  stroke(context, plot.values, space, {
    color: plot.colors.line,
    width: 2,
    dash: [],
    from: 0,
    to: plot.openFrom - 1,
  });
  context.globalAlpha = 0.75;
  stroke(context, plot.values, space, {
    color: plot.colors.line,
    width: 2,
    dash: [3, 5],
    from: open,
    to: Infinity,
  });
  context.globalAlpha = 1;
  paintDots(context, plot, space);
  return space;
}

function paintGrid(
  context: CanvasRenderingContext2D,
  plot: Plot,
  space: Frame,
  labels: readonly string[],
): void {
  context.fillStyle = plot.colors.text;
  context.strokeStyle = plot.colors.grid;
  context.lineWidth = 1;
  context.setLineDash([]);
  context.textBaseline = "middle";
  context.textAlign = "right";
  plot.ticks.forEach((value, i) => {
    const y = Math.round(space.y(value)) + 0.5;
    context.beginPath();
    context.moveTo(space.left, y);
    context.lineTo(space.right, y);
    context.stroke();
    context.fillText(labels[i] ?? "", space.left - 8, y);
  });
  context.textBaseline = "alphabetic";
  context.textAlign = "center";
  const every = Math.max(1, Math.ceil((plot.values.length * LABEL_SPACING) / (space.right - space.left)));
  for (let i = 0; i < plot.values.length; i += every) {
    const text = plot.xLabel(i);
    const half = context.measureText(text).width / 2;
    // Labels at the edges move inwards rather than be cut.
    const x = Math.min(Math.max(space.x(i), space.left + half - 8), plot.width - half - 2);
    context.fillText(text, x, plot.height - 6);
  }
}

interface Stroke {
  readonly color: string;
  readonly width: number;
  readonly dash: number[];
  readonly from: number;
  readonly to: number;
}

function stroke(context: CanvasRenderingContext2D, values: Points, space: Frame, how: Stroke): void {
  context.strokeStyle = how.color;
  context.lineWidth = how.width;
  context.lineJoin = "round";
  context.lineCap = "round";
  context.setLineDash(how.dash);
  context.beginPath();
  let isDown = false;
  for (const i of thin(values, space.right - space.left)) {
    const value = values[i];
    if (value === undefined || i < how.from || i > how.to) {
      isDown = false;
      continue;
    }
    if (isDown) context.lineTo(space.x(i), space.y(value));
    else context.moveTo(space.x(i), space.y(value));
    isDown = true;
  }
  context.stroke();
  context.setLineDash([]);
}

function fillArea(context: CanvasRenderingContext2D, plot: Plot, space: Frame): void {
  const drawn = thin(plot.values, space.right - space.left).filter((i) => plot.values[i] !== undefined);
  const first = drawn[0];
  const last = drawn.at(-1);
  if (first === undefined || last === undefined || first === last) return;
  context.beginPath();
  context.moveTo(space.x(first), space.y(0));
  for (const i of drawn) context.lineTo(space.x(i), space.y(plot.values[i] ?? 0));
  context.lineTo(space.x(last), space.y(0));
  context.fillStyle = plot.colors.area;
  context.fill();
}

/** A point between two gaps has no line, and the newest and the read one deserve a mark. */
function paintDots(context: CanvasRenderingContext2D, plot: Plot, space: Frame): void {
  const dot = (i: number, values: Points, color: string, radius: number): void => {
    const value = values[i];
    if (value === undefined) return;
    context.beginPath();
    context.arc(space.x(i), space.y(value), radius, 0, 2 * Math.PI);
    context.fillStyle = color;
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = plot.colors.surface;
    context.stroke();
  };
  plot.values.forEach((value, i) => {
    const alone = plot.values[i - 1] === undefined && plot.values[i + 1] === undefined;
    const isNewest = i >= plot.openFrom && plot.values[i + 1] === undefined;
    if (value !== undefined && (alone || isNewest)) dot(i, plot.values, plot.colors.line, 4);
  });
  if (plot.cursor === undefined) return;
  const x = Math.round(space.x(plot.cursor)) + 0.5;
  context.strokeStyle = plot.colors.past;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, INSET.top);
  context.lineTo(x, plot.height - INSET.bottom);
  context.stroke();
  if (plot.past) dot(plot.cursor, plot.past, plot.colors.past, 4);
  dot(plot.cursor, plot.values, plot.colors.line, 5);
}
