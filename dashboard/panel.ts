/** The panels below the chart: which breakdowns exist, and one panel with its tabs, rows, full list and messages. */
import type { Filter, QueryAnswer } from "./api.ts";
import { el, setAttribute, setText } from "./dom.ts";
import { flag } from "./flag.ts";
import { numberOf } from "./format.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";
import type { Focus } from "./state.ts";
import { type Row, rowTable } from "./table.ts";
import type { View } from "./view.ts";

interface Tab {
  readonly label: keyof Strings;
  readonly dimension: string;
  readonly metrics: readonly (keyof Strings)[];
  /** Tabs of one group share a drop-down in the tab strip. */
  readonly group?: keyof Strings;
}

export interface PanelDefinition {
  readonly title: keyof Strings;
  /** Rows shown; the panels of one line on screen have as many. */
  readonly rows: number;
  /** Head of the first column where a tab's own name would not say what its rows are. */
  readonly noun?: keyof Strings;
  readonly tabs: readonly Tab[];
}

const VISITS = ["visitors", "visits"] as const;

export const PANELS: readonly PanelDefinition[] = [
  {
    title: "pages",
    rows: 9,
    noun: "page",
    tabs: [
      { label: "top", dimension: "event:page", metrics: ["visitors", "pageviews"] },
      { label: "entry", dimension: "visit:entry_page", metrics: VISITS },
      { label: "exit", dimension: "visit:exit_page", metrics: VISITS },
    ],
  },
  {
    title: "sources",
    rows: 9,
    tabs: [
      { label: "channel", dimension: "visit:channel", metrics: VISITS },
      { label: "source", dimension: "visit:source", metrics: VISITS },
      { label: "referrer", dimension: "visit:referrer", metrics: VISITS },
      { label: "source", dimension: "visit:utm_source", metrics: VISITS, group: "utm" },
      { label: "medium", dimension: "visit:utm_medium", metrics: VISITS, group: "utm" },
      { label: "campaign", dimension: "visit:utm_campaign", metrics: VISITS, group: "utm" },
      { label: "term", dimension: "visit:utm_term", metrics: VISITS, group: "utm" },
      { label: "content", dimension: "visit:utm_content", metrics: VISITS, group: "utm" },
    ],
  },
  {
    title: "countries",
    rows: 7,
    tabs: [
      { label: "country", dimension: "visit:country", metrics: VISITS },
      { label: "language", dimension: "visit:language", metrics: VISITS },
    ],
  },
  {
    title: "devices",
    rows: 7,
    tabs: [
      { label: "device", dimension: "visit:device", metrics: VISITS },
      { label: "browser", dimension: "visit:browser", metrics: VISITS },
      { label: "os", dimension: "visit:os", metrics: VISITS },
      { label: "size", dimension: "visit:screen", metrics: VISITS },
    ],
  },
  {
    title: "goals",
    rows: 7,
    tabs: [{ label: "goal", dimension: "event:goal", metrics: ["visitors", "events", "total_revenue"] }],
  },
];

/** What a breakdown is called in a sentence: "Page", "Country". */
export function dimensionLabel(dimension: string, strings: Strings): string {
  if (dimension === "event:page") return strings.page;
  for (const { title, tabs } of PANELS) {
    const tab = tabs.find((one) => one.dimension === dimension);
    if (tab) return title === "pages" ? `${strings[title]} · ${strings[tab.label]}` : strings[tab.label];
  }
  return dimension;
}

/** A dimension's value as the viewer calls it. */
export function valueLabel(dimension: string, value: string, { strings, format }: View): string {
  if (value === "(other)") return strings.otherRows;
  if (value === "" || value === "(not set)") return strings.notSet;
  if (dimension === "visit:country") return format.country(value);
  if (dimension === "visit:language") return format.language(value);
  return value;
}

/** Asks for one breakdown, `limit` rows by visitors. Rejects with ApiError. */
export type Ask = (dimension: string, metrics: readonly string[], limit: number) => Promise<QueryAnswer>;

export interface Panel {
  readonly node: HTMLElement;
  /** Asks for its rows again; a refused query shows the server's words in the panel, other failures reject. */
  refresh(ask: Ask, view: View, focus: Focus | undefined): Promise<void>;
}

export interface PanelActions {
  pick(focus: Focus): void;
  /** The viewer chose another tab: ask again soon. */
  changed(panel: Panel): void;
  /** The server refused: its message, or undefined to pass the failure on. */
  refusal(failure: unknown): string | undefined;
}

/** More than anybody reads, less than what a browser lays out at once without a hitch. */
const ALL_ROWS = 1_000;

export function panel(definition: PanelDefinition, first: View, actions: PanelActions): Panel {
  const { strings } = first;
  let tab = definition.tabs[0]!;
  let turns = 0;
  let last: { ask: Ask; view: View; focus: Focus | undefined } | undefined;

  const pick = (value: string): void => actions.pick({ dimension: tab.dimension, value });
  const table = rowTable(strings[definition.title], definition.rows, pick);
  const message = el("p", { class: "quiet panel-message", role: "status" });
  const more = el("button", { type: "button", class: "link more" }, strings.more);
  const margin = el("span", { class: "margin" });
  const title = el("h2", {}, strings[definition.title]);
  const strip = el("div", { class: "tabs", role: "group", "aria-label": strings[definition.title] });
  const node = el(
    "section",
    { class: "card panel", "data-panel": definition.title },
    el("header", {}, title, strip),
    el("div", { class: "panel-body" }, table.node, message),
    el("footer", {}, margin, more),
  );
  more.hidden = true;

  const headOf = ({ label }: Tab): string => strings[definition.noun ?? label];

  function choose(next: Tab): void {
    tab = next;
    drawTabs();
    actions.changed(self);
  }

  function drawTabs(): void {
    if (definition.tabs.length < 2) return;
    const held = strip.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-tab")
      : undefined;
    const single = definition.tabs.filter(({ group }) => !group);
    const groups = [...new Set(definition.tabs.flatMap(({ group }) => (group ? [group] : [])))];
    strip.replaceChildren(
      ...single.map((one) => {
        const pressed = String(one === tab);
        const button = el(
          "button",
          { type: "button", "data-tab": one.dimension, "aria-pressed": pressed },
          strings[one.label],
        );
        button.addEventListener("click", () => choose(one));
        return button;
      }),
      ...groups.map((group) => {
        const select = el("select", { "aria-label": strings[group], "data-tab": group });
        select.classList.toggle("on", tab.group === group);
        if (tab.group !== group) select.append(el("option", { value: "" }, strings[group]));
        for (const one of definition.tabs.filter((candidate) => candidate.group === group)) {
          const text = `${strings[group]}: ${strings[one.label]}`;
          select.append(
            el("option", { value: one.dimension, ...(one === tab ? { selected: "" } : {}) }, text),
          );
        }
        select.addEventListener("change", () => {
          const chosen = definition.tabs.find(({ dimension }) => dimension === select.value);
          if (chosen) choose(chosen);
        });
        return select;
      }),
    );
    if (held) strip.querySelector<HTMLElement>(`[data-tab="${held}"]`)?.focus();
  }

  function rowsOf(
    answer: QueryAnswer,
    metrics: readonly string[],
    view: View,
    focus: Focus | undefined,
  ): Row[] {
    const top = Math.max(1, ...answer.results.map(({ metrics: [value] }) => numberOf(value) ?? 0));
    return answer.results.map(({ metrics: values, dimensions: [key = ""] }) => {
      const label = valueLabel(tab.dimension, key, view);
      return {
        key,
        label,
        mark: tab.dimension === "visit:country" ? flag(key) : "",
        cells: metrics.map((metric, i) => view.format.metric(metric, values[i])),
        share: (numberOf(values[0]) ?? 0) / top,
        canFocus: key !== "(other)",
        isFocused: focus?.dimension === tab.dimension && focus.value === key,
        hint: fill(strings.focusRow, { value: label }),
      };
    });
  }

  /** Columns worth a place: revenue only where somebody paid. */
  function columns(answer: QueryAnswer): (keyof Strings)[] {
    return tab.metrics.filter(
      (metric, i) =>
        metric !== "total_revenue" || answer.results.some(({ metrics }) => (numberOf(metrics[i]) ?? 0) !== 0),
    );
  }

  function show(into: typeof table, answer: QueryAnswer, view: View, focus: Focus | undefined): void {
    const metrics = columns(answer);
    into.update([headOf(tab), ...metrics.map((name) => strings[name])], rowsOf(answer, metrics, view, focus));
  }

  async function openAll(): Promise<void> {
    if (!last) return;
    const { ask, view, focus } = last;
    const close = el("button", { type: "button", class: "button" }, strings.close);
    const name = `${strings[definition.title]} · ${strings[tab.label]}`;
    const full = rowTable(name, undefined, (value) => {
      dialog.close();
      pick(value);
    });
    const status = el("p", { class: "quiet", role: "status" });
    const heading = el("h2", { id: "all-title" }, name);
    const scroller = el(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-labelledby": "all-title" },
      full.node,
    );
    const dialog = el("dialog", { class: "card all", "aria-labelledby": "all-title" });
    dialog.append(el("header", {}, heading, close), status, scroller);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    try {
      show(full, await ask(tab.dimension, tab.metrics, ALL_ROWS), view, focus);
    } catch (failure) {
      setText(status, fill(strings.failed, { message: actions.refusal(failure) ?? strings.awayNever }));
    }
  }
  more.addEventListener("click", () => void openAll());

  const self: Panel = {
    node,
    async refresh(ask, view, focus) {
      last = { ask, view, focus };
      const asked = tab;
      const turn = ++turns;
      try {
        const answer = await ask(asked.dimension, asked.metrics, definition.rows + 1);
        if (turn !== turns) return; // the viewer moved on while it was asked; the newer answer counts
        show(table, { ...answer, results: answer.results.slice(0, definition.rows) }, view, focus);
        setText(message, answer.results.length === 0 ? strings.empty : "");
        const error = view.format.error(answer.meta.error?.visitors);
        setText(margin, error ? `${strings.visitors} ${error}` : "");
        setAttribute(margin, "title", error ? fill(strings.errorHint, { error }) : undefined);
        more.hidden = answer.results.length <= definition.rows;
      } catch (failure) {
        const words = actions.refusal(failure);
        if (words === undefined) throw failure;
        if (turn !== turns) return;
        table.update([headOf(asked)], []);
        setText(message, fill(strings.failed, { message: words }));
        setText(margin, "");
        more.hidden = true;
      }
    },
  };
  drawTabs();
  return self;
}

/** The API's filter for a focus. */
export function filterOf(focus: Focus | undefined): readonly Filter[] {
  return focus ? [["is", focus.dimension, [focus.value]]] : [];
}
