/** Reading a chart point by point, by pointer and by arrow keys alike. Knows neither what the points are nor how they look. */
import { setAttribute } from "./dom.ts";

export interface Readable {
  /** Number of points. */
  count(): number;
  /** The point at a horizontal position within the element, CSS pixels. */
  indexAt(x: number): number | undefined;
  /** Where the arrow keys begin. */
  start(): number;
  /** Shows a point, or none; what it returns is spoken. */
  read(index: number | undefined): string | undefined;
  /** The viewer chose points a to b, both included: dragged over them, or pressed Enter. */
  choose?(from: number, to: number): void;
  /** While choosing. */
  choosing?(stretch: readonly [number, number] | undefined): void;
}

export interface Reading {
  readonly cursor: number | undefined;
  /** The points changed: what is read is read again, and spoken as it is now. */
  refresh(sameShape: boolean): void;
}

/** Less than this is a click with an unsteady hand. */
const DRAG_PIXELS = 6;

/** Makes `node` a slider over the points. It needs an aria-label of its own. */
export function readable(node: HTMLElement, on: Readable): Reading {
  let cursor: number | undefined;
  let anchor: { index: number; x: number; isDragged: boolean } | undefined;
  for (const [name, value] of [
    ["role", "slider"],
    ["tabindex", "0"],
    ["aria-valuemin", "0"],
  ] as const)
    node.setAttribute(name, value);

  function say(index: number, words: string | undefined): void {
    setAttribute(node, "aria-valuemax", String(Math.max(0, on.count() - 1)));
    setAttribute(node, "aria-valuenow", String(Math.max(0, index)));
    setAttribute(node, "aria-valuetext", words ?? "–");
  }
  function read(index: number | undefined): void {
    cursor = index;
    const words = on.read(index);
    if (index !== undefined) say(index, words);
  }
  const stretch = (): readonly [number, number] | undefined =>
    anchor && cursor !== undefined && anchor.index !== cursor
      ? [Math.min(anchor.index, cursor), Math.max(anchor.index, cursor)]
      : undefined;
  const drop = (): void => {
    anchor = undefined;
    on.choosing?.(undefined);
  };
  const at = (event: PointerEvent): number => event.clientX - node.getBoundingClientRect().left;

  node.addEventListener("pointermove", (event) => {
    const index = on.indexAt(at(event));
    if (index === undefined) return;
    read(index);
    if (!anchor) return;
    anchor.isDragged ||= Math.abs(at(event) - anchor.x) >= DRAG_PIXELS;
    if (anchor.isDragged) on.choosing?.(stretch());
  });
  node.addEventListener("pointerleave", () => {
    drop();
    read(undefined);
  });
  node.addEventListener("blur", () => {
    drop();
    read(undefined);
  });
  node.addEventListener("pointerdown", (event) => {
    // A finger that moves over the chart reads it, or scrolls the page.
    if (!on.choose || event.pointerType === "touch" || event.button !== 0) return;
    const index = on.indexAt(at(event));
    if (index !== undefined) anchor = { index, x: at(event), isDragged: false };
  });
  node.addEventListener("pointerup", () => {
    const found = anchor?.isDragged ? stretch() : undefined;
    drop();
    if (found) on.choose?.(...found);
  });
  node.addEventListener("keydown", (event) => {
    const last = on.count() - 1;
    if (last < 0) return;
    if (event.key === "Escape") {
      drop();
      read(undefined);
      return;
    }
    if (event.key === "Enter" && on.choose && cursor !== undefined) {
      const [from, to] = stretch() ?? [cursor, cursor];
      drop();
      on.choose(from, to);
      return;
    }
    const from = cursor ?? on.start();
    const moves: Record<string, number> = {
      ArrowLeft: cursor === undefined ? from : from - 1,
      ArrowRight: cursor === undefined ? from : from + 1,
      PageUp: from + 10,
      PageDown: from - 10,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (!event.shiftKey || !on.choose) drop();
    else anchor ??= { index: from, x: 0, isDragged: true };
    read(Math.min(last, Math.max(0, to)));
    if (anchor) on.choosing?.(stretch());
  });

  return {
    get cursor() {
      return cursor;
    },
    refresh(sameShape) {
      if (!sameShape) drop();
      if (cursor !== undefined && sameShape) return read(cursor);
      read(undefined);
      // What the slider stands on while nobody reads it.
      const start = on.start();
      say(start, on.read(start));
      on.read(undefined);
    },
  };
}
