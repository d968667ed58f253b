/** Headline and chart together: one report of one question, shown by metric. Knows neither panels nor the live poll. */
import { ApiError } from "./api.ts";
import { chart } from "./chart.ts";
import { el, setText } from "./dom.ts";
import { headline, isMetric, type Metric } from "./headline.ts";
import { fill } from "./i18n/strings.ts";
import type { Period } from "./period.ts";
import { type Report, type ReportQuestion, reportLoader } from "./report.ts";
import type { View } from "./view.ts";

export interface NumbersArea {
  readonly nodes: readonly HTMLElement[];
  /** The server has answered a question, be it with a refusal: there is something to show. */
  readonly hasAnswer: boolean;
  /** What the shown report covers. */
  readonly period: Period | undefined;
  /** Rejects with an ApiError when the server is away; a refusal is shown. */
  load(question: ReportQuestion, view: View, signal: AbortSignal): Promise<void>;
  choose(metric: string): void;
  /** Forgets the site shown so far. */
  clear(): void;
}

export function numbersArea(first: View, pick: (metric: Metric) => void): NumbersArea {
  const { strings } = first;
  const tiles = headline(first, pick);
  const graph = chart(first);
  const notice = el("p", { class: "notice card", role: "alert" });
  notice.hidden = true;
  const load = reportLoader();
  let view = first;
  let report: Report | undefined;
  let metric = "visitors";
  let hasAnswer = false;

  function show(): void {
    tiles.select(metric);
    if (!report) return;
    tiles.update(report.numbers, report.before, report.errors, view);
    const series = report.series(isMetric(metric) ? metric : "visitors");
    tiles.select(series.metric);
    graph.update(series, view);
  }

  return {
    nodes: [notice, tiles.node, graph.node],
    get hasAnswer() {
      return hasAnswer;
    },
    get period() {
      return report?.period;
    },
    async load(question, now, signal) {
      view = now;
      try {
        const next = await load(question, signal);
        if (signal.aborted) return;
        report = next;
        notice.hidden = true;
        show();
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError) || error.away) throw error;
        report = undefined;
        tiles.update(new Map(), undefined, {}, view);
        graph.clear();
        setText(notice, fill(strings.failed, { message: error.message }));
        notice.hidden = false;
      }
      hasAnswer = true;
    },
    choose(next) {
      metric = next;
      show();
    },
    clear() {
      report = undefined;
      hasAnswer = false;
      tiles.clear();
    },
  };
}
