/** All panels of the page: they are asked together, and one alone when its tab changes. Knows nothing of the chart. */
import { ApiError, type QueryRequest, query } from "./api.ts";
import { el } from "./dom.ts";
import { type Ask, PANELS, panel } from "./panel.ts";
import type { Focus } from "./state.ts";
import type { View } from "./view.ts";

export interface PanelQuestion {
  readonly site: string;
  /** In the API's form. */
  readonly dateRange: QueryRequest["date_range"];
  readonly focus: Focus | undefined;
}

export interface PanelArea {
  readonly node: HTMLElement;
  /** Asks for all of them again. Rejects with the first failure that is not a refusal. */
  refresh(question: PanelQuestion, view: View, signal: AbortSignal): Promise<void>;
}

/** `pick` runs with the row that the viewer chose; `failed` with an outage while a single panel was asked. */
export function panelArea(
  first: View,
  pick: (focus: Focus) => void,
  failed: (error: ApiError) => void,
): PanelArea {
  let last: { question: PanelQuestion; view: View } | undefined;

  const askIn =
    ({ site, dateRange }: PanelQuestion, signal: AbortSignal): Ask =>
    (dimension, metrics, limit) =>
      query(
        {
          site_id: site,
          metrics,
          date_range: dateRange,
          dimensions: [dimension],
          pagination: { limit, offset: 0 },
        },
        signal,
      );

  const panels = PANELS.map((definition) =>
    panel(definition, first, {
      pick,
      async changed(one) {
        if (!last) return;
        try {
          const ask = askIn(last.question, new AbortController().signal);
          await one.refresh(ask, last.view, last.question.focus);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          failed(error);
        }
      },
      refusal: (failure) => (failure instanceof ApiError && !failure.away ? failure.message : undefined),
    }),
  );

  return {
    node: el("div", { class: "panels" }, ...panels.map(({ node }) => node)),
    async refresh(question, view, signal) {
      last = { question, view };
      const ask = askIn(question, signal);
      await Promise.all(panels.map((one) => one.refresh(ask, view, question.focus)));
    },
  };
}
