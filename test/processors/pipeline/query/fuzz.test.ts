/**
 * Random queries over recorded data, each answered a second time by the oracle and by plain loops: rows, order, pages,
 * filters and comparisons. RIVULET_QUERIES and RIVULET_EVENTS make it as large as one likes.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { randomBytes, secrets } from "../../../../processors/crypto.ts";
import { ClickstreamError } from "../../../../processors/errors.ts";
import { VISIT_DIMENSIONS } from "../../../../processors/model/dimensions.ts";
import { AccessControl, createGrant } from "../../../../processors/pipeline/access.ts";
import { QueryApi } from "../../../../processors/pipeline/query/api.ts";
import { changeOf } from "../../../../processors/pipeline/query/compare.ts";
import { QueryEngine, type QueryResponse } from "../../../../processors/pipeline/query/engine.ts";
import type { MetricValue } from "../../../../processors/pipeline/query/metrics.ts";
import type { Metric } from "../../../../processors/pipeline/query/request.ts";
import { RELATIVE_ERROR } from "../../../../processors/sketches/ultraloglog.ts";
import { generate } from "../../../kit/generate.ts";
import { metricOf, newTally, Oracle, type Tally } from "../../../kit/oracle.ts";
import { type ReplayResult, replay } from "../../../kit/replay.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_401);
const QUERIES = Number(process.env.RIVULET_QUERIES ?? 300);
const EVENTS = Number(process.env.RIVULET_EVENTS ?? 2_000);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SITE = "shop.example";
const ZONE = "Asia/Seoul";
/** Seoul's clocks have not moved since 1988, so that local time is plain arithmetic here. */
const OFFSET = 9 * HOUR;
const FROM = Date.UTC(2026, 2, 9) - OFFSET;

let replayed: ReplayResult;
let oracle: Oracle;
let api: QueryApi;
const values = new Map<string, string[]>();

const DIMENSIONS = [
  ...VISIT_DIMENSIONS,
  "visit:exit_page",
  "event:page",
  "event:hostname",
  "event:name",
  "event:goal",
] as string[];

beforeAll(async () => {
  const lines = [
    ...generate({ seed: SEED, from: FROM, to: FROM + 60 * HOUR, events: EVENTS, sites: [SITE], pages: 20 }),
  ];
  replayed = await replay(lines, { seed: SEED, sites: [{ id: SITE, timeZone: ZONE }], shards: 2 });
  // Every range is over then, and compared whole; its minutes are still kept.
  replayed.clock.advanceTo(FROM + 5 * DAY);
  oracle = new Oracle(lines, { sites: [SITE] });
  api = new QueryApi(new QueryEngine({ store: replayed.store, clock: replayed.clock }));
  for (const dimension of DIMENSIONS) {
    const rows = oracle.tally({ site: SITE, from: 0, to: FROM + 10 * DAY, dimension });
    values.set(
      dimension,
      [...rows.keys()].map((key) => (JSON.parse(key) as string[])[1] ?? ""),
    );
  }
});

// --- what is asked ------------------------------------------------------------------------------------------------

const TIMES = ["time:minute", "time:hour", "time:day", "time:week", "time:month"];

type Filter = readonly unknown[];
interface Asked {
  readonly metrics: Metric[];
  readonly from: number;
  readonly to: number;
  readonly time: string | undefined;
  readonly dimension: string | undefined;
  /** Of the dimension, or where there is none of `filtered`. */
  readonly filters: Filter[];
  readonly filtered: string | undefined;
  readonly order: readonly [number, "asc" | "desc"][];
  readonly limit: number;
  readonly offset: number;
  readonly compare: boolean;
}

/** The metrics that a dimension has, by the documented rules; percentiles and estimates of exit pages aside. */
function metricsFor(shown: string | undefined, isMerged: boolean): Metric[] {
  const all: Metric[] = ["visitors", "pageviews", "events", "total_revenue", "time_on_page", "scroll_depth"];
  if (!(isMerged && shown?.startsWith("event:"))) all.push("visits");
  if (!shown?.startsWith("event:"))
    all.push("bounce_rate", "visit_duration", "views_per_visit", "engaged_time");
  if (shown === "event:page") all.push("bounce_rate", "visit_duration");
  if (shown) all.push("percentage");
  if (shown?.startsWith("event:")) all.push("conversion_rate");
  const unknown = ["visitors", "percentage", "scroll_depth", "time_on_page", "total_revenue"];
  return shown === "visit:exit_page" ? all.filter((name) => !unknown.includes(name)) : all;
}

const filterOf = (dimension: string): fc.Arbitrary<Filter> => {
  const known = fc.constantFrom(...(values.get(dimension) ?? []), "nothing", "");
  const part = known.map((value) => value.slice(0, 3) || "a");
  const many = (one: fc.Arbitrary<string>) => fc.array(one, { minLength: 1, maxLength: 3 });
  const modifiers = fc.constantFrom<unknown[]>([], [{ case_sensitive: false }], [{ case_sensitive: true }]);
  const caseless = known.map((value) => value.toUpperCase());
  const simple = fc.oneof(
    fc.tuple(
      fc.constantFrom("is", "is_not"),
      fc.constant(dimension),
      many(fc.oneof(known, caseless)),
      modifiers,
    ),
    fc.tuple(fc.constantFrom("contains", "contains_not"), fc.constant(dimension), many(part), modifiers),
    fc.tuple(
      fc.constantFrom("matches", "matches_not"),
      fc.constant(dimension),
      many(part.map((text) => `^${text.replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&")}`)),
      modifiers,
    ),
  );
  const plain = simple.map(([operator, name, list, more]): Filter => [operator, name, list, ...more]);
  return fc.letrec<{ any: Filter }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      plain,
      fc.tuple(fc.constantFrom("and", "or"), fc.array(tie("any"), { minLength: 1, maxLength: 3 })),
      fc.tuple(fc.constant("not"), tie("any")),
    ),
  })).any;
};

const range = fc.oneof(
  // Whole days, which the comparison moves by days.
  fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 2 })).map(([first, days]) => ({
    from: FROM + first * DAY,
    to: FROM + (first + days) * DAY,
  })),
  fc
    .tuple(fc.integer({ min: -30, max: 59 * 60 }), fc.integer({ min: 1, max: 40 * 60 }))
    .map(([start, minutes]) => ({
      from: FROM + start * MINUTE,
      to: FROM + (start + minutes) * MINUTE,
    })),
);

/** Built once the values are known. */
const asked = (): fc.Arbitrary<Asked> =>
  fc
    .record({
      range,
      time: fc.option(fc.constantFrom(...TIMES), { nil: undefined }),
      dimension: fc.option(fc.constantFrom(...DIMENSIONS), { nil: undefined }),
      filtered: fc.option(fc.constantFrom(...DIMENSIONS), { nil: undefined }),
      compare: fc.boolean(),
      limit: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(10_000)),
      offset: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })),
    })
    .chain(({ range: { from, to }, time, dimension, filtered, compare, limit, offset }) => {
      const shown = dimension ?? filtered;
      const metrics = fc.uniqueArray(fc.constantFrom(...metricsFor(shown, dimension === undefined)), {
        minLength: 1,
        maxLength: 4,
      });
      const filters =
        filtered === undefined
          ? fc.constant<Filter[]>([])
          : fc.array(filterOf(shown ?? filtered), { minLength: 1, maxLength: 2 });
      const order = fc.array(fc.tuple(fc.nat(6), fc.constantFrom<"asc" | "desc">("asc", "desc")), {
        maxLength: 3,
      });
      return fc.record({ metrics, filters, order }).map((rest) => ({
        ...rest,
        from,
        to,
        time,
        dimension,
        filtered: shown,
        limit,
        offset,
        compare: compare && !["time:week", "time:month"].includes(time ?? ""),
      }));
    });

/** What both sides sort by: indices choose among dimensions and metrics. */
function orderOf({ order, metrics, time, dimension }: Asked): [string, "asc" | "desc"][] {
  const names = [...(time ? [time] : []), ...(dimension ? [dimension] : []), ...metrics];
  return order.map(([index, direction]) => [names[index % names.length]!, direction]);
}

const iso = (at: number): string => new Date(at).toISOString();

function bodyOf(one: Asked): Record<string, unknown> {
  return {
    site_id: SITE,
    metrics: one.metrics,
    date_range: [iso(one.from), iso(one.to)],
    dimensions: [...(one.time ? [one.time] : []), ...(one.dimension ? [one.dimension] : [])],
    filters: one.filters,
    order_by: orderOf(one),
    pagination: { limit: one.limit, offset: one.offset },
    include: { total_rows: true, ...(one.compare ? { compare: "previous_period" } : {}) },
  };
}

// --- the second answer --------------------------------------------------------------------------------------------

function passes(filter: Filter, value: string): boolean {
  const [operator, first, list, modifiers] = filter as [
    string,
    unknown,
    string[],
    { case_sensitive?: boolean }?,
  ];
  if (operator === "not") return !passes(first as Filter, value);
  if (operator === "and") return !(first as Filter[]).some((inner) => !passes(inner, value));
  if (operator === "or") return (first as Filter[]).some((inner) => passes(inner, value));
  const same = (text: string): string => (modifiers?.case_sensitive === false ? text.toLowerCase() : text);
  const found = list.some((text) => {
    if (operator.startsWith("is")) return same(text) === same(value);
    if (operator.startsWith("contains")) return same(value).indexOf(same(text)) >= 0;
    // All patterns here are "^" and a text.
    return same(value).startsWith(same(text.slice(1).replaceAll("\\", "")));
  });
  return operator.endsWith("_not") ? !found : found;
}

const local = (at: number): string => new Date(at + OFFSET).toISOString();
const LABELS: Readonly<Record<string, (at: number) => string>> = {
  "time:minute": (at) => `${local(at).slice(0, 10)} ${local(at).slice(11, 16)}:00`,
  "time:hour": (at) => `${local(at).slice(0, 10)} ${local(at).slice(11, 13)}:00:00`,
  "time:day": (at) => local(at).slice(0, 10),
  "time:week": (at) => local(at - ((new Date(at + OFFSET).getUTCDay() + 6) % 7) * DAY).slice(0, 10),
  "time:month": (at) => `${local(at).slice(0, 7)}-01`,
};

function add(into: Tally, more: Tally): void {
  for (const visitor of more.visitors) into.visitors.add(visitor);
  for (const [currency, { minor, count }] of more.revenue) {
    const known = into.revenue.get(currency) ?? { minor: 0, count: 0 };
    into.revenue.set(currency, { minor: known.minor + minor, count: known.count + count });
  }
  for (const name of [
    "events",
    "pageviews",
    "visits",
    "bounces",
    "durationMs",
    "engagedMs",
    "reads",
    "scrolls",
    "scrollSum",
  ] as const)
    into[name] += more[name];
}

/** Rows by `[label, value]`, filtered and merged as asked. */
function rowsOf(one: Asked, from: number, to: number): Map<string, MetricValue[]> {
  const bucketOf = (one.time && LABELS[one.time]) || (() => "");
  const shown = one.dimension ?? one.filtered;
  const question = { site: SITE, from, to, bucketOf, ...(shown ? { dimension: shown } : {}) };
  const tallies = oracle.tally(question);
  const entries =
    shown === "event:page" ? oracle.tally({ ...question, dimension: "visit:entry_page" }) : tallies;
  const rows = new Map<string, { own: Tally; entry: Tally }>();
  if (!one.time && !one.dimension) rows.set('["",""]', { own: newTally(), entry: newTally() });
  for (const [key, tally] of tallies) {
    const [label, value] = JSON.parse(key) as [string, string];
    if (!one.filters.every((filter) => passes(filter, value))) continue;
    const at = JSON.stringify([label, one.dimension ? value : ""]);
    const row = rows.get(at) ?? { own: newTally(), entry: newTally() };
    rows.set(at, row);
    add(row.own, tally);
    add(row.entry, entries.get(key) ?? newTally());
  }
  const everybody = oracle.tally({ site: SITE, from, to }).get('["",""]')?.visitors.size ?? 0;
  return new Map(
    [...rows].map(([key, { own, entry }]) => [
      key,
      one.metrics.map((metric) => metricOf(metric, own, entry, everybody) as MetricValue),
    ]),
  );
}

const numeric = (value: MetricValue | undefined): number =>
  value === null || value === undefined
    ? Number.NEGATIVE_INFINITY
    : typeof value === "object"
      ? value.value
      : value;

interface ExpectedRow {
  readonly names: string[];
  readonly metrics: MetricValue[];
  readonly past?: MetricValue[];
}

function expected(one: Asked): { all: ExpectedRow[]; rows: ExpectedRow[] } {
  const rows = rowsOf(one, one.from, one.to);
  const length = one.to - one.from;
  const past = one.compare ? rowsOf(one, one.from - length, one.to - length) : undefined;
  const label = (one.time && LABELS[one.time]) || (() => "");
  const nothing = one.metrics.map((metric) => metricOf(metric, newTally(), newTally(), 0) as MetricValue);
  // Empty buckets have rows when they are compared; the time between labels is the same on both sides.
  const step = { "time:minute": MINUTE, "time:hour": HOUR, "time:day": DAY }[one.time ?? ""] ?? 0;
  const firstOf = (from: number): number => Math.floor((from + OFFSET) / step) * step - OFFSET;
  const counterpart = new Map<string, string>();
  if (past && step > 0) {
    for (let i = 0; firstOf(one.from) + i * step < one.to; i++) {
      const at = firstOf(one.from) + i * step;
      const before = firstOf(one.from - length) + i * step;
      if (before < one.to - length) counterpart.set(label(at), label(before));
      if (!one.dimension && !rows.has(JSON.stringify([label(at), ""])))
        rows.set(JSON.stringify([label(at), ""]), nothing);
    }
  }
  const dimensions = [...(one.time ? [one.time] : []), ...(one.dimension ? [one.dimension] : [])];
  const all = [...rows].map(([key, metrics]) => {
    const [bucket = "", value = ""] = JSON.parse(key) as string[];
    const before = one.time ? counterpart.get(bucket) : "";
    const there = before === undefined ? undefined : past?.get(JSON.stringify([before, value]));
    return {
      names: [...(one.time ? [bucket] : []), ...(one.dimension ? [value] : [])],
      metrics,
      ...(past && before !== undefined ? { past: there ?? nothing } : {}),
    };
  });
  const orders = orderOf(one);
  if (orders.length === 0) {
    if (one.time) orders.push([one.time, "asc"]);
    orders.push([one.metrics[0]!, "desc"]);
  }
  const compare = (a: string | number, b: string | number): number => (a === b ? 0 : a < b ? -1 : 1);
  all.sort((a, b) => {
    for (const [name, direction] of [...orders, ...dimensions.map((name) => [name, "asc"] as const)]) {
      const metric = one.metrics.indexOf(name as Metric);
      const at = dimensions.indexOf(name);
      const order =
        metric >= 0
          ? compare(numeric(a.metrics[metric]), numeric(b.metrics[metric]))
          : compare(a.names[at] ?? "", b.names[at] ?? "");
      if (order !== 0) return direction === "asc" ? order : -order;
    }
    return 0;
  });
  return { all, rows: all.slice(one.offset, one.offset + one.limit) };
}

const OF_VISITORS: ReadonlySet<Metric> = new Set(["visitors", "percentage", "conversion_rate"]);

/** Estimates may change the order and which rows a page has; each row itself is near: a ratio of two estimates by ten standard errors. */
function expectNear(one: Asked, results: QueryResponse["results"], all: readonly ExpectedRow[]): void {
  const known = new Map(all.map(({ names, metrics }) => [JSON.stringify(names), metrics]));
  for (const { dimensions, metrics } of results) {
    const row = known.get(JSON.stringify(dimensions));
    expect(row, JSON.stringify(dimensions)).toBeDefined();
    for (const [i, metric] of one.metrics.entries()) {
      const [value, truth] = [metrics[i] ?? null, row?.[i] ?? null];
      if (!OF_VISITORS.has(metric)) expect(plain(value)).toEqual(plain(truth));
      else
        expect(Math.abs(numeric(value) - numeric(truth))).toBeLessThanOrEqual(
          0.2 + 10 * RELATIVE_ERROR * numeric(truth),
        );
    }
  }
}

/** Words for a tile are not the oracle's business. */
const plain = (value: MetricValue): unknown =>
  typeof value === "object" && value !== null ? { currency: value.currency, value: value.value } : value;

const anybody = { grant: undefined, check: () => {}, mayWrite: () => false };

describe(`random queries (seed ${SEED}, ${QUERIES} of them, ${EVENTS} events)`, () => {
  it(
    "are answered as the oracle answers them",
    async () => {
      let compared = 0;
      let filtered = 0;
      let approximate = 0;
      await fc.assert(
        fc.asyncProperty(asked(), async (one) => {
          const { results, meta }: QueryResponse = await api.query(anybody, bodyOf(one));
          const { all, rows } = expected(one);
          expect(meta.total_rows).toBe(all.length);
          if (Object.values(meta.error).some((error) => error > 0)) {
            approximate++;
            return expectNear(one, results, all);
          }
          expect(results.map(({ dimensions, metrics }) => [dimensions, metrics.map(plain)])).toEqual(
            rows.map(({ names, metrics }) => [names, metrics.map(plain)]),
          );
          for (const [i, { comparison, metrics }] of results.entries()) {
            const past = rows[i]?.past;
            if (!past) expect(comparison ?? null).toBeNull();
            else {
              expect(comparison?.metrics.map(plain)).toEqual(past.map(plain));
              expect(comparison?.change).toEqual(
                one.metrics.map((metric, at) => changeOf(metric, metrics[at] ?? null, past[at] ?? null)),
              );
            }
          }
          if (results.length > 0 && one.filters.length > 0) filtered++;
          if (results.some(({ comparison }) => comparison)) compared++;
        }),
        { numRuns: QUERIES, seed: SEED },
      );
      // That the sample is no sample of nothing.
      expect(filtered).toBeGreaterThan(QUERIES / 12);
      expect(compared).toBeGreaterThan(QUERIES / 12);
      if (EVENTS <= 2_000) expect(approximate).toBe(0);
    },
    60_000 + QUERIES * 200,
  );

  it(
    "are answered or refused by name in whatever form they come, as JSON and in an address",
    async () => {
      const { token } = await createGrant({ ...replayed, secrets, randomBytes }, { kind: "key", site: SITE });
      const reader = await new AccessControl({ ...replayed, secrets }, { isKeyRequired: true }).reader(token);
      const word = fc.oneof(
        fc.constantFrom(
          "time",
          "time:day",
          "event:page",
          "visit:source",
          "visitors",
          "percentage",
          "7d",
          "all",
          "is",
        ),
        fc.constantFrom(
          "previous_period",
          "custom",
          "2026-03-09",
          "2026-02-30",
          "asc",
          "__proto__",
          "",
          SITE,
        ),
        fc.string({ unit: "binary", maxLength: 8 }),
      );
      const some = fc.oneof(word, fc.array(word, { maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }));
      const include = fc.record(
        { compare: some, comparisons: some, total_rows: some, time_labels: some },
        { requiredKeys: [] },
      );
      const names = [
        "metrics",
        "date_range",
        "dimensions",
        "filters",
        "order_by",
        "include",
        "pagination",
      ] as const;
      const right = { site_id: SITE, metrics: ["visitors"], date_range: "7d" };
      const body = fc
        .tuple(
          fc.subarray([...names], { maxLength: 2 }),
          fc.array(fc.oneof(some, include), { minLength: 2, maxLength: 2 }),
        )
        .map(([fields, wrong]) => ({
          ...right,
          ...Object.fromEntries(fields.map((name, i) => [name, wrong[i]])),
        }));
      const address = fc.dictionary(fc.constantFrom(...names, "share", "format"), word, { maxKeys: 3 });
      const outcomes = { answered: 0, refused: 0 };
      const judge = async (work: Promise<unknown>): Promise<void> => {
        try {
          await work;
          outcomes.answered++;
        } catch (error) {
          if (!(error instanceof ClickstreamError)) throw error;
          expect(error.code).toBe("bad_request");
          expect(error.message).toMatch(/^.+: /s);
          outcomes.refused++;
        }
      };
      await fc.assert(
        fc.asyncProperty(body, address, async (sent, parameters) => {
          await judge(api.query(reader, sent));
          await judge(
            api
              .exportCsv(reader, { site_id: SITE, metrics: "visitors", date_range: "7d", ...parameters })
              .then(({ lines }) => [...lines]),
          );
        }),
        { numRuns: QUERIES, seed: SEED },
      );
      expect(outcomes.answered).toBeGreaterThan(QUERIES / 10);
      expect(outcomes.refused).toBeGreaterThan(QUERIES / 10);
    },
    60_000 + QUERIES * 200,
  );
});
