/** Answers the Stats API from rollups and the commit tail: exact where the numbers are exact, with the error stated where not. */
import { ClickstreamError } from "../../errors.ts";
import { EXIT_PAGE } from "../../model/dimensions.ts";
import { Measures } from "../../model/measures.ts";
import type { Table } from "../../model/rollup.ts";
import {
  ALLOWED_LATENESS_MS,
  type Clock,
  DAY_MS,
  type EpochMs,
  MINUTE_MS,
  windowStart,
} from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import type { CommitHeader } from "../commit.ts";
import type { FeedEntry } from "../fold.ts";
import type { Reconciled } from "../reconcile.ts";
import { type Site, SiteDirectory } from "../sites.ts";
import { filteredDimension, holds, predicate, tableOf } from "./filter.ts";
import { type MetricValue, metricError, metricValue, visitorsOf } from "./metrics.ts";
import { type Bucket, cut, isoLocal, parseRange, type Range, resolveTime } from "./range.ts";
import { type Cell, RollupReader } from "./reader.ts";
import { type Metric, parseRequest, type QueryRequest } from "./request.ts";

export interface QueryMeta {
  /** Windows that end at or before this are final: an event for them would be late. Epoch ms. */
  readonly complete_until: EpochMs;
  /** How long the oldest event that is not counted yet has been waiting; 0 when all are counted. */
  readonly lag_ms: number;
  /** Relative standard error of each metric in this answer; 0 is exact. */
  readonly error: Record<string, number>;
  readonly source: "rollup";
  /** Events in the range that came after their window had closed; they are counted. */
  readonly late: number;
  /** Live numbers against a recount of the stream; absent where nothing is recounted. */
  readonly reconciled?: Reconciled;
  readonly time_labels?: string[];
  /** Those of `time_labels` whose buckets are not final yet. */
  readonly provisional?: string[];
  readonly total_rows?: number;
}

export interface QueryResponse {
  readonly results: { metrics: MetricValue[]; dimensions: string[] }[];
  readonly meta: QueryMeta;
  /** The query as it was understood. */
  readonly query: Record<string, unknown>;
}

export interface LiveResponse {
  readonly site_id: string;
  readonly time_zone: string;
  readonly now: EpochMs;
  /** Visitors with an event in the last five minutes. */
  readonly current_visitors: number;
  /** Whether anything was ever counted for this site. */
  readonly has_events: boolean;
  readonly minutes: {
    start: EpochMs;
    visitors: number;
    pageviews: number;
    events: number;
    provisional: boolean;
  }[];
  readonly latest: readonly FeedEntry[];
  readonly complete_until: EpochMs;
  readonly lag_ms: number;
  /** Late events in these minutes. */
  readonly late: number;
  readonly reconciled?: Reconciled;
  readonly error: { visitors: number };
}

export interface SitesResponse {
  readonly sites: { site_id: string; time_zone: string }[];
}

export interface QueryDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** How long the oldest acknowledged event that is not counted yet has waited, ms. Without it the newest commit's delay serves. */
  readonly lagMs?: () => Promise<number>;
  /** What the workers were given. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
  /** The newest recount of a site; without it answers say nothing of one. */
  readonly reconciled?: (siteId: string) => Reconciled | undefined;
}

const CURRENT_MINUTES = 5;
const LIVE_MINUTES = 30;
/** Metrics of a visit as a whole; a custom event or property has none. */
const VISIT_METRICS: ReadonlySet<Metric> = new Set([
  "bounce_rate",
  "visit_duration",
  "views_per_visit",
  "engaged_time",
]);

export class QueryEngine {
  readonly #deps: QueryDeps;
  readonly #sites: SiteDirectory;
  readonly #reader: RollupReader;

  constructor(deps: QueryDeps) {
    this.#deps = deps;
    this.#sites = new SiteDirectory(deps);
    this.#reader = new RollupReader(deps);
  }

  /** Throws `bad_request` or `not_found` with a message that names the field. */
  async query(body: unknown): Promise<QueryResponse> {
    const request = parseRequest(body);
    const site = await this.#sites.site(request.siteId, "site_id");
    const now = this.#deps.clock.now();
    const first = request.dateRange === "all" ? await this.#firstInstant(site, now) : now;
    const range = parseRange(request.dateRange, site.timeZone, now, first);
    const time = request.time && resolveTime(request.time, range, request.dateRange);
    const buckets: Bucket[] = time ? cut(time, range, site.timeZone) : [{ label: "", ...range }];
    const filtered = filteredDimension(request.filters);
    const dimension = request.dimension ?? filtered;
    checkAnswerable(request, filtered);
    const coarsest = time === "time:minute" ? "minute" : time === "time:hour" ? "hour" : "day";
    // Read before the data: what is complete then stays complete.
    const lag = await this.#lag();
    // Nothing happens in the future: a range that ends there is not looked up day by day.
    const covered = { from: range.from, to: Math.max(range.from, Math.min(range.to, now + 2 * DAY_MS)) };
    const aligned =
      covered.to === range.to ? covered : { ...covered, to: windowStart(covered.to, MINUTE_MS) };
    const { cells, newest } = await this.#reader.read(site, [aligned], coarsest);
    const freshness = this.#freshness(newest, lag, now);

    const rows = breakDown(buckets, cells, request, dimension);
    const all = mergeTotals(cells);
    const results = rows.map(({ bucket, value, measures, entry }) => ({
      metrics: request.metrics.map((metric) =>
        metricValue(metric, measures, { dimension, entry, allVisitors: visitorsOf(all, undefined) }),
      ),
      dimensions: request.dimensions.map((name) => (name === request.dimension ? value : bucket.label)),
      order: bucket.from,
    }));
    sortResults(results, request);
    const error = Object.fromEntries(
      request.metrics.map((metric) => [
        metric,
        metricError(
          metric,
          [...rows.map(({ measures }) => measures), ...(metric === "percentage" ? [all] : [])],
          dimension,
        ),
      ]),
    );
    return {
      results: results
        .slice(request.offset, request.offset + request.limit)
        .map(({ metrics, dimensions }) => ({ metrics, dimensions })),
      meta: {
        ...freshness,
        error,
        source: "rollup",
        late: lateEvents(cells),
        ...this.#reconciled(site),
        ...(request.include.timeLabels && time
          ? {
              time_labels: buckets.map(({ label }) => label),
              provisional: buckets
                .filter(({ to }) => to > freshness.complete_until)
                .map(({ label }) => label),
            }
          : {}),
        ...(request.include.totalRows ? { total_rows: results.length } : {}),
      },
      query: echo(request, site, range),
    };
  }

  /** Throws `not_found`. */
  async live(siteId: string): Promise<LiveResponse> {
    const site = await this.#sites.site(siteId, "site_id");
    const now = this.#deps.clock.now();
    const to = windowStart(now, MINUTE_MS) + MINUTE_MS;
    const lag = await this.#lag();
    const { cells, newest } = await this.#reader.read(
      site,
      [{ from: to - LIVE_MINUTES * MINUTE_MS, to }],
      "minute",
    );
    const freshness = this.#freshness(newest, lag, now);
    const current = mergeTotals(cells.slice(-CURRENT_MINUTES));
    return {
      site_id: site.id,
      time_zone: site.timeZone,
      now,
      current_visitors: visitorsOf(current, undefined),
      has_events: (await this.#firstHour(site)) !== undefined || this.#reader.feed(site.id).length > 0,
      minutes: cells.map((cell) => {
        const totals = mergeTotals([cell]);
        return {
          start: cell.from,
          visitors: visitorsOf(totals, undefined),
          pageviews: totals.pageviews,
          events: totals.events,
          provisional: cell.to > freshness.complete_until,
        };
      }),
      latest: this.#reader.feed(site.id),
      ...freshness,
      late: lateEvents(cells),
      ...this.#reconciled(site),
      error: { visitors: metricError("visitors", [current], undefined) },
    };
  }

  async sites(): Promise<SitesResponse> {
    const sites = [...(await this.#sites.all()).values()];
    return { sites: sites.map(({ id, timeZone }) => ({ site_id: id, time_zone: timeZone })) };
  }

  async #firstHour(site: Site): Promise<EpochMs | undefined> {
    const [hour] = await this.#deps.store.list(`hour/${site.id}`, { limit: 1 });
    return hour && Number(hour.sk);
  }

  /** Where the data of a site begin; nothing older than the hours is in the tail but for imports still under way. */
  async #firstInstant(site: Site, now: EpochMs): Promise<EpochMs> {
    return (await this.#firstHour(site)) ?? Math.min(site.createdAt, now);
  }

  #reconciled({ id }: Site): { reconciled?: Reconciled } {
    const reconciled = this.#deps.reconciled?.(id);
    return reconciled ? { reconciled } : {};
  }

  async #lag(): Promise<number | undefined> {
    return this.#deps.lagMs?.();
  }

  #freshness(
    newest: readonly CommitHeader[],
    lag: number | undefined,
    now: EpochMs,
  ): { complete_until: EpochMs; lag_ms: number } {
    const watermark = newest.length === 0 ? 0 : Math.min(...newest.map((header) => header.watermark));
    const delay = Math.max(0, ...newest.map(({ committedAt, arrivedAt }) => committedAt - arrivedAt));
    // When nothing waits, whatever arrives from now on belongs to now, or is late.
    const quiet = lag === 0 ? now - (this.#deps.allowedLatenessMs ?? ALLOWED_LATENESS_MS) : 0;
    return { complete_until: Math.max(watermark, quiet), lag_ms: lag ?? delay };
  }
}

function checkAnswerable(request: QueryRequest, filtered: string | undefined): void {
  const { dimension } = request;
  const bad = (message: string): never => {
    throw new ClickstreamError("bad_request", message);
  };
  if (filtered && dimension && tableOf(filtered) !== tableOf(dimension)) {
    bad(
      `filters: ${filtered} while breaking down by ${dimension} cannot be answered from rollups; filter by the same dimension`,
    );
  }
  const shown = dimension ?? filtered;
  for (const [i, metric] of request.metrics.entries()) {
    const field = `metrics[${i}]`;
    if (metric === "percentage" && !shown) bad(`${field}: percentage needs a dimension`);
    if (metric === "conversion_rate" && !shown?.startsWith("event:"))
      bad(`${field}: conversion_rate needs event:goal, event:page or event:props:*`);
    if (!shown) continue;
    if (
      shown.startsWith("event:") &&
      VISIT_METRICS.has(metric) &&
      !(shown === "event:page" && (metric === "bounce_rate" || metric === "visit_duration"))
    )
      bad(`${field}: ${metric} belongs to visits and cannot be broken down by ${shown}`);
    if (shown === EXIT_PAGE && EXIT_UNKNOWN.has(metric))
      bad(`${field}: ${metric} is not known by ${EXIT_PAGE}`);
    if (
      filtered &&
      !dimension &&
      metric === "visits" &&
      filtered.startsWith("event:") &&
      !isOneValue(request)
    )
      bad(
        `${field}: visits over several values of ${filtered} would count a visit once for each; filter for one value`,
      );
  }
}

const EXIT_UNKNOWN: ReadonlySet<Metric> = new Set([
  "scroll_depth",
  "time_on_page",
  "total_revenue",
  "average_revenue",
]);

const isOneValue = ({ filters }: QueryRequest): boolean =>
  filters.length === 1 &&
  filters[0]?.kind === "test" &&
  filters[0].operator === "is" &&
  filters[0].values.length === 1;

interface Row {
  readonly bucket: Bucket;
  readonly value: string;
  readonly measures: Measures;
  readonly entry: Measures | undefined;
}

function breakDown(
  buckets: readonly Bucket[],
  cells: readonly Cell[],
  request: QueryRequest,
  dimension: string | undefined,
): Row[] {
  const passes = predicate(request.filters);
  const needsEntry =
    dimension === "event:page" && request.metrics.some((metric) => VISIT_METRICS.has(metric));
  const rows: Row[] = [];
  let next = 0;
  for (const bucket of buckets) {
    const own: Cell[] = [];
    for (let cell = cells[next]; cell && cell.from < bucket.to; cell = cells[++next]) own.push(cell);
    if (!dimension) {
      const measures = mergeTotals(own);
      if (!request.time || !measures.isZero()) rows.push({ bucket, value: "", measures, entry: undefined });
      continue;
    }
    const keep = (value: string): boolean =>
      holds(dimension, value) && (request.filters.length === 0 || passes(value));
    const table = mergeTables(own, tableOf(dimension), keep);
    const entries = needsEntry
      ? mergeTables(own, "visit:entry_page", (value) => table.has(value))
      : undefined;
    if (request.dimension) {
      for (const [value, measures] of table)
        if (!measures.isZero()) rows.push({ bucket, value, measures, entry: entries?.get(value) });
      continue;
    }
    // Filtered without a breakdown: the rows that pass, as one.
    const measures = new Measures();
    const entry = new Measures();
    for (const [value, row] of table) {
      measures.merge(row);
      const entered = entries?.get(value);
      if (entered) entry.merge(entered);
    }
    if (!request.time || !measures.isZero()) rows.push({ bucket, value: "", measures, entry });
  }
  return rows;
}

function mergeTotals(cells: readonly Cell[]): Measures {
  const totals = new Measures();
  for (const { parts } of cells) for (const part of parts) totals.merge(part.totals);
  return totals;
}

function lateEvents(cells: readonly Cell[]): number {
  return cells.flatMap(({ parts }) => parts).reduce((sum, { late }) => sum + late, 0);
}

function mergeTables(cells: readonly Cell[], name: string, keep: (value: string) => boolean): Table {
  const merged: Table = new Map();
  for (const { parts } of cells) {
    for (const part of parts) {
      for (const [value, measures] of part.table(name) ?? []) {
        if (!keep(value)) continue;
        let row = merged.get(value);
        if (!row) {
          row = new Measures();
          merged.set(value, row);
        }
        row.merge(measures);
      }
    }
  }
  return merged;
}

/** By the order asked for; else time upwards, then the first metric downwards. Ties go by dimension, so pages never overlap. */
function sortResults(
  results: { metrics: MetricValue[]; dimensions: string[]; order: EpochMs }[],
  request: QueryRequest,
): void {
  const { metrics, dimensions } = request;
  const orders: (readonly [string, "asc" | "desc"])[] = [...request.orderBy];
  if (orders.length === 0) {
    if (request.time) orders.push([request.time, "asc"]);
    if (metrics[0]) orders.push([metrics[0], "desc"]);
  }
  const compareNumbers = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
  const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  results.sort((a, b) => {
    for (const [key, direction] of orders) {
      const sign = direction === "asc" ? 1 : -1;
      const metric = (metrics as readonly string[]).indexOf(key);
      const at = dimensions.indexOf(key);
      const order =
        metric >= 0
          ? compareNumbers(numeric(a.metrics[metric]), numeric(b.metrics[metric]))
          : key === request.time
            ? a.order - b.order
            : compareTexts(a.dimensions[at] ?? "", b.dimensions[at] ?? "");
      if (order !== 0) return sign * order;
    }
    for (const i of dimensions.keys()) {
      const order = compareTexts(a.dimensions[i] ?? "", b.dimensions[i] ?? "");
      if (order !== 0) return order;
    }
    return 0;
  });
}

const numeric = (value: MetricValue | undefined): number =>
  typeof value === "number" ? value : value ? value.value : Number.NEGATIVE_INFINITY;

function echo(request: QueryRequest, site: Site, range: Range): Record<string, unknown> {
  return {
    site_id: site.id,
    metrics: request.metrics,
    date_range: [isoLocal(site.timeZone, range.from), isoLocal(site.timeZone, range.to - 1000)],
    dimensions: request.dimensions,
    filters: request.filters.map(filterEcho),
    order_by: request.orderBy,
    include: { time_labels: request.include.timeLabels, total_rows: request.include.totalRows },
    pagination: { limit: request.limit, offset: request.offset },
  };
}

function filterEcho(filter: QueryRequest["filters"][number]): unknown {
  if (filter.kind === "test") return [filter.operator, filter.dimension, filter.values];
  return filter.kind === "not"
    ? ["not", filterEcho(filter.filter)]
    : [filter.kind, filter.filters.map(filterEcho)];
}
