/** What the numbers are compared with: a choice in the header. Knows no data. */
import { el, options } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import type { Compare } from "./period.ts";

const COMPARES: Readonly<Record<Compare, keyof Strings>> = {
  previous: "compare_previous",
  year: "compare_year",
  off: "compare_off",
};

export interface CompareSelect {
  readonly node: HTMLSelectElement;
  show(compare: Compare): void;
}

export function compareSelect(strings: Strings, pick: (compare: Compare) => void): CompareSelect {
  const node = el(
    "select",
    { "aria-label": strings.compareHint, class: "compare" },
    ...options(Object.entries(COMPARES).map(([value, name]) => [value, strings[name]])),
  );
  node.addEventListener("change", () => pick(node.value as Compare));
  return {
    node,
    show(compare) {
      node.value = compare;
    },
  };
}
