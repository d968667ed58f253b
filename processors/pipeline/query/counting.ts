/** Counts the rows of a question over a range: from rollups, or where only single events can tell from an archive. */
import { Measures } from "../../model/measures.ts";
import { type Clock, DAY_MS, type EpochMs, MINUTE_MS, windowStart } from "../../model/time.ts";
import type { Granularity } from "../rollups.ts";
import { type Counted, lateEvents, type Question } from "./answer.ts";
import { tableDimension } from "./answerable.ts";
import type { ArchiveAnswer, ArchivedRow, QueryArchive } from "./archive.ts";
import { breakDown, keeps, tablesOf, withoutGaps } from "./breakdown.ts";
import { filteredDimensions, filtersOfVisits, isGoal } from "./filter.ts";
import { TOTALS } from "./merged.ts";
import { MergedTally } from "./metrics.ts";
import { type Bucket, cut, type Range } from "./range.ts";
import type { RollupReader, Wanted } from "./reader.ts";
import type { Metric, QueryRequest } from "./request.ts";

/** Metrics that divide by all visitors. */
const SHARES: ReadonlySet<Metric> = new Set(["percentage", "conversion_rate"]);

/** The longest windows that buckets can be made of. */
const COARSEST: Readonly<Record<NonNullable<Question["time"]>, Granularity>> = {
  "time:minute": "minute",
  "time:hour": "hour",
  "time:day": "day",
  "time:week": "day",
  "time:month": "month",
};

/** All of a range as one bucket, which no time dimension names. */
const wholly = (range: Range): Bucket => ({ label: "", ...range });

const bucketsOf = ({ site, time }: Question, range: Range): Bucket[] =>
  time ? cut(time, range, site.timeZone) : [wholly(range)];

export class Counting {
  readonly #reader: RollupReader;
  readonly #clock: Clock;

  constructor(reader: RollupReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  /** All rows of a range, from single events that are kept from an instant on. */
  async fromArchive(
    question: Question,
    range: Range,
    keptFrom: EpochMs,
    archive: QueryArchive,
  ): Promise<Counted> {
    const { site, request, time } = question;
    const buckets = bucketsOf(question, range);
    // Before the archive is asked: what is complete then stays complete.
    const newest = await this.#reader.newest();
    const ask = (asked: QueryRequest, by: readonly Bucket[]): Promise<ArchiveAnswer> =>
      archive.answer({ site, request: asked, range, buckets: by, keptFrom });
    const [{ rows, allVisitors, late, archivedUntil }, groupOf, eligible] = await Promise.all([
      ask(request, buckets),
      request.metrics.includes("group_conversion_rate")
        ? groups(request, (asked) => ask(asked, buckets))
        : undefined,
      eligibleVisitors(request, (asked) => ask(asked, [wholly(range)])),
    ]);
    const isTotal = !time && request.breakdown.length === 0;
    return {
      rows:
        isTotal && rows.length === 0
          ? withoutGaps([], buckets, range.from)
          : rows.map((row) => ({
              ...row,
              bucket: buckets[row.at]!,
              entry: row.entry,
              ...(groupOf && { group: groupOf(row) }),
            })),
      all: { visitors: allVisitors, isExact: true },
      ...(eligible === undefined ? {} : { eligible }),
      buckets,
      late,
      metOther: false,
      newest,
      archivedUntil,
    };
  }

  /** All rows of a range, from rollups. */
  async fromRollups(question: Question, range: Range, signal?: AbortSignal): Promise<Counted> {
    const { site, request, time } = question;
    const now = this.#clock.now();
    const buckets = bucketsOf(question, range);
    const coarsest = COARSEST[time ?? "time:month"];
    // Nothing happens in the future: a range that ends there is not looked up day by day.
    const covered = { from: range.from, to: Math.max(range.from, Math.min(range.to, now + 2 * DAY_MS)) };
    const aligned =
      covered.to === range.to ? covered : { ...covered, to: windowStart(covered.to, MINUTE_MS) };
    const { main, entry } = tablesOf(request);
    const keep = keeps(request);
    const chosen = [tableDimension(request) ?? "", request.filters];
    const want = (table: string, part: Range): Wanted => {
      const own = { from: part.from, to: Math.min(part.to, aligned.to) };
      const key = JSON.stringify([
        site.id,
        coarsest,
        own.from,
        own.to,
        table,
        table === TOTALS ? [] : chosen,
      ]);
      return { key, range: own, table, keep };
    };
    const needsAll = request.metrics.some((metric) => SHARES.has(metric));
    const wanted = [
      ...buckets.map((bucket) => want(main, bucket)),
      ...(entry ? buckets.map((bucket) => want(entry, bucket)) : []),
      ...(needsAll ? [want(TOTALS, aligned)] : []),
    ];
    const { cells, tables, newest } = await this.#reader.read(site, aligned, coarsest, wanted, signal);
    const own = buckets.map((_, i) => ({
      main: tables[i]!,
      entry: entry ? tables[buckets.length + i] : undefined,
    }));
    const all = needsAll ? tables.at(-1)?.rows.get(TOTALS) : undefined;
    return {
      rows: breakDown(buckets, own, request),
      all: new MergedTally(all ?? new Measures()),
      buckets,
      late: lateEvents(cells),
      metOther: request.filters.length > 0 && own.some((one) => one.main.hidesOther),
      newest,
    };
  }

  /** Distinct visitors of a range, unfiltered; undefined where no metric of the question is a share of them. */
  async allVisitors(
    question: Question,
    range: Range,
    signal?: AbortSignal,
  ): Promise<Counted["all"] | undefined> {
    const { request } = question;
    if (!request.metrics.some((metric) => SHARES.has(metric))) return undefined;
    const whole = { ...request, time: undefined, dimensions: [], breakdown: [], filters: [] };
    const { all } = await this.fromRollups({ ...question, request: whole, time: undefined }, range, signal);
    // As it is now: later reads add to what was merged.
    return { visitors: all.visitors, isExact: all.isExact };
  }
}

/**
 * Asks for the visitors whom the filters on visits leave, whatever they did: those who could convert. Undefined where it
 * is not needed, or there are no such filters and they are all.
 */
async function eligibleVisitors(
  request: QueryRequest,
  answer: (request: QueryRequest) => Promise<ArchiveAnswer>,
): Promise<number | undefined> {
  const filters = filtersOfVisits(request.filters);
  if (filters.length === 0 || !request.metrics.includes("conversion_rate")) return undefined;
  const { rows } = await answer({
    ...request,
    metrics: ["visitors"],
    time: undefined,
    dimensions: [],
    breakdown: [],
    filters,
  });
  return rows[0]?.tally.visitors ?? 0;
}

/** Asks for all visitors of the groups in which a goal is asked for, and answers how many a row's group has. */
async function groups(
  request: QueryRequest,
  answer: (request: QueryRequest) => Promise<ArchiveAnswer>,
): Promise<(row: ArchivedRow) => number> {
  const { breakdown, filters } = request;
  const { rows } = await answer({
    ...request,
    metrics: ["visitors"],
    breakdown: breakdown.filter((name) => !isGoal(name)),
    filters: filters.filter((filter) => !filteredDimensions([filter]).some(isGoal)),
  });
  const visitors = new Map(
    rows.map(({ at, values, tally }) => [JSON.stringify([at, ...values]), tally.visitors]),
  );
  return ({ at, values }) => {
    const group = values.filter((_, i) => !isGoal(breakdown[i]!));
    return visitors.get(JSON.stringify([at, ...group])) ?? 0;
  };
}
