/** Web vitals: what three of four page views had or better, rated as the metrics' authors rate it, and the pages behind them. */
import type { Progress } from "./api.ts";
import type { PanelContext } from "./body.ts";
import { button, el, setText } from "./dom.ts";
import { numberOf } from "./format.ts";
import type { Strings } from "./i18n/en.ts";
import type { Panel, PanelActions } from "./panel.ts";
import { readingText } from "./progress.ts";
import { type Bounds, placeOf, rated } from "./rating.ts";
import type { View } from "./view.ts";

/** Bounds in milliseconds; CLS has no unit. */
interface Vital extends Bounds {
  readonly metric: string;
  readonly name: string;
  readonly hint: keyof Strings;
}

/** https://web.dev/articles/defining-core-web-vitals-thresholds; FCP and TTFB: https://web.dev/articles/fcp, https://web.dev/articles/ttfb */
const VITALS: readonly Vital[] = [
  { metric: "lcp_p75", name: "LCP", hint: "lcpHint", good: 2_500, poor: 4_000 },
  { metric: "inp_p75", name: "INP", hint: "inpHint", good: 200, poor: 500 },
  { metric: "cls_p75", name: "CLS", hint: "clsHint", good: 0.1, poor: 0.25 },
  { metric: "fcp_p75", name: "FCP", hint: "fcpHint", good: 1_800, poor: 3_000 },
  { metric: "ttfb_p75", name: "TTFB", hint: "ttfbHint", good: 800, poor: 1_800 },
];
const PAGES = 6;

export function vitalsPanel(first: View, actions: PanelActions): Panel {
  const { strings } = first;
  const meters = VITALS.map((vital) => {
    const value = el("b", { class: "value" }, "–");
    const word = el("span", { class: "rating" });
    const mark = el("i", { class: "needle" });
    mark.hidden = true;
    const scale = el(
      "div",
      { class: "scale", "aria-hidden": "true" },
      el("i", {}),
      el("i", {}),
      el("i", {}),
      mark,
    );
    const node = el(
      "li",
      { title: strings[vital.hint] },
      el("span", { class: "label" }, vital.name, el("span", { class: "quiet" }, ` ${strings[vital.hint]}`)),
      el("span", { class: "title" }, value, word),
      scale,
    );
    return { vital, node, value, word, mark };
  });
  const message = el("p", { class: "quiet", role: "status" });
  const list = el("ul", { class: "vitals" }, ...meters.map(({ node }) => node));
  const table = el(
    "table",
    { class: "plain" },
    el("caption", { class: "visually-hidden" }, strings.vitalsByPage),
  );
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, strings.page),
    ...VITALS.map(({ name }) => el("th", { scope: "col" }, name)),
  );
  const body = el("tbody", {});
  table.append(el("thead", {}, head), body);
  const node = el(
    "section",
    { class: "card panel wide", "data-panel": "vitals" },
    el("header", {}, el("h2", {}, strings.vitals), el("span", { class: "quiet" }, strings.vitalsNote)),
    message,
    el("div", { class: "vitals-body" }, list, table),
  );

  const text = ({ metric }: Vital, value: number, { format }: View): string =>
    metric === "cls_p75" ? format.decimal(value) : format.milliseconds(value);

  function show(totals: readonly (number | undefined)[], view: View): void {
    for (const [i, { vital, value, word, mark }] of meters.entries()) {
      const n = totals[i];
      const rating = n === undefined ? undefined : rated(vital, n);
      setText(value, n === undefined ? "–" : text(vital, n, view));
      setText(word, rating ? strings[rating] : "");
      word.className = `rating ${rating ?? ""}`;
      mark.hidden = n === undefined;
      if (n !== undefined) mark.style.left = `${(100 * placeOf(vital, n)).toFixed(1)}%`;
    }
  }

  /** Rows stay where they are and change their words: one that holds the keyboard's focus keeps it. */
  const lines = Array.from({ length: PAGES }, () => {
    const name = el("span", { class: "text" });
    const pick = button("pick", name, () => actions.pick("event:page", name.textContent ?? ""));
    const cells = VITALS.map(() => el("td", {}));
    return { name, cells, node: el("tr", {}, el("th", { scope: "row" }, pick), ...cells) };
  });

  function showPages(
    rows: readonly { page: string; values: readonly (number | undefined)[] }[],
    view: View,
  ): void {
    for (const [at, { name, cells, node: line }] of lines.entries()) {
      const row = rows[at];
      if (!row) {
        line.remove();
        continue;
      }
      setText(name, row.page);
      for (const [i, vital] of VITALS.entries()) {
        const n = row.values[i];
        const rating = n === undefined ? undefined : rated(vital, n);
        cells[i]!.className = rating ?? "";
        cells[i]!.replaceChildren(
          n === undefined ? "–" : text(vital, n, view),
          el("span", { class: "visually-hidden" }, rating ? ` ${strings[rating]}` : ""),
        );
      }
      if (!line.isConnected) body.append(line);
    }
  }

  let turns = 0;
  return {
    node,
    tab: "",
    async refresh({ ask, view }: PanelContext) {
      const turn = ++turns;
      const metrics = VITALS.map(({ metric }) => metric);
      const progress: Progress = (done) => {
        if (turn === turns) setText(message, readingText(done, view));
      };
      try {
        const [total, pages] = await Promise.all([
          ask({ metrics }, progress),
          ask({ dimension: "event:page", metrics: ["visitors", ...metrics], limit: 50 }, progress),
        ]);
        if (turn !== turns) return;
        const values = metrics.map((_, i) => numberOf(total.results[0]?.metrics[i]));
        const isEmpty = values.every((value) => value === undefined);
        setText(message, isEmpty ? strings.noVitals : "");
        list.parentElement!.hidden = isEmpty;
        show(values, view);
        const rows = pages.results
          .map(({ dimensions: [page = ""], metrics: [, ...all] }) => ({ page, values: all.map(numberOf) }))
          .filter(({ page, values }) => page !== "(other)" && values.some((value) => value !== undefined));
        showPages(rows.slice(0, PAGES), view);
      } catch (failure) {
        const words = actions.refusal(failure);
        if (words === undefined) throw failure;
        if (turn !== turns) return;
        list.parentElement!.hidden = true;
        setText(message, words);
      }
    },
  };
}
