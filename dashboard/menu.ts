/** Choosing a date range: a button, a list with its shortcut keys, and two date fields. Knows no data. */
import { button, el, setAttribute, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { customDates, customTimes, RANGES, type Range, type RangeName } from "./period.ts";
import type { View } from "./view.ts";

/** One letter a range; the letters are those that peers taught people where they have them. */
export const RANGE_KEYS: Readonly<Record<RangeName, string>> = {
  realtime: "R",
  day: "D",
  yesterday: "E",
  "24h": "H",
  "7d": "W",
  "28d": "F",
  "30d": "T",
  "91d": "N",
  month: "M",
  lastmonth: "P",
  year: "Y",
  "6mo": "S",
  "12mo": "L",
  all: "A",
};
export const CUSTOM_KEY = "C";
export const COMPARE_KEY = "X";
export const STEP_KEYS = { back: "←", forth: "→" } as const;

/** A rule above them: what is now, days, calendar months, long times. */
const FIRST_OF_GROUP: ReadonlySet<RangeName> = new Set(["7d", "month", "6mo"]);

export interface RangeMenu {
  readonly node: HTMLElement;
  /** `canStep` tells whether there is a period before, and one after. */
  show(range: Range, canStep: { readonly back: boolean; readonly forth: boolean }, view: View): void;
  /** Opens the list with the date fields focused. */
  openCustom(): void;
}

export function rangeMenu(
  strings: Strings,
  pick: (range: Range) => void,
  step: (by: -1 | 1) => void,
): RangeMenu {
  const label = el("span", {});
  const opener = button("button", label, () => open(list.hidden !== false), {
    "aria-haspopup": "true",
    "aria-expanded": "false",
    "aria-controls": "ranges",
  });
  const items = RANGES.map((range) => {
    const look = FIRST_OF_GROUP.has(range) ? "item first" : "item";
    const item = button(look, el("span", {}, strings[range]), () => choose(range), { "data-range": range });
    item.append(el("kbd", { "aria-hidden": "true" }, RANGE_KEYS[range]));
    return item;
  });
  const from = el("input", { type: "date", required: "", id: "from" });
  const to = el("input", { type: "date", required: "", id: "to" });
  const form = el(
    "form",
    { class: "custom", "aria-label": strings.custom },
    el("label", { for: "from" }, strings.from),
    from,
    el("label", { for: "to" }, strings.to),
    to,
    el("button", { type: "submit", class: "button" }, strings.apply),
  );
  const list = el(
    "div",
    { class: "menu card", id: "ranges", role: "group", "aria-label": strings.dates },
    ...items,
    form,
  );
  list.hidden = true;
  const arrow = (by: -1 | 1, label: string, sign: string): HTMLButtonElement =>
    button("button step", el("span", { "aria-hidden": "true" }, sign), () => step(by), {
      "aria-label": label,
      title: label,
    });
  const back = arrow(-1, strings.stepBack, "‹");
  const forth = arrow(1, strings.stepForth, "›");
  const node = el("div", { class: "range" }, back, opener, forth, list);

  function open(isOpen: boolean): void {
    list.hidden = !isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) (items.find((item) => item.getAttribute("aria-current")) ?? items[0])?.focus();
  }

  function choose(range: Range): void {
    open(false);
    opener.focus();
    pick(range);
  }

  from.addEventListener("change", () => {
    to.min = from.value;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const range: Range = `${from.value}..${to.value}`;
    if (customDates(range)) choose(range);
  });
  node.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "Escape") {
      open(false);
      opener.focus();
    }
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined || at < 0) return;
    event.preventDefault();
    items[(at + step + items.length) % items.length]?.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!list.hidden && !node.contains(event.target as Node)) open(false);
  });
  node.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !node.contains(event.relatedTarget as Node)) open(false);
  });

  return {
    node,
    show(range, canStep, { format }) {
      const dates = customDates(range);
      const times = customTimes(range);
      setText(
        label,
        dates ? format.dates(...dates) : times ? format.times(...times) : strings[range as RangeName],
      );
      back.disabled = !canStep.back;
      forth.disabled = !canStep.forth;
      for (const item of items) {
        setAttribute(item, "aria-current", item.dataset.range === range ? "true" : undefined);
      }
      if (dates) [from.value, to.value] = dates;
    },
    openCustom() {
      open(true);
      from.focus();
    },
  };
}
