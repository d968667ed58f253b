/** The body of a ranking: the first rows of one breakdown, with a bar for each share. */
import type { QueryAnswer } from "./answers.ts";
import type { AskOptions, Body } from "./body.ts";
import { type Tab, valueLabel } from "./breakdowns.ts";
import { type Condition, isPicked } from "./filters.ts";
import { flag } from "./flag.ts";
import { numberOf } from "./format.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";
import { type Row, rowTable } from "./table.ts";
import type { View } from "./view.ts";

/** `pick` runs with the row that the viewer chose: its value, and what that is a value of. */
export function rowsBody(
  caption: string,
  rows: number,
  pick: (dimension: string, value: string) => void,
): Body {
  /** Of the rows that are shown, which may not be those of the tab that is open yet. */
  let dimension = "";
  const table = rowTable(caption, rows, (value) => pick(dimension, value));
  let turn = 0;
  return {
    node: table.node,
    async fill({ ask, view, conditions }, tab) {
      const mine = ++turn;
      const asked = questionOf(tab);
      const answer = await ask({ ...asked, limit: rows + 1 });
      const shown = { ...answer, results: answer.results.slice(0, rows) };
      if (mine === turn) {
        fillTable(table, shown, tab, view, conditions);
        dimension = tab.dimension;
      }
      return {
        meta: answer.meta,
        message: answer.results.length === 0 ? view.strings.empty : "",
        isCut: answer.results.length > rows,
        all: asked,
      };
    },
    clear() {
      turn++;
      table.update([], []);
    },
  };
}

/** What a tab asks, without its limit. */
export const questionOf = ({ dimension, metrics, only }: Tab): AskOptions => ({
  dimension,
  metrics,
  ...(only ? { only: [only] } : {}),
});

/** Puts an answer into a table: ranked, in words, with what can be picked. */
export function fillTable(
  into: ReturnType<typeof rowTable>,
  answer: Pick<QueryAnswer, "results" | "meta">,
  tab: Tab,
  view: View,
  conditions: readonly Condition[],
): void {
  const metrics = columnsOf(answer, tab);
  const { strings } = view;
  into.update(
    [strings[tab.noun ?? tab.label], ...metrics.map(({ name }) => strings[name])],
    rowsOf(answer, metrics, tab.dimension, view, conditions),
  );
}

interface Column {
  readonly name: keyof Strings;
  /** Where its values are in a row of the answer. */
  readonly at: number;
}

/** Columns worth a place: revenue only where somebody paid. */
const columnsOf = ({ results }: Pick<QueryAnswer, "results" | "meta">, { metrics }: Tab): Column[] =>
  metrics
    .map((name, at) => ({ name, at }))
    .filter(
      ({ name, at }) =>
        name !== "total_revenue" || results.some((row) => (numberOf(row.metrics[at]) ?? 0) !== 0),
    );

function rowsOf(
  { results }: Pick<QueryAnswer, "results" | "meta">,
  columns: readonly Column[],
  dimension: string,
  view: View,
  conditions: readonly Condition[],
): Row[] {
  const top = Math.max(1, ...results.map(({ metrics: [value] }) => numberOf(value) ?? 0));
  return results.map(({ metrics: values, dimensions: [key = ""] }) => {
    const label = valueLabel(dimension, key, view);
    return {
      key,
      label,
      mark: dimension === "visit:country" ? flag(key) : "",
      cells: columns.map(({ name, at }) => view.format.metric(name, values[at])),
      share: (numberOf(values[0]) ?? 0) / top,
      canFocus: key !== "(other)",
      isFocused: isPicked(conditions, dimension, key),
      hint: fill(view.strings.focusRow, { value: label }),
    };
  });
}
