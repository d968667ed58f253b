/** One panel: its tabs, the body of the tab that is open, what it cannot show and why, the way to all rows and to CSV. Knows no chart. */
import type { Progress } from "./api.ts";
import type { Ask, AskOptions, Body, Filled, PanelContext } from "./body.ts";
import type { PanelDefinition, Tab, TabKind } from "./breakdowns.ts";
import { csvLink } from "./csv.ts";
import { button, el, options, setAttribute, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import { readingText } from "./progress.ts";
import { rowsBody } from "./rowsbody.ts";
import type { View } from "./view.ts";

export interface Panel {
  readonly node: HTMLElement;
  /** Names the tab that is open. */
  readonly tab: string;
  /** Asks for its rows again; a refused query shows why in the panel, other failures reject. */
  refresh(context: PanelContext): Promise<void>;
}

export interface PanelActions {
  pick(dimension: string, value: string): void;
  /** The viewer chose another tab: ask again soon. */
  changed(panel: Panel): void;
  /** Why the server refused, in words for the viewer; undefined to pass the failure on. */
  refusal(failure: unknown): string | undefined;
  /** Shows all rows of a tab. */
  openAll(name: string, tab: Tab, asked: AskOptions): void;
}

/** Longer than any answer from totals should take. */
const SLOW_MS = 1_500;

export type Bodies = Readonly<Record<Exclude<TabKind, "rows">, () => Body>>;

export function panel(
  definition: PanelDefinition,
  first: View,
  actions: PanelActions,
  bodies: Bodies,
): Panel {
  const { strings } = first;
  let tab = definition.tabs[0]!;
  let turns = 0;
  let all: AskOptions | undefined;
  const made = new Map<TabKind, Body>();

  const message = el("p", { class: "quiet panel-message", role: "status" });
  const more = button("link more", strings.more, () => {
    if (all) actions.openAll(`${strings[definition.title]} · ${strings[tab.label]}`, tab, all);
  });
  const csv = csvLink(first, (text) => setText(message, text));
  const margin = el("span", { class: "margin" });
  const source = el("span", { class: "badge", title: strings.archiveHint }, strings.archive);
  const title = el("h2", {}, strings[definition.title]);
  const strip = el("div", { class: "tabs", role: "group", "aria-label": strings[definition.title] });
  const inside = el("div", { class: "panel-body" });
  const node = el(
    "section",
    { class: "card panel", "data-panel": definition.title, "data-rows": String(definition.rows) },
    el("header", {}, title, strip),
    inside,
    el("footer", {}, margin, source, more, csv.node),
  );
  more.hidden = csv.node.hidden = source.hidden = true;

  function body(): Body {
    const kind = tab.kind ?? "rows";
    let one = made.get(kind);
    if (!one) {
      one =
        kind === "rows" ? rowsBody(strings[definition.title], definition.rows, actions.pick) : bodies[kind]();
      made.set(kind, one);
    }
    if (inside.firstElementChild !== one.node) inside.replaceChildren(one.node, message);
    return one;
  }

  function choose(next: Tab): void {
    tab = next;
    drawTabs();
    body();
    setText(message, "");
    // What the tab before was asked for is not what this one shows.
    all = undefined;
    more.hidden = csv.node.hidden = source.hidden = true;
    actions.changed(self);
  }

  function drawTabs(): void {
    const { tabs } = definition;
    const held = strip.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-tab")
      : undefined;
    const groups = [...new Set(tabs.flatMap(({ group }) => (group ? [group] : [])))];
    strip.replaceChildren(
      ...tabs
        .filter(({ group }) => !group)
        .map((one) =>
          button("", strings[one.label], () => choose(one), {
            "data-tab": one.label,
            "aria-pressed": String(one === tab),
          }),
        ),
      ...groups.map((group) => {
        const select = el("select", { "aria-label": strings[group], "data-tab": group });
        select.classList.toggle("on", tab.group === group);
        if (tab.group !== group) select.append(...options([["", strings[group]]]));
        const members = tabs.filter((one) => one.group === group);
        select.append(
          ...options(members.map((one) => [one.dimension, `${strings[group]}: ${strings[one.label]}`])),
        );
        if (tab.group === group) select.value = tab.dimension;
        select.addEventListener("change", () => {
          const chosen = tabs.find(({ dimension }) => dimension === select.value);
          if (chosen) choose(chosen);
        });
        return select;
      }),
    );
    if (held) strip.querySelector<HTMLElement>(`[data-tab="${held}"]`)?.focus();
  }

  function show(filled: Filled, { view, csv: address }: PanelContext): void {
    all = filled.all;
    setText(message, filled.message);
    const error = view.format.error(filled.meta?.error?.visitors);
    setText(margin, error ? `${strings.visitors} ${error}` : "");
    setAttribute(margin, "title", error ? fill(strings.errorHint, { error }) : undefined);
    source.hidden = filled.meta?.source !== "archive";
    const since = filled.meta?.kept_from;
    setText(
      source,
      since ? `${strings.archive} · ${strings.from} ${view.format.day(since)}` : strings.archive,
    );
    more.hidden = !all || !filled.isCut;
    csv.node.hidden = !all || filled.message !== "";
    csv.show(all ? address(all) : "", filled.meta, strings[tab.label]);
  }

  const self: Panel = {
    node,
    get tab() {
      return tab.label + tab.dimension;
    },
    async refresh(context) {
      const asked = tab;
      const turn = ++turns;
      const one = body();
      const wait = (words: string): void => {
        clearTimeout(slow);
        if (turn !== turns) return;
        setText(message, words);
        inside.classList.add("waiting");
      };
      const progress: Progress = (done) => wait(readingText(done, context.view));
      const slow = setTimeout(wait, SLOW_MS, strings.waiting);
      const ask: Ask = (options) => context.ask(options, progress);
      try {
        const filled = await one.fill({ ...context, ask, progress }, asked);
        if (turn === turns) show(filled, context); // else the viewer moved on; the newer answer counts
      } catch (failure) {
        const words = actions.refusal(failure);
        if (words === undefined) throw failure;
        if (turn !== turns) return;
        one.clear(asked);
        show({ message: words }, context);
      } finally {
        clearTimeout(slow);
        if (turn === turns) inside.classList.remove("waiting");
      }
    },
  };
  drawTabs();
  body();
  return self;
}
