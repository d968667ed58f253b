/** Headline and chart together: one report of one question, shown by metric. Knows neither panels nor the live poll. */
import type { QueryMeta } from "./answers.ts";
import { ApiError, type Progress } from "./api.ts";
import { type ChartActions, chart } from "./chart.ts";
import { el, setText } from "./dom.ts";
import { headline } from "./headline.ts";
import type { Metric } from "./metrics.ts";
import type { Interval, Period } from "./period.ts";
import { refusal } from "./refusal.ts";
import { type Report, type ReportQuestion, reportLoader } from "./report.ts";
import type { View } from "./view.ts";

export interface NumbersArea {
  readonly nodes: readonly HTMLElement[];
  /** What the shown report covers. */
  readonly period: Period | undefined;
  readonly meta: QueryMeta | undefined;
  /** The points of the chart that is shown. */
  readonly interval: Interval | undefined;
  /** Rejects with an ApiError when the server is away; a refusal is shown. Calls `shown` whenever there is more to see. */
  load(
    question: ReportQuestion,
    view: View,
    signal: AbortSignal,
    progress: Progress,
    shown: () => void,
  ): Promise<void>;
  choose(metric: Metric): void;
  /** Forgets the site shown so far. */
  clear(): void;
}

export interface NumbersActions extends ChartActions {
  metric(chosen: Metric): void;
}

export function numbersArea(first: View, actions: NumbersActions): NumbersArea {
  const { strings } = first;
  const tiles = headline(first, actions.metric);
  const graph = chart(first, actions);
  const notice = el("p", { class: "notice card", role: "alert" });
  notice.hidden = true;
  const load = reportLoader();
  let view = first;
  let report: Report | undefined;
  let metric: Metric = "visitors";

  function show(): void {
    tiles.select(metric);
    if (!report) return;
    tiles.update(report, view);
    const series = report.series(metric);
    tiles.select(series.metric);
    graph.update(series, view);
  }

  return {
    nodes: [notice, tiles.node, graph.node],
    get period() {
      return report?.period;
    },
    get meta() {
      return report?.meta;
    },
    get interval() {
      return report?.series(metric).interval;
    },
    async load(question, now, signal, progress, shown) {
      view = now;
      try {
        for await (const next of load(question, signal, progress)) {
          if (signal.aborted) return;
          report = next;
          notice.hidden = true;
          show();
          shown();
        }
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError) || error.away) throw error;
        report = undefined;
        tiles.update(
          { numbers: new Map(), before: undefined, isFirst: false, errors: {}, points: () => undefined },
          view,
        );
        graph.clear();
        setText(notice, refusal(error, strings));
        notice.hidden = false;
        shown();
      }
    },
    choose(next) {
      metric = next;
      show();
    },
    clear() {
      report = undefined;
      tiles.clear();
    },
  };
}
