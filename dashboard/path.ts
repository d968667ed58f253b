/** Lines and areas over values as commands of an SVG path. Pure arithmetic: knows no drawing. */
import { type Points, thin } from "./scale.ts";

export interface Frame {
  readonly left: number;
  readonly right: number;
  x(index: number): number;
  y(value: number): number;
  /** The point nearest to a horizontal position. */
  indexAt(x: number): number;
}

/** A coordinate to a tenth: nobody sees less, and the text is half as long. */
export const short = (value: number): string => String(Math.round(value * 10) / 10);

/** The drawing commands of a line over `values`, broken where one is undefined; only points in [from, to]. */
export function linePath(values: Points, space: Frame, from = 0, to = Number.POSITIVE_INFINITY): string {
  let path = "";
  let isDown = false;
  for (const i of thin(values, Math.floor(space.right - space.left))) {
    const value = values[i];
    if (value === undefined || i < from || i > to) {
      isDown = false;
      continue;
    }
    path += `${isDown ? "L" : "M"}${short(space.x(i))} ${short(space.y(value))}`;
    isDown = true;
  }
  return path;
}

/** The area under a line, from its first to its last point. */
export function areaPath(values: Points, space: Frame): string {
  const drawn = thin(values, Math.floor(space.right - space.left)).filter((i) => values[i] !== undefined);
  const [first, last] = [drawn[0], drawn.at(-1)];
  if (first === undefined || last === undefined || first === last) return "";
  const floor = short(space.y(0));
  const points = drawn.map((i) => `L${short(space.x(i))} ${short(space.y(values[i] ?? 0))}`).join("");
  return `M${short(space.x(first))} ${floor}${points}L${short(space.x(last))} ${floor}Z`;
}

/** The commands of a line in a box of 100 by 24 units, for a chart that is only a shape; "" where there is none. */
export function sparkPath(values: Points): string {
  const known = values.filter((value) => value !== undefined);
  if (known.length < 2) return "";
  const most = Math.max(...known) || 1;
  // What has not happened yet takes no room.
  const last = values.findLastIndex((value) => value !== undefined);
  const space = {
    left: 0,
    right: 100,
    x: (i: number) => (i * 100) / last,
    y: (v: number) => 23 - (v * 22) / most,
    indexAt: () => 0,
  };
  return linePath(values, space);
}
