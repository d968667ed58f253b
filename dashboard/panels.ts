/** All panels of the page: they are asked together, and one alone when its tab changes. Knows nothing of the chart. */
import type { QueryRequest, SiteSettings } from "./answers.ts";
import { ApiError, aboutSite, csvAddress, forgetSite, query } from "./api.ts";
import type { AskOptions, PanelContext } from "./body.ts";
import { PANELS } from "./breakdowns.ts";
import { openDetails } from "./details.ts";
import { el } from "./dom.ts";
import { editFunnels, editGoals } from "./editor.ts";
import { type Condition, filtersOf } from "./filters.ts";
import { funnelsBody } from "./funnels.ts";
import { gate } from "./gate.ts";
import { goalsBody } from "./goals.ts";
import { mapBody } from "./map.ts";
import { type Panel, type PanelActions, panel } from "./panel.ts";
import { propertiesBody } from "./properties.ts";
import { refusal } from "./refusal.ts";
import type { View } from "./view.ts";
import { vitalsPanel } from "./vitals.ts";

export interface PanelQuestion {
  readonly site: string;
  /** In the API's form. */
  readonly dateRange: QueryRequest["date_range"];
  readonly filters: readonly Condition[];
}

export interface PanelArea {
  readonly node: HTMLElement;
  /** Asks for all of them again. Rejects with the first failure that is not a refusal. */
  refresh(question: PanelQuestion, view: View, signal: AbortSignal): Promise<void>;
}

/** A round of questions waits no longer than this for its slowest panel. */
const PATIENCE_MS = 1_000;

/** Reading the archive for every click would keep a server busy with nothing else: a tenth of the time is enough. */
const REST = 10;

/** A browser opens six connections to a server: the live numbers and the headline must not wait for all of them. */
const ARCHIVE_PLACES = 3;

/** Totals are kept by one dimension at a time; names of events and goals are one. */
function isBeyondTotals({ dimensions = [], filters = [] }: QueryRequest): boolean {
  const tables = [...dimensions, ...filters.map(([, dimension]) => dimension)];
  return new Set(tables.map((name) => (name === "event:goal" ? "event:name" : name))).size > 1;
}

/** `pick` runs with the row that the viewer chose; `failed` with an outage while a single panel was asked. */
export function panelArea(
  first: View,
  pick: (dimension: string, value: string) => void,
  failed: (error: ApiError) => void,
): PanelArea {
  const { strings } = first;
  const archive = gate(ARCHIVE_PLACES);
  let last: { question: PanelQuestion; view: View } | undefined;
  /** Panels whose answer took long, and until when the same is not asked again. */
  const resting = new Map<Panel, { key: string; until: number }>();
  /** Panels that are asked by themselves, because their tab changed. */
  const singly = new Map<Panel, AbortController>();
  /** What each panel is being asked. One that reads the archive may take seconds, and the others go on meanwhile. */
  const running = new Map<Panel, { key: string; signal: AbortSignal; done: Promise<void> }>();
  /** What each panel's rows answer. */
  const shown = new Map<Panel, string>();

  const why = (failure: unknown): string | undefined =>
    failure instanceof ApiError && !failure.away ? refusal(failure, strings) : undefined;

  function contextOf({ question, view }: NonNullable<typeof last>, signal: AbortSignal): PanelContext {
    const { site, dateRange, filters } = question;
    const request = ({
      dimension,
      metrics,
      limit,
      offset = 0,
      only = [],
      order,
      countRows,
    }: AskOptions): QueryRequest => ({
      site_id: site,
      metrics,
      date_range: dateRange,
      ...(dimension ? { dimensions: [dimension] } : {}),
      filters: [...filtersOf(filters), ...only],
      ...(order ? { order_by: order } : {}),
      ...(countRows ? { include: { total_rows: true } } : {}),
      ...(limit === undefined ? {} : { pagination: { limit, offset } }),
    });
    return {
      site,
      question: { site_id: site, date_range: dateRange, filters: filtersOf(filters) },
      signal,
      progress: () => undefined,
      async ask(options, progress) {
        const asked = request(options);
        const answer = () => query(asked, signal, progress && { progress });
        if (!isBeyondTotals(asked)) return answer();
        // Known beforehand, it need not be asked again and again for the same refusal.
        if (!(await aboutSite(site)).has_archive) throw new ApiError("", false, { code: "no_archive" });
        return archive(answer);
      },
      csv: (options) => csvAddress(request(options)),
      view,
      conditions: filters,
    };
  }

  /** Asks one panel. What it shows of another question fades until it is answered: under a new heading it would lie. */
  async function ask(one: Panel, context: PanelContext): Promise<void> {
    const { tab } = one;
    const wanted = JSON.stringify([context.question, tab]);
    one.node.classList.toggle("pending", (shown.get(one) ?? wanted) !== wanted);
    await one.refresh(context);
    // Another tab is being asked for by now.
    if (context.signal.aborted || tab !== one.tab) return;
    shown.set(one, wanted);
    one.node.classList.remove("pending");
  }

  async function refreshOne(one: Panel): Promise<void> {
    if (!last) return;
    singly.get(one)?.abort();
    const turn = new AbortController();
    singly.set(one, turn);
    try {
      await ask(one, contextOf(last, turn.signal));
    } catch (error) {
      if (turn.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      failed(error);
    }
  }

  const actions: PanelActions = {
    pick,
    changed: (one) => void refreshOne(one),
    refusal: why,
    openAll(name, tab, asked) {
      const about = last!;
      const { dimension = tab.dimension } = asked;
      openDetails(name, { ...tab, dimension }, asked, (signal) => contextOf(about, signal), {
        pick: (value) => pick(dimension, value),
        refusal: why,
      });
    },
  };

  const panels = PANELS.map((definition): Panel => {
    const again = (): void => void refreshOne(self);
    const saved = ({ site_id }: SiteSettings): void => {
      forgetSite(site_id);
      again();
    };
    /** With what the server keeps now: another page may have changed it while nothing was asked here. */
    const edit =
      (open: typeof editGoals) =>
      (site: string): void => {
        forgetSite(site);
        aboutSite(site).then((settings) => open(settings, strings, saved), failed);
      };
    const self = panel(definition, first, actions, {
      map: () => mapBody(first, (country) => pick("visit:country", country)),
      properties: () => propertiesBody(first, definition.rows, pick, again),
      goals: () => goalsBody(first, { pick, edit: edit(editGoals) }),
      funnels: () => funnelsBody(first, { changed: again, edit: edit(editFunnels) }),
    });
    return self;
  });
  panels.push(vitalsPanel(first, actions));

  return {
    node: el("div", { class: "panels" }, ...panels.map(({ node }) => node)),
    async refresh({ site, dateRange, filters }, view, signal) {
      // Nothing else of what is asked for, as the time of asking: that differs each time.
      const question = { site, dateRange, filters };
      const key = JSON.stringify(question);
      if (JSON.stringify(last?.question) !== key) for (const turn of singly.values()) turn.abort();
      last = { question, view };
      const context = contextOf(last, signal);
      await Promise.all(
        panels.map((one) => {
          const before = running.get(one);
          if (before?.key === key && !before.signal.aborted) return undefined;
          const rest = resting.get(one);
          if (rest?.key === key && performance.now() < rest.until) return undefined;
          // Asked something else, it no longer shows what it rests on.
          resting.delete(one);
          const began = performance.now();
          let isLate = false;
          const done = ask(one, context).finally(() => {
            if (running.get(one)?.done === done) running.delete(one);
            const took = performance.now() - began;
            if (took > PATIENCE_MS && !signal.aborted) resting.set(one, { key, until: began + REST * took });
          });
          running.set(one, { key, signal, done });
          done.catch((error: unknown) => {
            if (isLate && error instanceof ApiError && !signal.aborted) failed(error);
          });
          const enough = new Promise<void>((resolve) => {
            setTimeout(() => {
              isLate = true;
              resolve();
            }, PATIENCE_MS);
          });
          return Promise.race([done, enough]);
        }),
      );
    },
  };
}
