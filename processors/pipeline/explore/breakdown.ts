/**
 * A query of the Stats API as one statement over single events. What it counts, and in which minute, are the rules of
 * the rollups; so where both can answer they say the same.
 */
import type { Extent, Source, Statement } from "../../explorers/explorer.ts";
import { EXIT_PAGE } from "../../model/dimensions.ts";
import { WITH_VITALS } from "../query/answerable.ts";
import type { ArchiveQuestion } from "../query/archive.ts";
import { filteredDimensions } from "../query/filter.ts";
import { binOf } from "./bins.ts";
import { bucketNumber } from "./buckets.ts";
import { columnOf, isEvent, isOfVisit, passes, shown } from "./conditions.ts";
import { DIALECTS, type Dialect } from "./dialect.ts";
import { extentOf, type Plan } from "./plan.ts";
import { SCROLL_COLUMNS, scrolled } from "./reading.ts";
import { archivedRows, readFor, rowsOfVisits, VISIT_READS, visits } from "./rows.ts";
import { every, joined, listed, name, nothing, type Sql, some, sql } from "./sql.ts";

/** Rows of an answer; beyond, somebody wants the data themselves and not an answer. */
export const MAX_ROWS = 50_000;

/** What is added up for a row, in the order of the result's columns after bucket and values. */
export const SUMS = [
  "events",
  "pageviews",
  "visitors",
  "visits",
  "bounces",
  "duration_ms",
  "engaged_ms",
  "reads",
  "scroll_sum",
  "scrolls",
  "entry_visits",
  "entry_bounces",
  "entry_duration_ms",
  "amount_minor",
  "amounts",
  "currencies",
] as const;
type Sum = (typeof SUMS)[number];

/** One row for each bucket and value: bucket, values, SUMS, currency, a histogram for each vital, rows in all. */
export function breakdownStatement(
  question: ArchiveQuestion,
  plan: Plan,
  source: Source,
  engine: keyof typeof DIALECTS,
): Statement {
  const dialect = DIALECTS[engine];
  const writer = new Writer(question, plan, dialect);
  const parts = [
    writer.rows(),
    ...(plan.needsVisits ? [writer.visits()] : []),
    ...(plan.needsEntry ? [writer.entries()] : []),
    ...(plan.needsMoney ? [writer.money()] : []),
  ];
  const keys = keysOf(plan);
  const results = listed([
    ...SUMS.map((one) => sql`sum(${name(one)}) AS ${name(one)}`),
    sql`max("currency") AS "currency"`,
    ...plan.vitals.map((vital) => sql`max(${name(vital)}) AS ${name(vital)}`),
  ]);
  const union = joined(parts, sql` UNION ALL `);
  return sql`WITH ${writer.tables(source, extentOf(question.site.id, plan))} SELECT ${keys}, ${results} FROM (${union}) AS "parts" GROUP BY ${keys} LIMIT ${MAX_ROWS + 1}`;
}

/** What rows are counted by: the number of their bucket, and the value of each dimension broken down. */
const keysOf = ({ request }: Plan): Sql =>
  listed([sql`"b"`, ...request.breakdown.map((_, i) => name(`d${i}`))]);

class Writer {
  readonly #question: ArchiveQuestion;
  readonly #plan: Plan;
  readonly #dialect: Dialect;

  constructor(question: ArchiveQuestion, plan: Plan, dialect: Dialect) {
    this.#question = question;
    this.#plan = plan;
    this.#dialect = dialect;
  }

  /** The common tables: rows, and where they are asked for reports with what they add, visits, rows with visits. */
  tables(source: Source, extent: Extent): Sql {
    const { needsVisits, needsEntry, needsScroll, isKeyed } = this.#plan;
    const hasVisits = needsVisits || needsEntry;
    const columns = new Set<string>(this.#eventColumns());
    for (const column of this.#attributes(false)) columns.add(readFor(column));
    if (hasVisits) for (const column of VISIT_READS) columns.add(column);
    if (needsEntry) columns.add("visit_entry_page");
    const rows = archivedRows({
      source,
      extent,
      dialect: this.#dialect,
      columns,
      isOrdered: hasVisits || needsScroll,
      isKeyed,
    });
    const tables = [sql`"e" AS (${rows})`];
    if (needsScroll) tables.push(sql`"g" AS (${scrolled})`);
    if (hasVisits) {
      const attributes = this.#attributes(true);
      const from = needsScroll ? sql`"g"` : sql`"e"`;
      tables.push(sql`"v" AS (${visits(sql`"e"`, attributes)})`);
      const own = [...this.#eventColumns(), ...(needsScroll ? SCROLL_COLUMNS : []), "interactive"];
      tables.push(sql`"x" AS (${rowsOfVisits(from, sql`"v"`, [...new Set(own)], attributes)})`);
    }
    return listed(tables);
  }

  /** Events and reports, each in its own minute; by exit page, in the minute where its visit began. */
  rows(): Sql {
    const { isByExit, isOfWhole, needsScroll, vitals, isOfEvents, needsVisits } = this.#plan;
    const from = isOfWhole ? sql`"x"` : needsScroll ? sql`"g"` : sql`"e"`;
    const at = isByExit ? sql`"first_at"` : sql`"at"`;
    // Reports bear no name and no property; of visits with such an event the time is the visit's.
    const isVisitsTime = isOfEvents && needsVisits && this.#plan.isNamed;
    return this.#grouped({
      from,
      at,
      conditions: [this.#passes(), this.#countedReports()],
      sums: {
        events: sql`count(*) FILTER (WHERE ${isEvent})`,
        pageviews: sql`count(*) FILTER (WHERE "name" = 'pageview')`,
        visitors: sql`count(DISTINCT "visitor") FILTER (WHERE ${isEvent})`,
        ...(isVisitsTime ? {} : { engaged_ms: sql`coalesce(sum("engaged_ms"), 0)` }),
        ...(needsScroll
          ? {
              reads: sql`sum("read")`,
              scroll_sum: sql`sum("scrolled")`,
              scrolls: sql`sum("scroll")`,
            }
          : {}),
      },
      histograms: Object.fromEntries(vitals.map((vital) => [vital, this.#dialect.histogram(binOf(vital))])),
    });
  }

  /** Visits where they began; or, asked about events, where such an event first occurred in them. */
  visits(): Sql {
    const { isOfEvents, isByExit } = this.#plan;
    const sums = {
      visits: sql`count(*)`,
      bounces: sql`count(*) FILTER (WHERE "interactions" <= 1)`,
      duration_ms: sql`sum("last_at" - "first_at")`,
    };
    if (!isOfEvents)
      return this.#grouped({ from: sql`"v"`, at: sql`"first_at"`, conditions: [this.#passes()], sums });
    const { breakdown } = this.#plan.request;
    const columns = breakdown.map((dimension, i) => shown(dimension, i, this.#dialect));
    const values = columns.map(({ column }, i) => sql`${column} AS ${name(`d${i}`)}`);
    // A property's column may hold a bound value, which stands once only: the partition is made outside.
    const inner = sql`SELECT ${listed([sql`"visitor", "visit", "at", "ord", "first_at", "last_at", "interactions", "engaged"`, ...values])} FROM "x"${joined(
      columns.map(({ from }) => from),
      nothing,
    )} WHERE ${every([this.#passes(), isEvent, ...columns.map(({ condition }) => condition)])}`;
    const ofEvents = breakdown.flatMap((dimension, i) => (isOfVisit(dimension) ? [] : [name(`d${i}`)]));
    const parts = listed([sql`"visitor"`, sql`"visit"`, ...ofEvents]);
    const first = sql`SELECT *, row_number() OVER (PARTITION BY ${parts} ORDER BY "ord") AS "nth" FROM (${inner}) AS "some"`;
    const isVisitsTime = this.#plan.isNamed;
    return this.#summed(
      sql`(${first}) AS "firsts"`,
      isByExit ? sql`"first_at"` : sql`"at"`,
      [sql`"nth" = 1`],
      {
        ...sums,
        ...(isVisitsTime ? { engaged_ms: sql`coalesce(sum("engaged"), 0)` } : {}),
      },
    );
  }

  /** Of pages: the visits that entered there, where they began; of several filters on events, those with such an event. */
  entries(): Sql {
    const instead = { "event:page": "visit:entry_page" };
    const { breakdown } = this.#plan.request;
    const conditions = [this.#passes(instead)];
    const isPlain = this.#plan.used.every((dimension) => dimension === "event:page" || isOfVisit(dimension));
    const from = isPlain
      ? sql`"v"`
      : sql`(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY "visitor", "visit" ORDER BY "ord") AS "nth" FROM "x" WHERE ${every([...conditions, isEvent])}) AS "some" WHERE "nth" = 1)`;
    return this.#grouped({
      from: sql`${from} AS "entered"`,
      alias: sql`"entered"`,
      at: sql`"first_at"`,
      dimensions: breakdown.map((dimension) => (dimension === "event:page" ? "visit:entry_page" : dimension)),
      conditions: isPlain ? conditions : [],
      sums: {
        entry_visits: sql`count(*)`,
        entry_bounces: sql`count(*) FILTER (WHERE "interactions" <= 1)`,
        entry_duration_ms: sql`sum("last_at" - "first_at")`,
      },
    });
  }

  /** Of each row the currency that most of its events had: the others are counted, not converted. */
  money(): Sql {
    const { breakdown } = this.#plan.request;
    const { isByExit, isOfWhole } = this.#plan;
    const keys = keysOf(this.#plan);
    const inner = this.#rowsOf(
      isOfWhole ? sql`"x"` : sql`"e"`,
      isByExit ? sql`"first_at"` : sql`"at"`,
      breakdown,
      [this.#passes(), isEvent, sql`"currency" IS NOT NULL`],
      [sql`"currency"`, sql`"amount_minor"`],
    );
    const byCurrency = sql`SELECT ${keys}, "currency", sum("amount_minor") AS "minor", count(*) AS "n" FROM (${inner}) AS "paid" GROUP BY ${keys}, "currency"`;
    const ranked = sql`SELECT *, row_number() OVER (PARTITION BY ${keys} ORDER BY "n" DESC, "currency") AS "nth", count(*) OVER (PARTITION BY ${keys}) AS "all" FROM (${byCurrency}) AS "sums"`;
    return sql`SELECT ${keys}, ${this.#columns({ amount_minor: sql`"minor"`, amounts: sql`"n"`, currencies: sql`"all"` }, {}, sql`"currency"`)} FROM (${ranked}) AS "ranked" WHERE "nth" = 1`;
  }

  #passes(instead?: Readonly<Record<string, string>>): Sql {
    return passes(this.#plan.request.filters, { dialect: this.#dialect, ...(instead ? { instead } : {}) });
  }

  /** Rollups make no row of reports where they keep nothing of them. */
  #countedReports(): Sql {
    const { used, vitals, needsScroll, request } = this.#plan;
    const keepsTime =
      needsScroll || request.metrics.includes("engaged_time") || !used.includes("event:hostname");
    const keepsVitals = vitals.length > 0 || used.every((dimension) => WITH_VITALS.has(dimension));
    return some([
      isEvent,
      ...(keepsTime ? [sql`"name" = 'engagement'`] : []),
      ...(keepsVitals ? [sql`"name" = 'vitals'`] : []),
    ]);
  }

  #grouped(part: {
    from: Sql;
    /** What `from` is called, where that is not its own name. */
    alias?: Sql;
    at: Sql;
    dimensions?: readonly string[];
    conditions: readonly Sql[];
    sums: Partial<Record<Sum, Sql>>;
    histograms?: Partial<Record<string, Sql>>;
  }): Sql {
    const { breakdown } = this.#plan.request;
    const { from, alias = from, at, dimensions = breakdown, conditions, sums, histograms = {} } = part;
    const inner = this.#rowsOf(from, at, dimensions, conditions, [sql`${alias}.*`]);
    return this.#folded(sql`(${inner}) AS "rows"`, sums, histograms);
  }

  /** Rows in the range that pass, with the number of their bucket and their values. */
  #rowsOf(
    from: Sql,
    at: Sql,
    dimensions: readonly string[],
    conditions: readonly Sql[],
    carried: readonly Sql[],
  ): Sql {
    const columns = dimensions.map((dimension, i) => shown(dimension, i, this.#dialect));
    const values = columns.map(({ column }, i) => sql`${column} AS ${name(`d${i}`)}`);
    const others = joined(
      columns.map((one) => one.from),
      nothing,
    );
    const selected = listed([sql`${this.#bucket(at)} AS "b"`, ...values, ...carried]);
    return sql`SELECT ${selected} FROM ${from}${others} WHERE ${every([this.#inRange(at), ...conditions, ...columns.map((one) => one.condition)])}`;
  }

  #summed(from: Sql, at: Sql, conditions: readonly Sql[], sums: Partial<Record<Sum, Sql>>): Sql {
    const inner = sql`SELECT ${this.#bucket(at)} AS "b", "firsts".* FROM ${from} WHERE ${every([this.#inRange(at), ...conditions])}`;
    return this.#folded(sql`(${inner}) AS "rows"`, sums, {});
  }

  #folded(from: Sql, sums: Partial<Record<Sum, Sql>>, histograms: Partial<Record<string, Sql>>): Sql {
    const group = keysOf(this.#plan);
    return sql`SELECT ${group}, ${this.#columns(sums, histograms)} FROM ${from} GROUP BY ${group}`;
  }

  /** All columns of a part, those that it does not count included, so that parts can be laid on one another. */
  #columns(sums: Partial<Record<Sum, Sql>>, histograms: Partial<Record<string, Sql>>, currency?: Sql): Sql {
    return listed([
      ...SUMS.map((one) => sql`${sums[one] ?? sql`0`} AS ${name(one)}`),
      sql`${currency ?? sql`CAST(NULL AS VARCHAR)`} AS "currency"`,
      ...this.#plan.vitals.map(
        (vital) => sql`${histograms[vital] ?? sql`CAST(NULL AS VARCHAR)`} AS ${name(vital)}`,
      ),
    ]);
  }

  #bucket(at: Sql): Sql {
    return bucketNumber(at, this.#question.buckets, this.#dialect);
  }

  #inRange(at: Sql): Sql {
    const { from, to } = this.#plan.range;
    return sql`${at} >= ${from} AND ${at} < ${to}`;
  }

  /** Columns of single events that the question reads. */
  #eventColumns(): string[] {
    const { used, needsMoney, vitals, needsScroll, isKeyed, request } = this.#plan;
    const behaviours = isKeyed ? filteredDimensions(request.filters) : [];
    return [
      ...new Set([
        ...[...used, ...behaviours].filter((dimension) => !isOfVisit(dimension)).map(columnOf),
        "engaged_ms",
        ...(needsScroll ? ["page", "scroll_depth"] : []),
        ...(needsMoney ? ["currency", "amount_minor"] : []),
        ...vitals,
      ]),
    ].filter((column) => column !== "name");
  }

  /** Columns of visits that the question reads, and the key that has_done finds a visit by. */
  #attributes(withKey: boolean): string[] {
    const { used, needsEntry, isKeyed } = this.#plan;
    return [
      ...new Set([
        ...used.filter((dimension) => isOfVisit(dimension) && dimension !== EXIT_PAGE).map(columnOf),
        ...(needsEntry ? ["visit_entry_page"] : []),
        ...(withKey && isKeyed ? ["visit_key"] : []),
      ]),
    ];
  }
}
