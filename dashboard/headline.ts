/** The headline numbers as tiles, each compared with the period before; a tile chooses what the chart draws. */
import type { MetricValue } from "./answers.ts";
import { pointChange, relativeChange } from "./change.ts";
import { button, el, setAttribute, setText, svg } from "./dom.ts";
import { currencyOf, numberOf } from "./format.ts";
import { fill } from "./i18n/strings.ts";
import { COUNTED, METRICS, type Metric } from "./metrics.ts";
import { sparkPath } from "./path.ts";
import type { Points } from "./scale.ts";
import type { View } from "./view.ts";

export type Numbers = ReadonlyMap<string, MetricValue>;

/** What the tiles show. */
export interface Headlines {
  readonly numbers: Numbers;
  readonly before: Numbers | undefined;
  /** Nothing is known from before that period, so that it may not be a whole one. */
  readonly isFirst: boolean;
  /** Relative standard errors by metric; absent or 0 is exact. */
  readonly errors: Readonly<Record<string, number>>;
  /** There was revenue in other currencies too, which is left out. */
  readonly hasOtherMoney?: boolean;
  /** The line of one metric; undefined where there is none. */
  points(metric: Metric): Points | undefined;
}

export interface Headline {
  readonly node: HTMLElement;
  update(numbers: Headlines, view: View): void;
  select(metric: Metric): void;
  /** Forgets the site shown so far. */
  clear(): void;
}

/** The one share among them, and the one of which less is better. */
const BOUNCES: Metric = "bounce_rate";

export function headline(view: View, pick: (metric: Metric) => void): Headline {
  const { strings } = view;
  const tiles = METRICS.map((metric) => {
    const value = el("span", { class: "value" }, "–");
    const margin = el("span", { class: "margin" });
    const change = el("span", { class: "change" });
    const before = el("span", { class: "visually-hidden" });
    const line = svg("path", {});
    const spark = svg(
      "svg",
      { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" },
      line,
    );
    const tile = button("tile", el("span", { class: "label" }, strings[metric], margin), () => pick(metric), {
      "aria-pressed": "false",
      "data-metric": metric,
    });
    tile.append(value, el("span", { class: "note" }, change, before), spark);
    const item = el("li", {}, tile);
    item.hidden = metric === "total_revenue";
    return { metric, item, tile, value, margin, change, before, line };
  });

  return {
    node: el("ul", { class: "tiles card", "aria-label": strings.headline }, ...tiles.map(({ item }) => item)),
    update({ numbers: now, before, isFirst, errors, hasOtherMoney, points }, { format }) {
      for (const { metric, item, tile, value, margin, change, before: note, line } of tiles) {
        const isMean = !COUNTED.has(metric);
        // The mean of nothing is not nothing.
        const current = isMean && numberOf(now.get("visits")) === 0 ? null : now.get(metric);
        // Once there was revenue its tile stays, because a tile that comes and goes moves all the others.
        if (numberOf(current) || numberOf(before?.get(metric))) item.hidden = false;
        setText(value, format.metric(metric, current));
        const error = format.error(errors[metric]);
        const currency = hasOtherMoney && currencyOf(current);
        setText(margin, currency ? fill(strings.oneCurrency, { currency }) : error);
        setAttribute(margin, "title", error ? fill(strings.errorHint, { error }) : undefined);
        // An average over no visits is not a zero to compare with.
        const visitsBefore = numberOf(before?.get("visits"));
        const hadValue = !isMean || Boolean(visitsBefore);
        const past = isMean && visitsBefore === 0 ? null : before?.get(metric);
        const isShare = metric === BOUNCES;
        const moved =
          hadValue && !isFirst ? (isShare ? pointChange : relativeChange)(current, past) : undefined;
        const direction = !moved ? "" : moved > 0 ? "up" : "down";
        const good = isShare ? "down" : "up";
        const text =
          moved === undefined
            ? ""
            : isShare
              ? fill(strings.points, { count: format.count(Math.abs(moved)) })
              : format.change(moved);
        const look = direction ? `change ${direction} ${direction === good ? "good" : "bad"}` : "change";
        // New text with a new look: the same text beside an arrow that came or went would count as moved.
        if (change.className !== look) change.textContent = text;
        else setText(change, text);
        change.className = look;
        const was = before ? fill(strings.previousWas, { value: format.metric(metric, past) }) : "";
        const sentence = was && isFirst ? `${was}. ${strings.previousFirst}` : was;
        setText(note, sentence && `, ${sentence}`);
        setAttribute(tile, "title", sentence || undefined);
        setAttribute(line, "d", sparkPath(points(metric) ?? []));
      }
    },
    clear() {
      for (const { metric, item, value, change, line } of tiles) {
        item.hidden = metric === "total_revenue";
        setText(value, "–");
        setText(change, "");
        line.setAttribute("d", "");
      }
    },
    select(metric) {
      for (const one of tiles) one.tile.setAttribute("aria-pressed", String(one.metric === metric));
    },
  };
}
