/** What the numbers are narrowed to: a chip for each condition, to change or to take away, and one more to add. Knows no data. */
import { DIMENSIONS, dimensionLabel, storedValues, valueLabel } from "./breakdowns.ts";
import { dialog } from "./dialog.ts";
import { button, el, options, setText } from "./dom.ts";
import { type Condition, OPERATORS, type Operator } from "./filters.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

/** Next to the letters of the ranges. */
export const FILTER_KEY = "I";

export interface FilterBar {
  readonly node: HTMLElement;
  /** Opens the dialog for a new condition. */
  readonly add: HTMLElement;
  show(conditions: readonly Condition[], view: View): void;
  /** A sentence beside the chips, "" for none: what they narrow takes its time. */
  say(sentence: string): void;
}

/** `change` runs with all conditions as the viewer wants them. */
export function filterBar(strings: Strings, change: (conditions: readonly Condition[]) => void): FilterBar {
  const node = el("div", { class: "focus-bar", role: "group", "aria-label": strings.filters });
  const add = button("button", strings.filter, () => open(undefined), { "data-key": "filter" });
  const status = el("span", { class: "quiet", role: "status" });
  let shown: readonly Condition[] = [];
  let view: View | undefined;
  node.hidden = true;

  const without = (at: number): Condition[] => shown.filter((_, i) => i !== at);

  function open(at: number | undefined): void {
    const known = at === undefined ? undefined : shown[at];
    const box = dialog(strings.filter, "filter", strings);
    const dimension = el("select", { class: "field", "aria-label": strings.dimension });
    const names =
      known && !DIMENSIONS.includes(known.dimension) ? [...DIMENSIONS, known.dimension] : DIMENSIONS;
    dimension.append(...options(names.map((name) => [name, dimensionLabel(name, strings)])));
    const operator = el("select", { class: "field", "aria-label": strings.operator });
    operator.append(...options(OPERATORS.map((name) => [name, strings[name]])));
    const values = el("textarea", {
      class: "field",
      rows: "3",
      "aria-label": strings.values,
      required: "",
      maxlength: "4000",
    });
    if (known) {
      dimension.value = known.dimension;
      operator.value = known.operator;
      values.value = known.values.join("\n");
    }
    const form = el(
      "form",
      { class: "filter-form" },
      dimension,
      operator,
      values,
      el("p", { class: "quiet" }, strings.valuesHelp),
      el("button", { type: "submit", class: "button primary" }, strings.apply),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = values.value
        .split("\n")
        .map((text) => text.trim())
        .filter((text) => text !== "");
      if (wanted.length === 0) return;
      const next = {
        operator: operator.value as Operator,
        dimension: dimension.value,
        values: wanted.flatMap((text) =>
          storedValues(dimension.value, text, operator.value === "contains", view!),
        ),
      };
      box.close();
      change(at === undefined ? [...shown, next] : shown.map((one, i) => (i === at ? next : one)));
    });
    box.body.append(form);
    values.focus();
  }

  return {
    node,
    add,
    say: (sentence) => setText(status, sentence),
    show(conditions, now) {
      view = now;
      // Made anew, a chip would take the keyboard's focus with it: the same ones stay.
      if (JSON.stringify(conditions) === JSON.stringify(shown)) return;
      // Where the keyboard's focus was on a chip that goes, the next best thing takes it.
      const held = node.contains(document.activeElement);
      shown = conditions;
      node.hidden = conditions.length === 0;
      node.replaceChildren(
        ...conditions.map((condition, i) => {
          const { operator, dimension } = condition;
          const label = dimensionLabel(dimension, strings);
          const values = condition.values.map((value) => valueLabel(dimension, value, now)).join(", ");
          const text = operator === "is" ? `${label}: ${values}` : `${label} ${strings[operator]} ${values}`;
          const edit = button("chip-text", text, () => open(i), { title: strings.editFilter });
          const remove = button("chip-remove", "×", () => change(without(i)), {
            "aria-label": fill(strings.unfocus, { filter: text }),
          });
          return el("span", { class: "chip" }, edit, remove);
        }),
        status,
      );
      if (held) (node.querySelector<HTMLElement>("button") ?? add).focus();
    },
  };
}
