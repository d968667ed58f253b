/** The goals that a site's owner named: events and pages, with how many visitors reached them. Kept on the server, for all who look. */
import type { Goal, MetricValue, QueryAnswer } from "./answers.ts";
import { aboutSite } from "./api.ts";
import type { AskOptions, Body, Filled, PanelContext } from "./body.ts";
import type { Tab } from "./breakdowns.ts";
import { button, el } from "./dom.ts";
import { numberOf } from "./format.ts";
import { fillTable } from "./rowsbody.ts";
import { rowTable } from "./table.ts";
import type { View } from "./view.ts";

export interface GoalActions {
  pick(dimension: string, value: string): void;
  /** Opens the editor of a site's. */
  edit(site: string): void;
}

/** A goal as a row: its own key tells an event from a page of the same name. */
const keyOf = (goal: Goal): string =>
  "event" in goal ? `event:goal ${goal.event}` : `event:page ${goal.page}`;
const nameOf = (goal: Goal): string => goal.name ?? ("event" in goal ? goal.event : goal.page);

export function goalsBody(first: View, actions: GoalActions): Body {
  const { strings } = first;
  const table = rowTable(strings.defined, undefined, (key) => {
    const [dimension = "", value = ""] = key.split(/ (.*)/s);
    actions.pick(dimension, value);
  });
  let site = "";
  const edit = button("link", strings.editGoals, () => actions.edit(site));
  edit.hidden = true;

  return {
    node: el("div", { class: "goals" }, el("div", { class: "one-row" }, edit), table.node),
    async fill(context, tab) {
      const { goals, may_write } = await aboutSite(context.site);
      ({ site } = context);
      edit.hidden = !may_write;
      if (goals.length === 0) {
        table.update([], []);
        return { message: strings.noGoals };
      }
      const answers = await Promise.all([
        askFor(
          "event:goal",
          goals.flatMap((goal) => ("event" in goal ? [goal.event] : [])),
          tab,
          context,
        ),
        askFor(
          "event:page",
          goals.flatMap((goal) => ("page" in goal ? [goal.page] : [])),
          tab,
          context,
        ),
      ]);
      const found = new Map<string, readonly MetricValue[]>(
        answers.flatMap(({ dimension, answer }) =>
          (answer?.results ?? []).map((row) => [`${dimension} ${row.dimensions[0]}`, row.metrics] as const),
        ),
      );
      const names = new Map<string, string>(goals.map((goal) => [keyOf(goal), nameOf(goal)]));
      const results = [...names.keys()]
        .map((key) => ({ dimensions: [key], metrics: found.get(key) ?? [0, 0, 0, null] }))
        .sort((a, b) => (numberOf(b.metrics[0]) ?? 0) - (numberOf(a.metrics[0]) ?? 0));
      const meta = answers.find(({ answer }) => answer)?.answer?.meta ?? {};
      fillTable(
        {
          ...table,
          update: (head, all) =>
            table.update(
              head,
              all.map((row) => ({ ...row, label: names.get(row.key) ?? row.key })),
            ),
        },
        { results, meta },
        tab,
        context.view,
        context.conditions,
      );
      return { meta, message: "" } satisfies Filled;
    },
    clear: () => table.update([], []),
  };
}

async function askFor(
  dimension: string,
  values: readonly string[],
  { metrics }: Tab,
  { ask }: PanelContext,
): Promise<{ dimension: string; answer: QueryAnswer | undefined }> {
  if (values.length === 0) return { dimension, answer: undefined };
  const asked: AskOptions = { dimension, metrics, only: [["is", dimension, values]] };
  return { dimension, answer: await ask(asked) };
}
