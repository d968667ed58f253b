/** All rows of one breakdown in a dialog: searched, sorted and paged by the server, so that a million rows cost no more than fifty. */
import type { AskOptions, PanelContext } from "./body.ts";
import { storedValues, type Tab } from "./breakdowns.ts";
import { csvLink } from "./csv.ts";
import { dialog } from "./dialog.ts";
import { button, el, options, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import { readingText } from "./progress.ts";
import { problem } from "./refusal.ts";
import { fillTable } from "./rowsbody.ts";
import { rowTable } from "./table.ts";

const PAGE = 50;
/** Between the last key of a search and its question. */
const PAUSE_MS = 200;

export interface DetailActions {
  pick(value: string): void;
  refusal(failure: unknown): string | undefined;
}

/**
 * Opens it and asks at once. `about` is what is asked about, until the signal: the dialog's own, since the page asks anew
 * behind it, and ends its own questions when it does.
 */
export function openDetails(
  name: string,
  tab: Tab,
  asked: AskOptions,
  about: (signal: AbortSignal) => PanelContext,
  actions: DetailActions,
): void {
  let turn = new AbortController();
  const { csv, view, conditions } = about(turn.signal);
  const { strings, format } = view;
  let page = 0;
  /** The page that is on screen: from one that did not come, the next is counted from here. */
  let shown = 0;
  let order: readonly [by: string, direction: "asc" | "desc"] = [tab.metrics[0]!, "desc"];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const box = dialog(name, "all", strings, () => {
    clearTimeout(timer);
    turn.abort();
  });
  const table = rowTable(name, undefined, (value) => {
    box.close();
    actions.pick(value);
  });
  const search = el("input", {
    type: "search",
    class: "field",
    "aria-label": strings.search,
    placeholder: strings.search,
  });
  const sort = el("select", { class: "field", "aria-label": strings.sortBy });
  const dimension = asked.dimension ?? "";
  const columns = [
    ...tab.metrics.map((one) => [one, strings[one]] as const),
    [dimension, strings[tab.noun ?? tab.label]] as const,
  ];
  sort.append(
    ...options(
      columns.flatMap(([by, name]) => [
        [`${by} desc`, `${name} ↓`] as const,
        [`${by} asc`, `${name} ↑`] as const,
      ]),
    ),
  );
  const status = el("p", { class: "quiet", role: "status" });
  const link = csvLink(view, (text) => setText(status, text));
  const back = button("button", strings.pageBack, () => turnTo(page - 1));
  const forth = button("button", strings.pageForth, () => turnTo(page + 1));
  const scroller = el(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": name },
    table.node,
  );
  box.body.append(
    el("div", { class: "tools" }, search, sort, link.node),
    scroller,
    el("footer", { class: "pages" }, back, status, forth),
  );

  function question(): AskOptions {
    const text = search.value.trim();
    const only = [
      ...(asked.only ?? []),
      ...(text
        ? [
            [
              "contains",
              dimension,
              storedValues(dimension, text, true, view),
              { case_sensitive: false },
            ] as const,
          ]
        : []),
    ];
    return { ...asked, order: [order], ...(only.length > 0 ? { only } : {}) };
  }

  async function load(): Promise<void> {
    turn.abort();
    turn = new AbortController();
    const { signal } = turn;
    const wanted = question();
    try {
      const answer = await about(signal).ask(
        { ...wanted, limit: PAGE, offset: page * PAGE, countRows: true },
        (done) => {
          if (!signal.aborted) setText(status, readingText(done, view));
        },
      );
      if (signal.aborted) return;
      shown = page;
      link.show(csv(wanted), answer.meta);
      const total = answer.meta.total_rows!;
      fillTable(table, answer, tab, view, conditions);
      scroller.scrollTop = 0;
      setText(
        status,
        total === 0
          ? strings.empty
          : fill(strings.pageOf, {
              from: format.count(page * PAGE + 1),
              to: format.count(page * PAGE + answer.results.length),
              total: format.count(total),
            }),
      );
      back.disabled = page === 0;
      forth.disabled = (page + 1) * PAGE >= total;
    } catch (failure) {
      if (signal.aborted) return;
      page = shown;
      setText(status, actions.refusal(failure) ?? problem(failure, strings));
    }
  }
  const turnTo = (next: number): void => {
    page = next;
    void load();
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => turnTo(0), PAUSE_MS);
  });
  sort.addEventListener("change", () => {
    // A property's name may have spaces of its own.
    const [by = "", direction] = sort.value.split(/ (?=\w+$)/);
    order = [by, direction === "asc" ? "asc" : "desc"];
    turnTo(0);
  });
  back.disabled = forth.disabled = true;
  void load();
}
