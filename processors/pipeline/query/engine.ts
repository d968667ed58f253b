/** Answers the Stats API from rollups and the commit tail: exact where the numbers are exact, with the error stated where not. */
import { ClickstreamError } from "../../errors.ts";
import type { EpochMs } from "../../model/time.ts";
import { firstInstant } from "../editions.ts";
import { archiveFrom, hoursFrom, isMinuteKept, minutesFrom } from "../expiry.ts";
import { chunksOf } from "../portions.ts";
import { isListed, type Site, SiteDirectory } from "../sites.ts";
import {
  type Counted,
  comparer,
  echo,
  errorsOf,
  type Question,
  type ResultRow,
  shown,
  valuesOf,
} from "./answer.ts";
import { beyondRollups, checkMeaning, isBetterArchived, tableDimension } from "./answerable.ts";
import type { QueryArchive } from "./archive.ts";
import { withoutGaps } from "./breakdown.ts";
import { comparisonRange } from "./compare.ts";
import { Completeness, type CompletenessDeps } from "./completeness.ts";
import { Counting } from "./counting.ts";
import { Live, type LiveDeps } from "./live.ts";
import { stored } from "./names.ts";
import { effectiveOrder, pageOf } from "./order.ts";
import { type Bucket, cut, minuteBesideHours, parseRange, type Range, resolveTime, since } from "./range.ts";
import { RollupReader } from "./reader.ts";
import { parseRequest, type QueryRequest } from "./request.ts";
import type { AllRows, LiveResponse, QueryResponse, SitesResponse } from "./responses.ts";
import { Unanswered } from "./unanswered.ts";
import { warningsOf } from "./warnings.ts";

export interface QueryDeps extends CompletenessDeps, LiveDeps {
  /** Answers what rollups cannot; without it such a question is refused. */
  readonly archive?: QueryArchive;
}

/** Of a thousand rows each: what an export holds in memory. */
const BUCKETS_AT_ONCE = 24;

export class QueryEngine {
  readonly #deps: QueryDeps;
  readonly #sites: SiteDirectory;
  readonly #reader: RollupReader;
  readonly #counting: Counting;
  readonly #unanswered: Unanswered;
  readonly #completeness: Completeness;
  readonly #live: Live;

  constructor(deps: QueryDeps) {
    this.#deps = deps;
    this.#sites = new SiteDirectory(deps);
    this.#reader = new RollupReader(deps);
    this.#counting = new Counting(this.#reader, deps.clock);
    this.#unanswered = new Unanswered(deps.clock);
    this.#completeness = new Completeness(deps);
    this.#live = new Live(deps, this.#completeness, async (site_id) => {
      const { results } = await this.query({ site_id, metrics: ["events"], date_range: "all" });
      return Number(results[0]?.metrics[0] ?? 0);
    });
  }

  /** Whether questions beyond rollups have an answer here. */
  get hasArchive(): boolean {
    return this.#deps.archive !== undefined;
  }

  /**
   * Throws `bad_request`, `no_archive` or `not_found` with a message that names the field, and the signal's reason when
   * it aborts before everything is read.
   */
  async query(body: unknown, signal?: AbortSignal): Promise<QueryResponse> {
    return this.#answer(await this.#plan(await stored(parseRequest(body))), false, signal);
  }

  /**
   * Every row, whatever the pagination; a series over time alone has no gaps up to now. Where rows are in order of time
   * they are counted a few buckets at a time while they are read, so that years of many rows are never in memory
   * together; each bucket is as of then. Throws as `query` does.
   */
  async queryAll(body: unknown, signal?: AbortSignal): Promise<AllRows> {
    const request = { ...(await stored(parseRequest(body))), limit: Number.POSITIVE_INFINITY, offset: 0 };
    const plan = await this.#plan(request);
    const { site, range, question, isArchived } = plan;
    const query = echo(request, site, range.from < range.to ? range : plan.asked, plan.past);
    if (isArchived || plan.past || !question.time || !isInOrderOfTime(request))
      return { query, portions: portionsOf([(await this.#answer(plan, true, signal)).results]) };
    const all = await this.#counting.allVisitors(question, range, signal);
    const count = async (buckets: readonly Bucket[]): Promise<ResultRow[]> => {
      const span = { from: buckets[0]!.from, to: buckets.at(-1)!.to };
      const counted = {
        ...(await this.#counting.fromRollups(question, span, signal)),
        ...(all ? { all } : {}),
      };
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
    const first = request.dateRange === "all" ? await this.#begin(site, now) : now;
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

  /** Where a site's data begin. */
  async #begin(site: Site, now: EpochMs): Promise<EpochMs> {
    // Commits first: what is not among them any more is in the hours that are looked at then.
    const waiting = (await this.#reader.earliest(site.id)) ?? now;
    return Math.min(waiting, await firstInstant(this.#deps.store, site, now));
  }

  async #answer(plan: Plan, isSeries: boolean, signal?: AbortSignal): Promise<QueryResponse> {
    const { archive } = this.#deps;
    if (!plan.isArchived || !archive)
      return this.#answerBy(
        (span) => this.#counting.fromRollups(plan.question, span, signal),
        plan,
        isSeries,
      );
    const { question, keptFrom } = plan;
    return this.#unanswered.ask(JSON.stringify(plan.request), archive, (patient) =>
      this.#answerBy((span) => this.#counting.fromArchive(question, span, keptFrom, patient), plan, isSeries),
    );
  }

  async #answerBy(
    count: (span: Range) => Promise<Counted>,
    plan: Plan,
    isSeries: boolean,
  ): Promise<QueryResponse> {
    const { request, site, now, asked, isArchived, keptFrom, range, past, isCut, question } = plan;
    const known = await this.#completeness.known();
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
    const live = this.#completeness.of(main.newest, known, now);
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
        ...this.#completeness.reconciled(site),
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

  /** Whether the archive answers. Throws `no_archive` where it would have to and there is none. */
  #goesToArchive(request: QueryRequest): boolean {
    const beyond = beyondRollups(request);
    if (this.#deps.archive) return beyond !== undefined || isBetterArchived(request);
    if (beyond !== undefined) throw new ClickstreamError("no_archive", beyond);
    return false;
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
    return this.#live.of(await this.#sites.site(siteId, "site_id"));
  }

  async sites(): Promise<SitesResponse> {
    const sites = [...(await this.#sites.all()).values()].filter(isListed);
    return { sites: sites.map(({ id, timeZone }) => ({ site_id: id, time_zone: timeZone })) };
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
