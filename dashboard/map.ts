/** Where visitors are, on a map: shades by visitors. The tab "Country" beside it is its table, and the way for the keyboard. */
import type { WorldMap } from "./answers.ts";
import { world } from "./api.ts";
import type { Body } from "./body.ts";
import { type Tab, valueLabel } from "./breakdowns.ts";
import { el, setAttribute, setText, svg } from "./dom.ts";
import { isPicked } from "./filters.ts";
import { numberOf } from "./format.ts";
import { fill } from "./i18n/strings.ts";
import { questionOf } from "./rowsbody.ts";
import type { View } from "./view.ts";

/** There are some 250 countries. */
const ALL = 300;
/** The lightest shade that is still seen to be one. */
const FAINTEST = 0.16;

/** A path of SVG out of one whose steps are letters, "O" being 0. */
const outline = (shape: string): string =>
  shape.replace(
    /l(.+?)z/g,
    (_, letters: string) => `l${[...letters].map((one) => one.charCodeAt(0) - 79).join(" ")}z`,
  );

/** `pick` runs with the country that the viewer chose. */
export function mapBody(first: View, pick: (country: string) => void): Body {
  const { strings } = first;
  const drawing = svg("svg", { class: "world", role: "img", "aria-label": strings.mapLabel });
  const readout = el("p", { class: "quiet map-readout", "aria-hidden": "true" });
  const node = el("div", { class: "map" }, drawing, readout);
  const lands = new Map<string, SVGElement>();
  let texts = new Map<string, string>();
  let loading: Promise<WorldMap> | undefined;

  function draw({ width, height, shapes, points }: WorldMap): void {
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const [code, shape] of Object.entries(shapes))
      lands.set(code, svg("path", { d: outline(shape), "data-code": code }));
    for (const [code, [x, y]] of Object.entries(points))
      lands.set(code, svg("circle", { cx: `${x}`, cy: `${y}`, r: "4", "data-code": code }));
    drawing.replaceChildren(...lands.values());
  }

  const codeAt = (event: Event): string => (event.target as Element).getAttribute("data-code") ?? "";
  drawing.addEventListener("pointermove", (event) => setText(readout, texts.get(codeAt(event)) ?? ""));
  drawing.addEventListener("pointerleave", () => setText(readout, ""));
  drawing.addEventListener("click", (event) => {
    if (texts.has(codeAt(event))) pick(codeAt(event));
  });

  return {
    node,
    async fill({ ask, view, conditions }, tab: Tab) {
      loading ??= world().catch((failure: unknown) => {
        loading = undefined;
        throw failure;
      });
      const asked = questionOf(tab);
      const [map, answer] = await Promise.all([loading, ask({ ...asked, limit: ALL })]);
      if (lands.size === 0) draw(map);
      const top = Math.max(1, ...answer.results.map(({ metrics: [value] }) => numberOf(value) ?? 0));
      const found = new Map(
        answer.results.map(({ dimensions: [code = ""], metrics: [value] }) => [code, numberOf(value) ?? 0]),
      );
      texts = new Map(
        [...found].map(([code, value]) => [
          code,
          fill(
            view.strings.mapRead,
            { place: valueLabel("visit:country", code, view), count: view.format.count(value) },
            view.format.isOne(value),
          ),
        ]),
      );
      for (const [code, land] of lands) {
        const value = found.get(code) ?? 0;
        land.classList.toggle("some", value > 0);
        // By the root: one big country would leave all others blank.
        const shade = FAINTEST + (1 - FAINTEST) * Math.sqrt(value / top);
        setAttribute(land, "fill-opacity", value > 0 ? shade.toFixed(2) : undefined);
        land.classList.toggle("on", isPicked(conditions, "visit:country", code));
      }
      return {
        meta: answer.meta,
        message: answer.results.length === 0 ? view.strings.empty : "",
        isCut: answer.results.length > 0,
        all: asked,
      };
    },
    clear() {
      texts.clear();
      for (const land of lands.values()) land.classList.remove("some", "on");
    },
  };
}
