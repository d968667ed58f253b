/** Answers the Stats API from rollups and the commit tail: exact where the numbers are exact, with the error stated where not. */
import { ClickstreamError } from "../../errors.ts";
import { MAX_EVENT_AGE_MS } from "../../model/event.ts";
import { Measures } from "../../model/measures.ts";
import { ALLOWED_LATENESS_MS, type Clock, type EpochMs, MINUTE_MS, windowStart } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import { firstHour } from "../editions.ts";
import { archiveFrom, hoursFrom, isMinuteKept, minutesFrom } from "../expiry.ts";
import type { FeedEntry } from "../feed.ts";
import { type Freshness, quietUntil, waitingMs } from "../freshness.ts";
import { chunksOf } from "../portions.ts";
import type { Reconciled } from "../reconcile.ts";
import { isListed, type Site, SiteDirectory } from "../sites.ts";
import {
  type Counted,
  comparer,
  echo,
  errorsOf,
  lateEvents,
  type Question,
  type ResultRow,
  rejectsIn,
  shown,
  valuesOf,
} from "./answer.ts";
import { beyondRollups, checkMeaning, isBetterArchived, tableDimension } from "./answerable.ts";
import type { QueryArchive } from "./archive.ts";
import { withoutGaps } from "./breakdown.ts";
import { comparisonRange } from "./compare.ts";
import { Counting } from "./counting.ts";
import { bad } from "./fields.ts";
import { MergedTally, metricError } from "./metrics.ts";
import { stored } from "./names.ts";
import { effectiveOrder, pageOf } from "./order.ts";
import { type Bucket, cut, minuteBesideHours, parseRange, type Range, resolveTime, since } from "./range.ts";
import { type NewestCommit, RollupReader } from "./reader.ts";
import { parseRequest, type QueryRequest } from "./request.ts";
import { type Warning, warningsOf } from "./warnings.ts";

export interface QueryMeta {
  /** Windows that end at or before this are final: an event for them would be late. Epoch ms. */
  readonly complete_until: EpochMs;
  /** How long the oldest event that is not counted yet has been waiting; 0 when all are counted. */
  readonly lag_ms: number;
  /** Relative standard error of each metric in this answer; 0 is exact. */
  readonly error: Record<string, number>;
  readonly source: "rollup" | "archive";
  /** Events in the range that came after their window had closed; they are counted. */
  readonly late: number;
  /** Nothing before this is kept, and the question asked for it; a comparison that reaches there is left out. Epoch ms. */
  readonly kept_from?: EpochMs;
  /** Live numbers against a recount of the stream; absent where nothing is recounted. */
  readonly reconciled?: Reconciled;
  readonly time_labels?: string[];
  /** Those of `time_labels` whose buckets are not final yet. */
  readonly provisional?: string[];
  readonly total_rows?: number;
  /** Remarks on metrics that mean something special here; absent when there is none. */
  readonly metric_warnings?: Readonly<Record<string, Warning>>;
}

export interface QueryResponse {
  readonly results: ResultRow[];
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
  /** What was refused in these minutes, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  readonly reconciled?: Reconciled;
  readonly error: { visitors: number };
}

export interface AllRows {
  /** The query as it was understood. */
  readonly query: Record<string, unknown>;
  /** In order; to be read once. */
  readonly portions: AsyncIterable<readonly ResultRow[]>;
}

export interface SitesResponse {
  readonly sites: { site_id: string; time_zone: string }[];
}

export interface QueryDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** How long the oldest acknowledged event that is not counted yet has waited, ms. Without it the newest commit's delay serves. */
  readonly lagMs?: () => Promise<number>;
  /** What was noted of the stream, for a reader that cannot ask it; not needed with `lagMs`. */
  readonly freshness?: () => Promise<Freshness | undefined>;
  /** What the workers were given. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
  /** The newest recount of a site; without it answers say nothing of one. */
  readonly reconciled?: (siteId: string) => Reconciled | undefined;
  /** The latest events name their traces: only where a reader may open them. */
  readonly tellsTraces?: boolean;
  /** Answers what rollups cannot; without it such a question is refused. */
  readonly archive?: QueryArchive;
  /** Lets others have their turn while years are read. Without it nobody has one: for a process that does nothing else. */
  readonly pause?: () => Promise<unknown>;
}

/** What is known of the stream before the data are read. */
interface Known {
  readonly lagMs: number | undefined;
  readonly noted: Freshness | undefined;
}

/** Of a thousand rows each: what an export holds in memory. */
const BUCKETS_AT_ONCE = 24;
const CURRENT_MINUTES = 5;
const LIVE_MINUTES = 30;

export class QueryEngine {
  readonly #deps: QueryDeps;
  readonly #sites: SiteDirectory;
  readonly #counting: Counting;
  /** Of its own, so that what people watch does not wait until years are read for somebody else. */
  readonly #liveReader: RollupReader;
  /** Sites that are known to have events. */
  readonly #active = new Set<string>();

  constructor(deps: QueryDeps) {
    this.#deps = deps;
    this.#sites = new SiteDirectory(deps);
    this.#counting = new Counting(new RollupReader(deps), deps.clock, deps.archive);
    this.#liveReader = new RollupReader(deps);
  }

  /** Whether questions beyond rollups have an answer here. */
  get hasArchive(): boolean {
    return this.#deps.archive !== undefined;
  }

  /**
   * Throws `bad_request` or `not_found` with a message that names the field, and the signal's reason when it aborts before
   * everything is read.
   */
  async query(body: unknown, signal?: AbortSignal): Promise<QueryResponse> {
    return this.#answer(await this.#plan(await stored(parseRequest(body))), false, signal);
  }

  /**
   * Every row, whatever the pagination; a series over time alone has no gaps up to now. Where rows are in order of time
   * they are counted a few buckets at a time while they are read, so that years of many rows are never in memory
   * together; each bucket is as of then. Throws as `query` does.
   */
  async queryAll(body: unknown): Promise<AllRows> {
    const request = { ...(await stored(parseRequest(body))), limit: Number.POSITIVE_INFINITY, offset: 0 };
    const plan = await this.#plan(request);
    const { site, range, question, isArchived } = plan;
    const query = echo(request, site, range.from < range.to ? range : plan.asked, plan.past);
    if (isArchived || plan.past || !question.time || !isInOrderOfTime(request))
      return { query, portions: portionsOf([(await this.#answer(plan, true)).results]) };
    const all = await this.#counting.allVisitors(question, range);
    const count = async (buckets: readonly Bucket[]): Promise<ResultRow[]> => {
      const span = { from: buckets[0]!.from, to: buckets.at(-1)!.to };
      const counted = { ...(await this.#counting.fromRollups(question, span)), ...(all ? { all } : {}) };
      const isGapless = request.breakdown.length === 0;
      const rows = isGapless ? withoutGaps(counted.rows, counted.buckets, plan.now) : counted.rows;
      return pageOf(shown(rows, counted, question), request).map(({ row }) =>
        valuesOf(row, counted, question),
      );
    };
    const begun = cut(question.time, range, site.timeZone).filter(({ from }) => from <= plan.now);
    const [first, ...others] = chunksOf(begun, BUCKETS_AT_ONCE);
    // Before anything is answered: what is refused is refused with the first.
    return { query, portions: portionsOf([first ? await count(first) : []], others, count) };
  }

  /** Throws what is to be refused. */
  async #plan(request: QueryRequest): Promise<Plan> {
    const site = await this.#sites.site(request.siteId, "site_id");
    const now = this.#deps.clock.now();
    const first = request.dateRange === "all" ? await this.#firstInstant(site, now) : now;
    const asked = parseRange(request.dateRange, site.timeZone, now, first);
    checkMeaning(request);
    const wanted =
      request.include.comparison &&
      comparisonRange(request.include.comparison, asked, request.dateRange, {
        zone: site.timeZone,
        now,
        isKept: (at) => isMinuteKept(site, at, now),
      });
    const isArchived =
      this.#goesToArchive(request) ||
      this.#needsOldMinutes(site, request, wanted ? [asked, wanted] : [asked]);
    const keptFrom = (isArchived ? archiveFrom : hoursFrom)(site, now);
    const range = since(asked, keptFrom);
    // What was deleted is not nothing: numbers beside it would seem to have risen.
    const past = wanted && wanted.from >= keptFrom ? wanted : undefined;
    const isCut = asked.from < keptFrom || wanted !== past || (request.dateRange === "all" && keptFrom > 0);
    const time = request.time && resolveTime(request.time, range, request.dateRange);
    const question: Question = { site, request, time };
    return { request, site, now, asked, isArchived, keptFrom, range, past, isCut, question };
  }

  async #answer(plan: Plan, isSeries: boolean, signal?: AbortSignal): Promise<QueryResponse> {
    const { request, site, now, asked, isArchived, keptFrom, range, past, isCut, question } = plan;
    // Read before the data: what is complete then stays complete.
    const known = await this.#known();
    const count = (span: Range): Promise<Counted> =>
      isArchived
        ? this.#counting.fromArchive(question, span, keptFrom)
        : this.#counting.fromRollups(question, span, signal);
    const main = await count(range);
    // A bucket without anything still has something to be compared with.
    const isGapless = question.time && request.breakdown.length === 0 && (isSeries || past);
    const rows = isGapless ? withoutGaps(main.rows, main.buckets, now) : main.rows;
    // Before anything else is waited for: the next reader adds to what was merged.
    const page = pageOf(shown(rows, main, question), request).map(({ row }) => ({
      row,
      ...valuesOf(row, main, question),
    }));
    const other = past && (await comparable(() => count(past)));
    const { archivedUntil = Number.POSITIVE_INFINITY } = main;
    const live = this.#freshness(main.newest, known, now);
    const freshness = { ...live, complete_until: Math.min(live.complete_until, archivedUntil) };
    const comparisons = other && comparer(other, question);
    const error = errorsOf(question, other ? [main, other] : [main]);
    const warnings = warningsOf({
      request,
      dimension: isArchived ? request.breakdown[0] : tableDimension(request),
      rows: main.rows,
      range: { from: range.from, to: Math.max(range.from + 1, Math.min(range.to, now)) },
      metOther: main.metOther,
      isArchived,
    });
    return {
      results: page.map(({ row, metrics, dimensions }) => ({
        metrics,
        dimensions,
        ...(comparisons ? { comparison: comparisons(row, metrics) } : {}),
      })),
      meta: {
        ...freshness,
        error,
        source: isArchived ? "archive" : "rollup",
        late: main.late,
        ...(isCut ? { kept_from: keptFrom } : {}),
        ...this.#reconciled(site),
        ...(request.include.timeLabels
          ? {
              time_labels: main.buckets.map(({ label }) => label),
              provisional: main.buckets
                .filter(({ to }) => to > freshness.complete_until)
                .map(({ label }) => label),
            }
          : {}),
        ...(request.include.totalRows ? { total_rows: rows.length } : {}),
        ...(Object.keys(warnings).length > 0 ? { metric_warnings: warnings } : {}),
      },
      query: echo(request, site, range.from < range.to ? range : asked, past),
    };
  }

  /** Whether the archive answers. Throws `bad_request` where it would have to and there is none. */
  #goesToArchive(request: QueryRequest): boolean {
    const beyond = beyondRollups(request);
    if (!this.#deps.archive) return beyond === undefined ? false : bad(beyond);
    return beyond !== undefined || isBetterArchived(request);
  }

  /** Whether the archive answers because some minutes are kept nowhere else; where there is none, reading refuses them. */
  #needsOldMinutes(site: Site, request: QueryRequest, ranges: readonly Range[]): boolean {
    if (!this.#deps.archive) return false;
    const keptFrom = minutesFrom(site, this.#deps.clock.now());
    return ranges.some((range) => {
      const isByMinute =
        request.time && resolveTime(request.time, range, request.dateRange) === "time:minute";
      const first = isByMinute ? range.from : minuteBesideHours(site.timeZone, range);
      return first !== undefined && first < keptFrom;
    });
  }

  /** Throws `not_found`. */
  async live(siteId: string): Promise<LiveResponse> {
    const site = await this.#sites.site(siteId, "site_id");
    const now = this.#deps.clock.now();
    const to = windowStart(now, MINUTE_MS) + MINUTE_MS;
    const known = await this.#known();
    const { cells, newest } = await this.#liveReader.read(
      site,
      { from: to - LIVE_MINUTES * MINUTE_MS, to },
      "minute",
    );
    const freshness = this.#freshness(newest, known, now);
    const lately = new Measures();
    for (const { totals } of cells.slice(-CURRENT_MINUTES)) lately.merge(totals);
    const current = new MergedTally(lately);
    return {
      site_id: site.id,
      time_zone: site.timeZone,
      now,
      current_visitors: current.visitors,
      has_events: await this.#hasEvents(site),
      minutes: cells.map((cell) => {
        const totals = new MergedTally(cell.totals);
        return {
          start: cell.from,
          visitors: totals.visitors,
          pageviews: totals.pageviews,
          events: totals.events,
          provisional: cell.to > freshness.complete_until,
        };
      }),
      latest: this.#deps.tellsTraces
        ? this.#liveReader.feed(site.id)
        : this.#liveReader.feed(site.id).map(({ trace: _, ...entry }) => entry),
      ...freshness,
      late: lateEvents(cells),
      rejected: rejectsIn(cells),
      ...this.#reconciled(site),
      error: { visitors: metricError("visitors", current.isExact) },
    };
  }

  async sites(): Promise<SitesResponse> {
    const sites = [...(await this.#sites.all()).values()].filter(isListed);
    return { sites: sites.map(({ id, timeZone }) => ({ site_id: id, time_zone: timeZone })) };
  }

  /**
   * Asked each second, and never false again: an hour need not be read for it twice. What was only refused leaves an
   * hour behind as well, and the site waits for its first event all the same.
   */
  async #hasEvents(site: Site): Promise<boolean> {
    if (this.#liveReader.feed(site.id).length > 0 || this.#active.has(site.id)) return true;
    const kept = hoursFrom(site, this.#deps.clock.now());
    if ((await firstHour(this.#deps.store, site.id, kept)) === undefined) return false;
    const ever = await this.query({ site_id: site.id, metrics: ["events"], date_range: "all" });
    if (!ever.results[0]?.metrics[0]) return false;
    this.#active.add(site.id);
    return true;
  }

  /** Where the data of a site begin. Before the first compaction nobody knows, but no event is older than is accepted. */
  async #firstInstant(site: Site, now: EpochMs): Promise<EpochMs> {
    return (
      (await firstHour(this.#deps.store, site.id, 0)) ?? Math.min(site.createdAt, now) - MAX_EVENT_AGE_MS
    );
  }

  #reconciled({ id }: Site): { reconciled?: Reconciled } {
    const reconciled = this.#deps.reconciled?.(id);
    return reconciled ? { reconciled } : {};
  }

  async #known(): Promise<Known> {
    return { lagMs: await this.#deps.lagMs?.(), noted: await this.#deps.freshness?.() };
  }

  #freshness(
    newest: readonly NewestCommit[],
    { lagMs, noted }: Known,
    now: EpochMs,
  ): { complete_until: EpochMs; lag_ms: number } {
    const { allowedLatenessMs = ALLOWED_LATENESS_MS } = this.#deps;
    const open = newest.filter(({ isReplaced }) => !isReplaced);
    const watermark = open.length === 0 ? 0 : Math.min(...open.map((header) => header.watermark));
    const delay = Math.max(0, ...open.map(({ committedAt, arrivedAt }) => committedAt - arrivedAt));
    // When nothing waits, whatever arrives from now on belongs to now, or is late.
    const quiet = lagMs === 0 ? now - allowedLatenessMs : noted ? quietUntil(noted, allowedLatenessMs) : 0;
    const waiting = noted ? waitingMs(noted, newest, now) : 0;
    return { complete_until: Math.max(watermark, quiet), lag_ms: lagMs ?? Math.max(delay, waiting) };
  }
}

/** What a request comes to. */
interface Plan {
  readonly request: QueryRequest;
  readonly site: Site;
  readonly now: EpochMs;
  readonly asked: Range;
  /** What is kept of it. */
  readonly range: Range;
  readonly keptFrom: EpochMs;
  /** What it is compared with. */
  readonly past: Range | undefined;
  /** Whether anything that was asked for is not kept. */
  readonly isCut: boolean;
  readonly isArchived: boolean;
  readonly question: Question;
}

const isInOrderOfTime = (request: QueryRequest): boolean => {
  const [first] = effectiveOrder(request);
  return first !== undefined && first[0] === request.time && first[1] === "asc";
};

/** Rows that are there, then those that are made when they are asked for. */
async function* portionsOf<T>(
  ready: readonly (readonly ResultRow[])[],
  others: readonly T[] = [],
  make: (one: T) => Promise<readonly ResultRow[]> = async () => [],
): AsyncGenerator<readonly ResultRow[]> {
  yield* ready;
  for (const one of others) yield await make(one);
}

/** Refusals of the range compared with must not blame date_range. */
async function comparable<T>(count: () => Promise<T>): Promise<T> {
  try {
    return await count();
  } catch (cause) {
    if (!(cause instanceof ClickstreamError) || cause.code !== "bad_request") throw cause;
    throw new ClickstreamError("bad_request", `include.compare: ${cause.message}`, { cause });
  }
}
