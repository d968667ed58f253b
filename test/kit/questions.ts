/** Random questions of the query API about recorded data, and the recordings they are asked of: one of each kind of time zone. */
import fc from "fast-check";
import { VISIT_DIMENSIONS } from "../../processors/model/dimensions.ts";
import { QueryApi } from "../../processors/pipeline/query/api.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { Metric } from "../../processors/pipeline/query/request.ts";
import { generate } from "./generate.ts";
import { Oracle } from "./oracle.ts";
import { SummedOracle } from "./oraclesums.ts";
import { type ReplayResult, replay } from "./replay.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SITE = "shop.example";

/** A zone by the offsets it has around the recording, so that local time is plain arithmetic in the second answer. */
export interface Zone {
  readonly name: string;
  /** Local midnight at which the recording begins. */
  readonly from: number;
  readonly offset: number;
  /** Within the recording the clocks move to this offset. */
  readonly moves?: { readonly at: number; readonly to: number };
}

const still = (name: string, offset: number): Zone => ({ name, offset, from: Date.UTC(2026, 2, 9) - offset });
export const ZONES: readonly Zone[] = [
  still("Asia/Seoul", 9 * HOUR),
  {
    name: "America/New_York",
    from: Date.UTC(2026, 2, 7, 5),
    offset: -5 * HOUR,
    moves: { at: Date.UTC(2026, 2, 8, 7), to: -4 * HOUR },
  },
  still("Asia/Kolkata", 5.5 * HOUR),
  {
    name: "America/St_Johns",
    from: Date.UTC(2026, 9, 31, 2, 30),
    offset: -2.5 * HOUR,
    moves: { at: Date.UTC(2026, 10, 1, 4, 30), to: -3.5 * HOUR },
  },
  still("Asia/Kathmandu", 5.75 * HOUR),
  {
    name: "Australia/Lord_Howe",
    from: Date.UTC(2026, 3, 3, 13),
    offset: 11 * HOUR,
    moves: { at: Date.UTC(2026, 3, 4, 15), to: 10.5 * HOUR },
  },
  still("UTC", 0),
];

/** What questions are asked of, and who knows better. */
export interface Subject {
  readonly zone: Zone;
  readonly replayed: ReplayResult;
  readonly api: QueryApi;
  readonly oracle: SummedOracle;
  /** By dimension, the values that occur. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** Sixty hours of events, replayed in two shards, seen five days after their beginning. */
export async function makeSubject(seed: number, events: number, zone: Zone): Promise<Subject> {
  const { from } = zone;
  const lines = [...generate({ seed, from, to: from + 60 * HOUR, events, sites: [SITE], pages: 20 })];
  const replayed = await replay(lines, { seed, sites: [{ id: SITE, timeZone: zone.name }], shards: 2 });
  // Every range is over then, and compared whole; its minutes are still kept.
  replayed.clock.advanceTo(from + 5 * DAY);
  const oracle = new SummedOracle(new Oracle(lines, { sites: [SITE] }), SITE);
  const values = new Map(
    DIMENSIONS.map((dimension) => {
      const rows = oracle.tally({ from: from - 10 * DAY, to: from + 10 * DAY, dimension });
      return [dimension, [...rows.keys()].map((key) => (JSON.parse(key) as string[])[1] ?? "")] as const;
    }),
  );
  const api = new QueryApi(new QueryEngine({ store: replayed.store, clock: replayed.clock }));
  return { zone, replayed, api, oracle, values };
}

/** Those that rollups keep of every site. */
export const DIMENSIONS: readonly string[] = [
  ...VISIT_DIMENSIONS,
  "visit:exit_page",
  "event:page",
  "event:hostname",
  "event:name",
  "event:goal",
];

/** Minutes seldom: their tens of thousands of rows take a hundred times as long to answer twice. */
const TIMES = [
  ...["time:minute", "time:hour", "time:hour", "time:hour", "time:hour"],
  ...["time:day", "time:day", "time:day", "time:week", "time:month"],
];

export type Filter = readonly unknown[];
export interface Asked {
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

const filterOf = ({ values }: Subject, dimension: string): fc.Arbitrary<Filter> => {
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

const rangeOf = ({ from }: Zone) =>
  fc.oneof(
    // Whole days, which the comparison moves by days.
    fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 2 })).map(([first, days]) => ({
      from: from + first * DAY,
      to: from + (first + days) * DAY,
    })),
    fc
      .tuple(fc.integer({ min: -30, max: 59 * 60 }), fc.integer({ min: 1, max: 40 * 60 }))
      .map(([start, minutes]) => ({
        from: from + start * MINUTE,
        to: from + (start + minutes) * MINUTE,
      })),
  );

/** Any question with an answer. Where clocks move nothing is compared: the second answer knows no such counterparts. */
export const questionsTo = (subject: Subject): fc.Arbitrary<Asked> =>
  fc
    .record({
      range: rangeOf(subject.zone),
      time: fc.option(fc.constantFrom(...TIMES), { nil: undefined }),
      dimension: fc.option(fc.constantFrom(...DIMENSIONS), { nil: undefined }),
      filtered: fc.option(fc.constantFrom(...DIMENSIONS), { nil: undefined }),
      compare: subject.zone.moves ? fc.constant(false) : fc.boolean(),
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
          : fc.array(filterOf(subject, shown ?? filtered), { minLength: 1, maxLength: 2 });
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
export function orderOf({ order, metrics, time, dimension }: Asked): [string, "asc" | "desc"][] {
  const names = [...(time ? [time] : []), ...(dimension ? [dimension] : []), ...metrics];
  return order.map(([index, direction]) => [names[index % names.length]!, direction]);
}

const iso = (at: number): string => new Date(at).toISOString();

export function bodyOf(one: Asked): Record<string, unknown> {
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
